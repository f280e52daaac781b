// MemoryStore: a Store that holds everything in memory and does it on the calling stack; only the
// answers are posted, so that a simulation is deterministic. For tests: commits can be held back
// and made to fail. Thread-safe. It forgets everything with its end.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gateway/store/limits.h"
#include "gateway/store/memory_archive.h"
#include "gateway/store/store.h"

namespace causeway {

class MemoryStore final : public Store {
public:
    explicit MemoryStore(const StoreLimits& limits = {}) : limits_(limits) {}

    /// The next `count` batches that would be committed fail with `outcome` and change nothing.
    void fail_next_commits(std::size_t count, Outcome outcome = Outcome::retry("the disk is full"));
    /// The next commits that succeed are answered as if they had failed.
    void doubt_next_commits(std::size_t count);
    /// The next `count` questions are answered with `outcome`.
    void fail_next_reads(std::size_t count, Outcome outcome = Outcome::retry("the disk fails"));
    /// The next `count` questions are answered all the same, before those that fail.
    void spare_next_reads(unsigned count);
    /// From now on commits wait, unapplied and within the limits, until release_commits().
    void hold_commits();
    /// Applies what waited, in order, and holds no more.
    void release_commits();
    /// From now on questions are answered with what is stored when they are asked, but not before
    /// release_answers().
    void hold_answers();
    void release_answers();
    /// Whether the process that commits is taken for dead: it is refused, and nothing changes.
    void refuse_commits(bool refuse);
    /// The process dies: of the commits that wait, the oldest are applied, the others are lost, and
    /// nothing that was asked is answered any more.
    void lose_held_commits(std::size_t applied);
    /// Another process begins with the store. No less than a millisecond lies between the two, or
    /// its first ids could be lower than some that the one before gave out and did not store.
    void begin_process(UnixMillis now);
    /// Batches that wait.
    [[nodiscard]] std::size_t held_commits() const;
    /// Batches applied so far.
    [[nodiscard]] std::uint64_t commits() const;

    void commit(Batch batch, Executor& home, Committed committed) override;
    void map_get(std::string store, std::string owner, std::string key, Executor& home,
                 Answer<std::optional<std::string>> answer) override;
    void map_list(std::string store, std::string owner, Executor& home,
                  Answer<std::vector<MapEntry>> answer) override;
    void map_scan(std::string store, std::string after_owner, std::string after_key,
                  std::size_t limit, Executor& home, Answer<std::vector<MapEntry>> answer) override;
    void map_holders(std::string store, std::string key, std::size_t limit, Executor& home,
                     Answer<std::vector<MapEntry>> answer) override;
    void log_list(std::string store, std::string owner, std::uint64_t after, std::size_t limit,
                  Executor& home, Answer<std::vector<LogRow>> answer) override;
    void log_totals(std::string store, std::size_t limit, Executor& home,
                    Answer<std::vector<LogTotals>> answer) override;
    void log_expired(std::string store, UnixMillis now, std::size_t limit, Executor& home,
                     Answer<std::vector<std::pair<std::string, LogRow>>> answer) override;
    void archive_page(ArchiveQuery query, Executor& home, Answer<ArchivePage> answer) override;
    void archive_totals(std::string after_owner, std::size_t limit, Executor& home,
                        Answer<std::vector<ArchiveTotals>> answer) override;
    void archive_unswept(Executor& home, Answer<std::uint64_t> answer) override;
    void archive_total(std::string owner, Executor& home, Answer<ArchiveTotals> answer) override;
    void archive_recent(std::uint64_t after, std::size_t limit, Executor& home,
                        Answer<MemoryArchive::Recent> answer) override;
    /// Refused.
    void backup(std::string path, Executor& home, StoreJob job,
                Answer<StoreBackup> answer) override;
    /// Nothing is ever wrong; sizes are those of the archive.
    void check(StoreCheck what, Executor& home, StoreJob job, Answer<StoreReport> answer) override;
    /// The highest id so far.
    [[nodiscard]] std::uint64_t id_floor() const override;
    /// Releases held commits first.
    void stop() override;
    [[nodiscard]] StoreHealth health() const override;

private:
    using MapKey = std::tuple<std::string, std::string, std::string>;    // store, owner, key
    using LogKey = std::tuple<std::string, std::string, std::uint64_t>;  // store, owner, id
    struct Held {
        Batch batch;
        Executor* home;
        Committed committed;
    };
    struct Tables {
        std::map<MapKey, std::string> maps;
        std::map<LogKey, LogRow> logs;
        MemoryArchive archive;
        std::uint64_t highest_id = 0;

        /// The row as it is answered: with its body, wherever that stands.
        [[nodiscard]] LogRow whole(const LogKey& key, const LogRow& row) const;
    };

    [[nodiscard]] Outcome check_appends(const Batch& batch) const;
    Outcome apply(const Batch& batch);
    void apply(const Batch::Operation& operation);
    void finish(Held held);
    void release();
    template <class T, class Query>
    void answer_with(Executor& home, Answer<T> answer, Query query);

    const StoreLimits limits_;
    mutable std::mutex mutex_;

    // Under mutex_.
    Tables tables_;
    std::deque<Held> held_;
    std::deque<std::pair<Executor*, std::function<void()>>> held_answers_;
    std::size_t held_bytes_ = 0;
    std::uint64_t commits_ = 0;
    StoreHealth health_;
    std::size_t failing_commits_ = 0;
    std::size_t doubtful_commits_ = 0;
    std::size_t failing_reads_ = 0;
    Outcome commit_failure_;
    Outcome read_failure_;
    enum class Pace : unsigned char { at_once, held };
    Pace commit_pace_ = Pace::at_once;
    Pace answer_pace_ = Pace::at_once;
    enum class State : unsigned char {
        open,
        refusing,  ///< commits: whoever makes them is taken for dead
        stopped,
    };
    State state_ = State::open;
    unsigned spared_reads_ = 0;
};

}  // namespace causeway
