// TimerWheel: all timeouts of a shard. A timer is an intrusive node inside its owner (40 bytes, no
// allocation); arming and cancelling are O(1). Owner: the object that holds the Timer; destroying a
// Timer cancels it. Not thread-safe: a wheel and its timers belong to one shard.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gateway/base/clock.h"

namespace causeway {

class TimerWheel;

/// What a timer calls when it is due. The target may arm, cancel or destroy any timer, its own too.
class TimerTarget {
public:
    virtual void on_timer(std::uint32_t which) = 0;

protected:
    ~TimerTarget() = default;
};

class Timer {
public:
    Timer() = default;
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { cancel(); }

    void cancel();
    [[nodiscard]] bool armed() const { return previous_ != nullptr; }

private:
    friend class TimerWheel;
    Timer* next_ = nullptr;
    Timer* previous_ = nullptr;
    TimerTarget* target_ = nullptr;
    std::uint64_t due_tick_ = 0;
    std::uint32_t which_ = 0;
};

/// Hashed hierarchical wheel: 4 levels of 256 slots, 10 ms a tick (range about 497 days). A bit for
/// each slot finds the next one in use, so that an empty stretch costs nothing, however long.
class TimerWheel {
public:
    static constexpr Duration tick{10};

    explicit TimerWheel(const Clock& clock);
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;
    ~TimerWheel();

    /// Calls target.on_timer(which) once, not before `after` has passed. Re-arming moves the timer.
    void arm(Timer& timer, Duration after, TimerTarget& target, std::uint32_t which = 0);

    /// Runs everything that is due by the clock. Returns how many fired.
    std::size_t advance();

    /// How long the loop may sleep: until the next slot with a timer, at most `at_most`.
    [[nodiscard]] Duration until_next(Duration at_most) const;

private:
    static constexpr std::size_t slots = 256;
    static constexpr std::size_t levels = 4;
    static constexpr std::uint64_t range = std::uint64_t{1} << 32U;  ///< in ticks, of all levels
    void insert(Timer& timer);
    void cascade(std::size_t level);
    std::size_t fire();
    [[nodiscard]] std::uint64_t next_stop() const;
    [[nodiscard]] std::uint64_t next_stop(std::size_t level) const;
    [[nodiscard]] std::uint64_t tick_of(TimePoint at) const;
    /// The head of the slot that holds tick `at` on that level, and the mark that it is in use.
    [[nodiscard]] Timer& head_of(std::size_t level, std::uint64_t at);
    void mark(std::size_t level, std::uint64_t at, bool used);

    const Clock& clock_;
    TimePoint start_;
    std::uint64_t current_ = 0;
    std::array<std::array<Timer, slots>, levels> wheel_;
    /// Set for every slot that holds timers, and for some that were emptied by cancelling.
    std::array<std::array<std::uint64_t, slots / 64>, levels> used_{};
};

}  // namespace causeway
