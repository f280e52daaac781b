// Poller: the readiness of descriptors, by epoll. Each descriptor is registered once,
// edge-triggered for both directions, and one epoll_wait a turn tells about all of them. A
// descriptor remembers in which directions it may be ready, so that asking to hear of readiness,
// and being told, costs no system call. Owner: a shard (or a test); everything but wake() belongs
// to its thread.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <functional>

#include "gateway/base/clock.h"

namespace causeway {

class Poller;

enum class Direction : unsigned char { read, write };

/// A descriptor under watch: base of what owns it. The owner closes the descriptor, after
/// unwatch().
class Polled : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    explicit Polled(Poller& poller) : poller_(poller) {}
    Polled(const Polled&) = delete;
    Polled& operator=(const Polled&) = delete;

    /// Begins the watch. False, with errno set, if the system refuses it.
    [[nodiscard]] bool watch(int descriptor);
    /// Ends the watch; no call of on_ready() comes after. Idempotent.
    void unwatch();
    /// The descriptor under watch, or -1.
    [[nodiscard]] int descriptor() const { return descriptor_; }

    /// Asks for one on_ready(direction), later, never from within this call. Idempotent.
    void want(Direction direction);
    /// The system answered EAGAIN: an edge will announce more. An owner that does not say so is
    /// told again as soon as it asks.
    void would_block(Direction direction);
    /// A stream gave less than was asked for, which mostly means the same: one read saved.
    void short_read();
    /// For an owner that cannot tell whether it exhausted the descriptor: looks again.
    void check_again();
    /// Calls on_ready(direction) in the next turn, whatever the descriptor is like.
    void force_ready(Direction direction);

protected:
    ~Polled() { unwatch(); }

    /// May destroy this object.
    virtual void on_ready(Direction direction) = 0;

private:
    friend class Poller;
    static constexpr unsigned bit(Direction direction) { return 1U << unsigned(direction); }
    void link();

    Poller& poller_;
    int descriptor_ = -1;
    unsigned char wanted_ = 0;           ///< directions that the owner asked for
    unsigned char ready_ = 0;            ///< directions that may be ready
    Direction last_ = Direction::write;  ///< what it was told last; the other one is next
    bool short_reads_end_ =
        true;  ///< false after an end, an error or urgent data, see short_read()
};

class Poller {
public:
    /// How many descriptors one poll() tells at most.
    static constexpr int events_per_poll = 64;

    /// Throws std::system_error if the process has no descriptor left.
    Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller();

    /// Waits at most `wait` for readiness or wake(), then calls on_ready() for what is ready and
    /// wanted. Does not wait where something is known to be ready. Returns the number of calls.
    /// `before_each` is called before each of them, and may end the watch of others.
    std::size_t poll(Duration wait, const std::function<void()>& before_each = {});
    /// From any thread: a poll() that waits, or else the next one, returns at once.
    void wake();

private:
    friend class Polled;
    void collect(Duration wait);

    int epoll_;
    int wake_;                 ///< an eventfd
    std::size_t watched_ = 0;  ///< without any there is nothing to ask the system for
    boost::intrusive::list<Polled, boost::intrusive::constant_time_size<false>> due_;
};

}  // namespace causeway
