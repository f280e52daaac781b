// The single-threaded event loop of the load generator: descriptors by epoll, timers with
// nanosecond deadlines, and work put off to the end of a turn so that each connection writes once a
// turn.
//
// The loop owns its epoll descriptor and its timers; handlers belong to their creators, which call
// `remove` before they destroy one. System calls that fail are reported as false.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace causeway::bench {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// Receives readiness of one descriptor. A handler may remove itself or others from inside a call,
/// but must not be destroyed inside its own call: use `EventLoop::after_turn` for that.
class EventHandler {
public:
    EventHandler() = default;
    EventHandler(const EventHandler&) = delete;
    EventHandler& operator=(const EventHandler&) = delete;
    virtual ~EventHandler() = default;

    /// Called with the EPOLL* bits that are ready.
    virtual void on_events(std::uint32_t events) = 0;

    /// Called once at the end of a turn in which `EventLoop::flush_at_turn_end` was called.
    virtual void on_turn_end() = 0;
};

class EventLoop {
public:
    /// Identifies a timer: its deadline and a serial number, unique within the loop.
    using TimerId = std::pair<TimePoint, std::uint64_t>;

    EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    ~EventLoop();

    /// False if the kernel gave no epoll descriptor; nothing else works then.
    [[nodiscard]] bool valid() const { return epoll_ >= 0; }

    [[nodiscard]] bool add(int descriptor, std::uint32_t events, EventHandler& handler);
    [[nodiscard]] bool modify(int descriptor, std::uint32_t events, EventHandler& handler);

    /// Forgets the descriptor and every event or flush still pending for the handler.
    void remove(int descriptor, EventHandler& handler);

    /// Runs `action` once, at or after `when`.
    TimerId call_at(TimePoint when, std::function<void()> action);

    /// Cancels a timer; one that has fired already is ignored.
    void cancel(const TimerId& timer);

    /// Asks for `handler.on_turn_end()` at the end of this turn. Call it once per handler and turn.
    void flush_at_turn_end(EventHandler& handler) { flushes_.push_back(&handler); }

    /// Runs `action` when no handler is on the stack any more: the place to destroy handlers.
    void after_turn(std::function<void()> action) { deferred_.push_back(std::move(action)); }

    /// Turns the loop until `done()` holds (true), or until `deadline` or `stop()` (false).
    [[nodiscard]] bool run_until(const std::function<bool()>& done, TimePoint deadline);

    /// Makes the present and every later `run_until` return false.
    void stop() { stopped_ = true; }

    /// Time at which the present turn began to handle events.
    [[nodiscard]] TimePoint turn_time() const { return turn_time_; }

private:
    static constexpr std::size_t max_events_per_turn = 512;

    void wait(TimePoint deadline);
    void fire_timers();
    void end_turn();

    int epoll_ = -1;
    bool stopped_ = false;
    std::uint64_t next_timer_ = 0;
    TimePoint turn_time_ = Clock::now();
    std::map<TimerId, std::function<void()>> timers_;
    std::array<epoll_event, max_events_per_turn> events_{};
    std::span<epoll_event> pending_;
    std::vector<EventHandler*> flushes_;
    std::vector<EventHandler*> flushing_;
    std::vector<std::function<void()>> deferred_;
};

}  // namespace causeway::bench
