// SimClock and SimLoop: time and order under a test's control. The clock moves only when told, and
// the loop runs posted tasks one after the other in the order of their posting, so a test that
// fails fails the same way every time. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <stdexcept>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/timer_wheel.h"

namespace causeway {

class SimClock final : public Clock {
public:
    /// 2026-01-01T00:00:00Z.
    static constexpr UnixMillis first_moment = 1'767'225'600'000;

    [[nodiscard]] TimePoint now() const override {
        return TimePoint(Duration(1'000'000)) + elapsed_;
    }
    [[nodiscard]] UnixMillis wall() const override { return wall_at_start_ + elapsed_.count(); }
    void advance(Duration by) { elapsed_ += by; }
    /// Somebody sets the wall clock; the monotonic time does not notice.
    void set_wall(UnixMillis at) { wall_at_start_ = at - elapsed_.count(); }

private:
    Duration elapsed_{0};
    UnixMillis wall_at_start_ = first_moment;
};

class SimLoop final : public Executor {
public:
    void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }

    /// Runs tasks, and those that they post, until none is left; returns how many ran. Throws when
    /// they never end, which is a fault of what is tested.
    std::size_t run_until_idle(std::size_t at_most = 5'000'000) {
        std::size_t ran = 0;
        while (run_one()) {
            if (++ran == at_most) throw std::runtime_error("the simulated loop never becomes idle");
        }
        return ran;
    }

    /// Runs the oldest task; false when there is none.
    bool run_one() {
        if (tasks_.empty()) return false;
        const std::function<void()> task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
        return true;
    }

    [[nodiscard]] bool idle() const { return tasks_.empty(); }

    /// Lets `by` pass in steps of one wheel tick, running timers and tasks as they become due.
    void run_for(SimClock& clock, TimerWheel& wheel, Duration by) {
        run_until_idle();
        for (Duration left = by; left > Duration::zero();) {
            // Long waits skip ahead to the next timer, so that three days take no longer than one.
            Duration step = wheel.until_next(left);
            step = std::min(std::max(step, TimerWheel::tick), left);
            clock.advance(step);
            left -= step;
            wheel.advance();
            run_until_idle();
        }
    }

private:
    std::deque<std::function<void()>> tasks_;
};

}  // namespace causeway
