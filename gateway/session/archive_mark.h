// The archive mark: what a crash must not forget of archived messages that are on their way. Up to
// the mark every archived message is either done with or listed, in a Log store, for the next
// session. What stands in the archive above it is looked at when the process starts
// (archive_recovery.h), so a message whose recipient acknowledges within a second costs nothing but
// its place in the archive.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/feature/acknowledgement.h"

namespace causeway {

/// The mark of the process, which all shards move together. Thread-safe.
class ArchiveMark {
public:
    /// Where it is kept: a Map store, without an owner.
    static constexpr std::string_view store = "server";
    static constexpr std::string_view key = "archive-mark";
    static constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();

    explicit ArchiveMark(unsigned shards);

    /// A message of that shard is on its way and not listed; `lowest` is the lowest id of all that
    /// are. False: the mark is beyond the message already, which has to be listed when it is
    /// stored.
    bool admit(unsigned shard, std::uint64_t row, std::uint64_t lowest);
    /// That is the lowest id that the shard has on its way (`none`: it has none), and `newest` is
    /// above every id that was allotted. Where the mark stands now, if it could be moved.
    std::optional<std::uint64_t> advance(unsigned shard, std::uint64_t lowest,
                                         std::uint64_t newest);
    /// Where it stands, once it has been moved; not where another shard is about to move it, which
    /// may find that it cannot.
    [[nodiscard]] std::uint64_t mark() const {
        const std::lock_guard lock(moving_);
        return mark_;
    }
    /// Calls `give` with where it stands, to give that to the store. One shard at a time does so:
    /// of two that move it, the store would else end with the lower one where that comes second.
    template <class Give>
    void write(Give give) {
        const std::lock_guard lock(writing_);
        give(mark());
    }
    /// A commit has written it to the store.
    void stored(std::uint64_t mark);
    /// Up to there the next start lists nothing; behind mark() by the commit under way.
    [[nodiscard]] std::uint64_t stored() const { return stored_.load(std::memory_order_relaxed); }
    /// What the run before left above the mark is listed (archive_recovery.h), and the store has
    /// the mark at `mark`, which is not above any id of this run: from now on it may move.
    void recovered(std::uint64_t mark);
    /// What the run before left is not listed yet.
    [[nodiscard]] bool recovering() const { return recovering_; }
    /// Runs `task` on that executor once it is: now, if it is already.
    void when_recovered(Executor& home, std::function<void()> task);

private:
    // Written by one shard each and read by the one that moves the mark. That shard publishes the
    // mark first and reads these afterwards; the others write here first and read the mark
    // afterwards; so at least one of two that meet sees the other.
    std::vector<std::atomic<std::uint64_t>> lowest_;
    /// As the store has it. Until that is known nothing is above it.
    std::atomic<std::uint64_t> mark_{none};
    std::atomic<std::uint64_t> stored_{0};
    std::atomic<bool> recovering_{true};
    mutable std::mutex moving_;
    std::vector<std::pair<Executor*, std::function<void()>>> waiting_;  ///< guarded by moving_
    std::mutex writing_;
};

/// Archived messages of one shard that are on their way and not listed.
class UnlistedMessages {
public:
    struct Message {
        TimePoint since;
        HoldId hold;
        std::uint64_t row;
    };

    void add(const Message& message);
    /// Forgets those for which `done(message)` is true.
    template <class Done>
    void forget(Done done) {
        std::erase_if(messages_, done);
        lowest_ = ArchiveMark::none;
        for (const Message& left : messages_) note(left.row);
    }
    [[nodiscard]] bool empty() const { return messages_.empty(); }
    /// ArchiveMark::none if there is none.
    [[nodiscard]] std::uint64_t lowest() const { return lowest_; }

private:
    void note(std::uint64_t row) {
        if (row < lowest_) lowest_ = row;
    }

    std::deque<Message> messages_;
    std::uint64_t lowest_ = ArchiveMark::none;
};

}  // namespace causeway
