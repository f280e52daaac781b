#include "gateway/base/timer_wheel.h"

#include <algorithm>

namespace causeway {

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
    const TimePoint due = clock_.now() + std::max(after, Duration::zero());
    // Rounded up: a timer may be late by a tick, never early.
    timer.due_tick_ = std::max(tick_of(due + tick - Duration{1}), current_ + 1);
    insert(timer);
}

void TimerWheel::insert(Timer& timer) {
    const std::uint64_t distance = timer.due_tick_ > current_ ? timer.due_tick_ - current_ : 0;
    std::size_t level = 0;
    while (level + 1 < levels && distance >= (std::uint64_t{1} << (8 * (level + 1)))) ++level;
    const std::uint64_t at = std::min(timer.due_tick_, current_ + 0xffffffffULL);
    Timer& head = wheel_[level][(at >> (8 * level)) % slots];
    timer.next_ = &head;
    timer.previous_ = head.previous_;
    head.previous_->next_ = &timer;
    head.previous_ = &timer;
}

void TimerWheel::cascade(std::size_t level) {
    Timer& head = wheel_[level][(current_ >> (8 * level)) % slots];
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

std::size_t TimerWheel::advance() {
    const std::uint64_t target = tick_of(clock_.now());
    std::size_t fired = 0;
    while (current_ < target) {
        ++current_;
        for (std::size_t level = 1; level < levels; ++level) {
            if ((current_ & ((std::uint64_t{1} << (8 * level)) - 1)) != 0) break;
            cascade(level);
        }
        Timer& head = wheel_[0][current_ % slots];
        while (head.next_ != &head) {
            Timer& timer = *head.next_;
            timer.cancel();
            ++fired;
            timer.target_->on_timer(timer.which_);
        }
    }
    return fired;
}

Duration TimerWheel::until_next(Duration at_most) const {
    const auto limit = static_cast<std::uint64_t>(at_most / tick);
    for (std::uint64_t ahead = 1; ahead <= std::min<std::uint64_t>(limit, slots); ++ahead) {
        const std::uint64_t at = current_ + ahead;
        const Timer& head = wheel_[0][at % slots];
        // A higher level may hold timers for the slots after its boundary: wake there and look.
        if (head.next_ != &head || at % slots == 0) {
            const TimePoint when = start_ + tick * static_cast<std::int64_t>(at);
            return std::clamp(when - clock_.now(), Duration::zero(), at_most);
        }
    }
    return at_most;
}

}  // namespace causeway
