// Shard: one thread with its own poller, timers, buffers and parsers; nothing in it is locked.
// A turn is: a bounded number of ready events, ahead of each the messages that other shards have
// sent by then, the messages that are left, due timers, then what other shards are to do is sent to
// them and everything written during the turn is flushed at once, then what was condemned is freed.
// Objects of a shard are touched by its thread alone; other threads reach it through post().
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/timer_wheel.h"
#include "gateway/shard/poller.h"
#include "gateway/xml/parser.h"

namespace causeway {

/// Something that collected output during a turn and writes it when the turn ends.
class Flushable : public boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    virtual void flush() = 0;

protected:
    Flushable() = default;
    ~Flushable() = default;
};

/// Base of what may have to outlive the call that ends it; see Shard::condemn.
class Condemned {
public:
    Condemned() = default;
    Condemned(const Condemned&) = delete;
    Condemned& operator=(const Condemned&) = delete;
    virtual ~Condemned() = default;
};

/// Buffers that all connections of a shard borrow during a call and never keep.
struct IoBuffers {
    static constexpr std::size_t size = 65536;
    std::unique_ptr<char[]> input = std::make_unique_for_overwrite<char[]>(size);
    std::unique_ptr<char[]> plain = std::make_unique_for_overwrite<char[]>(size);
    std::string output;  ///< ciphertext of one flush

    /// Strings with capacity, for output that waits; given back when empty.
    std::string take_string();
    void give_back(std::string&& used);

private:
    static constexpr std::size_t spare_limit = 256;
    static constexpr std::size_t spare_bytes = 65536;
    std::vector<std::string> spare_;
};

class Shard final : public Executor {
public:
    Shard(unsigned index, unsigned count, const Clock& clock);
    ~Shard() override;

    [[nodiscard]] unsigned index() const { return index_; }
    [[nodiscard]] unsigned count() const { return count_; }
    [[nodiscard]] const Clock& clock() const { return clock_; }
    Poller& poller() { return poller_; }
    TimerWheel& timers() { return timers_; }
    IoBuffers& buffers() { return buffers_; }
    ParserPool& parsers() { return parsers_; }

    /// From any thread. From another shard's thread it costs no lock: it leaves with that turn's
    /// end.
    void post(std::function<void()> task) override;

    /// Puts `flushable` on the list for the end of this turn; idempotent.
    void mark_dirty(Flushable& flushable) {
        if (!flushable.is_linked()) dirty_.push_back(flushable);
    }
    /// Frees `object` after the current turn, when no caller can still be inside it.
    void condemn(std::unique_ptr<Condemned> object) { condemned_.push_back(std::move(object)); }

    /// Turns until stop(); call on the thread that is to be the shard's.
    void run();
    /// From any thread: run() returns soon.
    void stop();
    /// One turn that waits at most `wait` for something to do. Returns how much was done.
    std::size_t turn(Duration wait);
    /// The shard whose code is running on this thread, or nullptr.
    static Shard* current();

private:
    friend class Shards;
    using Task = std::function<void()>;
    struct Inboxes;  ///< the rings from other shards; they are costly to include
    std::size_t run_tasks();
    void flush_dirty();
    void send_outboxes();
    [[nodiscard]] bool has_mail() const;
    void wake();

    unsigned index_;
    unsigned count_;
    const Clock& clock_;
    std::unique_ptr<Inboxes> inboxes_;
    Poller poller_;
    TimerWheel timers_;
    IoBuffers buffers_;
    ParserPool parsers_;
    boost::intrusive::list<Flushable, boost::intrusive::constant_time_size<false>> dirty_;
    std::vector<std::unique_ptr<Condemned>> condemned_;
    std::vector<Task> local_;
    std::vector<Task> running_;
    std::vector<std::vector<Task>> outbox_;  ///< by receiving shard
    std::mutex foreign_mutex_;
    std::vector<Task> foreign_;  ///< from threads that are no shard; guarded by foreign_mutex_
    std::atomic<bool> foreign_waiting_{false};
    std::atomic<bool> sleeping_{false};  ///< it may be waiting in the poller: wake() has work to do
    std::atomic<bool> stopping_{false};
    std::vector<Shard*> peers_;
};

/// All shards of the process.
class Shards {
public:
    Shards(unsigned count, const Clock& clock);

    [[nodiscard]] unsigned count() const { return static_cast<unsigned>(shards_.size()); }
    Shard& operator[](unsigned index) { return *shards_[index]; }
    /// The home of a bare JID or a remote domain: everything about it is done there.
    [[nodiscard]] unsigned home_of(std::string_view name) const {
        return static_cast<unsigned>(std::hash<std::string_view>{}(name) % shards_.size());
    }
    /// For simulations: turns of all shards until none has anything to do.
    std::size_t run_until_idle();

private:
    std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace causeway
