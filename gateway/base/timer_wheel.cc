#include "gateway/base/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace causeway {
namespace {

// Waits are cut to this (35,000 years), so that "for ever" cannot overflow the time it is due.
constexpr Duration longest_wait{std::int64_t{1} << 50};

constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void Timer::cancel() {
    if (previous_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
}

TimerWheel::TimerWheel(const Clock& clock) : clock_(clock), start_(clock.now()) {
    for (auto& level : wheel_) {
        for (Timer& head : level) head.next_ = head.previous_ = &head;
    }
}

TimerWheel::~TimerWheel() {
    for (auto& level : wheel_) {
        for (Timer& head : level) {
            while (head.next_ != &head) head.next_->cancel();
            head.next_ = head.previous_ = nullptr;
        }
    }
}

std::uint64_t TimerWheel::tick_of(TimePoint at) const {
    const auto elapsed = at - start_;
    return elapsed.count() <= 0 ? 0 : static_cast<std::uint64_t>(elapsed / tick);
}

void TimerWheel::arm(Timer& timer, Duration after, TimerTarget& target, std::uint32_t which) {
    timer.cancel();
    timer.target_ = &target;
    timer.which_ = which;
    const TimePoint due = clock_.now() + std::clamp(after, Duration::zero(), longest_wait);
    // Rounded up: a timer may be late by a tick, never early.
    timer.due_tick_ = std::max(tick_of(due + tick - Duration{1}), current_ + 1);
    insert(timer);
}

Timer& TimerWheel::head_of(std::size_t level, std::uint64_t at) {
    return wheel_[level][(at >> (8 * level)) % slots];
}

void TimerWheel::mark(std::size_t level, std::uint64_t at, bool used) {
    const std::uint64_t slot = (at >> (8 * level)) % slots;
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    std::uint64_t& word = used_[level][slot / 64];
    word = used ? word | bit : word & ~bit;
}

void TimerWheel::insert(Timer& timer) {
    const std::uint64_t distance = timer.due_tick_ > current_ ? timer.due_tick_ - current_ : 0;
    std::size_t level = 0;
    while (level + 1 < levels && distance >= (std::uint64_t{1} << (8 * (level + 1)))) ++level;
    // Beyond the range it waits in the farthest slot, from which it is put in again.
    const std::uint64_t at = std::min(timer.due_tick_, current_ + range - 1);
    mark(level, at, true);
    Timer& head = head_of(level, at);
    timer.next_ = &head;
    timer.previous_ = head.previous_;
    head.previous_->next_ = &timer;
    head.previous_ = &timer;
}

void TimerWheel::cascade(std::size_t level) {
    mark(level, current_, false);
    Timer& head = head_of(level, current_);
    Timer moved;
    if (head.next_ == &head) return;
    moved.next_ = head.next_;
    moved.previous_ = head.previous_;
    moved.next_->previous_ = moved.previous_->next_ = &moved;
    head.next_ = head.previous_ = &head;
    while (moved.next_ != &moved) {
        Timer& timer = *moved.next_;
        timer.cancel();
        insert(timer);
    }
    moved.next_ = moved.previous_ = nullptr;
}

/// The next tick, after the current one, at which a slot of that level is due: its timers fire on
/// the lowest level, and move down from the others.
std::uint64_t TimerWheel::next_stop(std::size_t level) const {
    const std::uint64_t base = current_ >> (8 * level);
    for (std::uint64_t ahead = 1; ahead <= slots;) {
        const std::uint64_t slot = (base + ahead) % slots;
        const std::uint64_t word = used_[level][slot / 64] >> (slot % 64);
        if (word == 0) {
            ahead += 64 - slot % 64;
        } else if (const int unused = std::countr_zero(word); unused > 0) {
            ahead += static_cast<std::uint64_t>(unused);
        } else if (const Timer& head = wheel_[level][slot]; head.next_ == &head) {
            ++ahead;
        } else {
            return (base + ahead) << (8 * level);
        }
    }
    return never;
}

std::uint64_t TimerWheel::next_stop() const {
    std::uint64_t soonest = never;
    for (std::size_t level = 0; level < levels; ++level) {
        soonest = std::min(soonest, next_stop(level));
    }
    return soonest;
}

std::size_t TimerWheel::fire() {
    mark(0, current_, false);
    Timer& head = head_of(0, current_);
    std::size_t fired = 0;
    while (head.next_ != &head) {
        Timer& timer = *head.next_;
        timer.cancel();
        ++fired;
        timer.target_->on_timer(timer.which_);
    }
    return fired;
}

std::size_t TimerWheel::advance() {
    const std::uint64_t target = tick_of(clock_.now());
    std::size_t fired = 0;
    for (std::uint64_t stop = next_stop(); stop <= target; stop = next_stop()) {
        current_ = stop;
        for (std::size_t level = 1; level < levels; ++level) {
            if ((current_ & ((std::uint64_t{1} << (8 * level)) - 1)) != 0) break;
            cascade(level);
        }
        fired += fire();
    }
    current_ = std::max(current_, target);
    return fired;
}

Duration TimerWheel::until_next(Duration at_most) const {
    const std::uint64_t stop = next_stop();
    if (stop == never) return at_most;
    const TimePoint when = start_ + tick * static_cast<std::int64_t>(stop);
    return std::clamp(when - clock_.now(), Duration::zero(), at_most);
}

}  // namespace causeway
