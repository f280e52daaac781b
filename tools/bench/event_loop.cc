// The event loop: epoll_pwait2 for nanosecond timeouts, an ordered map for timers.
#include "tools/bench/event_loop.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace causeway::bench {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

EventLoop::~EventLoop() {
    if (epoll_ >= 0) {
        ::close(epoll_);
    }
}

bool EventLoop::add(int descriptor, std::uint32_t events, EventHandler& handler) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &handler;
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool EventLoop::modify(int descriptor, std::uint32_t events, EventHandler& handler) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &handler;
    return ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0;
}

void EventLoop::remove(int descriptor, EventHandler& handler) {
    epoll_event unused{};
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, &unused);
    for (epoll_event& event : pending_) {
        if (event.data.ptr == &handler) {
            event.data.ptr = nullptr;
        }
    }
    std::ranges::replace(flushes_, &handler, nullptr);
    std::ranges::replace(flushing_, &handler, nullptr);
}

EventLoop::TimerId EventLoop::call_at(TimePoint when, std::function<void()> action) {
    const TimerId timer{when, next_timer_++};
    timers_.emplace(timer, std::move(action));
    return timer;
}

void EventLoop::cancel(const TimerId& timer) { timers_.erase(timer); }

bool EventLoop::run_until(const std::function<bool()>& done, TimePoint deadline) {
    // What was asked for outside a turn (the first sends, say) is due before the first wait.
    end_turn();
    while (!stopped_) {
        if (done()) {
            return true;
        }
        if (Clock::now() >= deadline) {
            return false;
        }
        wait(deadline);
        turn_time_ = Clock::now();
        fire_timers();
        while (!pending_.empty()) {
            const epoll_event event = pending_.front();
            pending_ = pending_.subspan(1);
            if (event.data.ptr != nullptr) {
                static_cast<EventHandler*>(event.data.ptr)->on_events(event.events);
            }
        }
        end_turn();
    }
    return false;
}

void EventLoop::wait(TimePoint deadline) {
    const TimePoint wake =
        timers_.empty() ? deadline : std::min(deadline, timers_.begin()->first.first);
    const auto left = std::max(Clock::duration::zero(), wake - Clock::now());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    timespec timeout{};
    timeout.tv_sec = seconds.count();
    timeout.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
    const int ready =
        ::epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
    pending_ = std::span(events_).first(ready > 0 ? static_cast<std::size_t>(ready) : 0);
}

void EventLoop::fire_timers() {
    while (!timers_.empty() && timers_.begin()->first.first <= turn_time_) {
        auto timer = timers_.extract(timers_.begin());
        timer.mapped()();
    }
}

void EventLoop::end_turn() {
    flushing_.swap(flushes_);
    // By index: a flush that fails may remove handlers, which overwrites entries in place.
    for (std::size_t i = 0; i < flushing_.size(); ++i) {
        if (flushing_[i] != nullptr) {
            flushing_[i]->on_turn_end();
        }
    }
    flushing_.clear();
    std::vector<std::function<void()>> deferred;
    deferred.swap(deferred_);
    for (const auto& action : deferred) {
        action();
    }
}

}  // namespace causeway::bench
