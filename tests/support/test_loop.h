// TestLoop: what a shard offers to sockets and DNS, run by hand on a test's own thread: a poller,
// timers and tasks, with an io_context beside them for a NameServer.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/timer_wheel.h"
#include "gateway/shard/poller.h"

namespace causeway {

class TestLoop final : public Executor {
public:
    /// From any thread.
    void post(std::function<void()> task) override {
        {
            const std::scoped_lock lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        poller.wake();
    }

    /// Handles what is ready; waits at most `wait` if nothing is. Returns how much was handled.
    std::size_t turn(Duration wait = Duration::zero()) {
        context.restart();
        std::size_t done = context.poll() + run_tasks();
        // The io_context has a descriptor of its own: it is looked at each millisecond.
        if (done > 0) wait = Duration::zero();
        done += poller.poll(std::min(wait, Duration(1)));
        return done + run_tasks() + timers.advance();
    }
    std::size_t run_for(std::chrono::milliseconds time) {
        const auto deadline = std::chrono::steady_clock::now() + time;
        std::size_t done = 0;
        while (std::chrono::steady_clock::now() < deadline) done += turn(Duration(1));
        return done;
    }
    /// False if `done` does not hold in time.
    bool run_until(const std::function<bool()>& done,
                   std::chrono::milliseconds patience = std::chrono::seconds(5)) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!done()) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            turn(Duration(1));
        }
        return true;
    }

    SystemClock clock;
    TimerWheel timers{clock};
    Poller poller;
    boost::asio::io_context context;

private:
    std::size_t run_tasks() {
        std::vector<std::function<void()>> taken;
        {
            const std::scoped_lock lock(mutex_);
            taken.swap(tasks_);
        }
        for (auto& task : taken) std::exchange(task, nullptr)();
        return taken.size();
    }

    std::mutex mutex_;
    std::vector<std::function<void()>> tasks_;  ///< guarded by mutex_
};

}  // namespace causeway
