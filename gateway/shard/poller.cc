#include "gateway/shard/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace causeway {
namespace {

constexpr std::uint32_t watched_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
// After these a read that returns less than was asked for may have left something (the end, or what
// is behind urgent data), and no edge comes for it.
constexpr std::uint32_t special_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;

bool control(int epoll, int operation, int descriptor, Polled* polled) {
    epoll_event event{};
    event.events = watched_events;
    event.data.ptr = polled;
    return ::epoll_ctl(epoll, operation, descriptor, &event) == 0;
}

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

bool Polled::watch(int descriptor) {
    unwatch();
    if (!control(poller_.epoll_, EPOLL_CTL_ADD, descriptor, this)) return false;
    descriptor_ = descriptor;
    ++poller_.watched_;
    return true;
}

void Polled::unwatch() {
    list_base_hook::unlink();
    wanted_ = ready_ = 0;
    short_reads_end_ = true;
    if (descriptor_ < 0) return;
    control(poller_.epoll_, EPOLL_CTL_DEL, descriptor_, nullptr);
    descriptor_ = -1;
    --poller_.watched_;
}

void Polled::link() {
    if ((wanted_ & ready_) != 0 && !is_linked()) poller_.due_.push_back(*this);
}

void Polled::want(Direction direction) {
    wanted_ = static_cast<unsigned char>(wanted_ | bit(direction));
    link();
}

void Polled::would_block(Direction direction) {
    ready_ = static_cast<unsigned char>(ready_ & ~bit(direction));
    if (direction == Direction::read) short_reads_end_ = true;
}

void Polled::short_read() {
    if (short_reads_end_) would_block(Direction::read);
}

void Polled::check_again() {
    if (descriptor_ < 0) return;
    ready_ = 0;
    short_reads_end_ = true;
    // A change of the registration, even to the same, makes epoll look at the descriptor.
    control(poller_.epoll_, EPOLL_CTL_MOD, descriptor_, this);
}

void Polled::force_ready(Direction direction) {
    ready_ = static_cast<unsigned char>(ready_ | bit(direction));
    want(direction);
}

Poller::Poller()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    if (epoll_ >= 0 && wake_ >= 0 && ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0) return;
    const int error = errno;
    if (epoll_ >= 0) ::close(epoll_);
    if (wake_ >= 0) ::close(wake_);
    errno = error;
    fail("cannot create an event loop");
}

Poller::~Poller() {
    ::close(epoll_);
    ::close(wake_);
}

void Poller::wake() {
    // Edge-triggered: each write is an event, and nobody needs to read the counter.
    ::eventfd_write(wake_, 1);
}

void Poller::collect(Duration wait) {
    std::array<epoll_event, events_per_poll> events;
    const int count = ::epoll_wait(epoll_, events.data(), events_per_poll,
                                   due_.empty() ? static_cast<int>(wait.count()) : 0);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr) continue;  // wake()
        Polled& polled = *static_cast<Polled*>(event.data.ptr);
        unsigned ready = 0;
        if ((event.events & (EPOLLIN | special_events)) != 0) ready |= Polled::bit(Direction::read);
        if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
            ready |= Polled::bit(Direction::write);
        }
        polled.ready_ = static_cast<unsigned char>(polled.ready_ | ready);
        if ((event.events & special_events) != 0) polled.short_reads_end_ = false;
        polled.link();
    }
}

std::size_t Poller::poll(Duration wait, const std::function<void()>& before_each) {
    if (watched_ > 0 || wait > Duration::zero()) collect(wait);
    // Only those that are due now: who asks again is told in the next turn.
    boost::intrusive::list<Polled, boost::intrusive::constant_time_size<false>> now;
    now.swap(due_);
    std::size_t calls = 0;
    while (!now.empty()) {
        if (before_each) before_each();
        if (now.empty()) break;
        Polled& polled = now.front();
        now.pop_front();
        const unsigned due = polled.wanted_ & polled.ready_;
        if (due == 0) continue;
        const bool both = due == (Polled::bit(Direction::read) | Polled::bit(Direction::write));
        const bool write =
            both ? polled.last_ == Direction::read : due == Polled::bit(Direction::write);
        polled.last_ = write ? Direction::write : Direction::read;
        polled.wanted_ = static_cast<unsigned char>(polled.wanted_ & ~Polled::bit(polled.last_));
        polled.link();  // for the other direction, in the next turn
        ++calls;
        polled.on_ready(polled.last_);
    }
    return calls;
}

}  // namespace causeway
