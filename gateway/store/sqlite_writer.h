// The one writer of a SQLite store: a thread with a bounded queue. What waits is taken together
// into one transaction (group commit), so that a busy server pays one disk flush for many batches
// and an idle one waits for nobody. A batch that fails is undone alone; a commit that fails, fails
// every batch in it, and the writer goes on with the next. Batches for which nobody waits are
// gathered for a moment: the pages that they touch are then written once.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "gateway/store/sqlite_archive_writer.h"
#include "gateway/store/sqlite_database.h"
#include "gateway/store/sqlite_log_copier.h"
#include "gateway/store/store.h"

namespace causeway {

class SqliteWriter {
public:
    /// Prepares every statement, so that a damaged schema is found at start.
    static Result<std::unique_ptr<SqliteWriter>> start(SqliteDatabase database,
                                                       std::unique_ptr<SqliteLogCopier> copier,
                                                       const StoreLimits& limits);
    SqliteWriter(const SqliteWriter&) = delete;
    SqliteWriter& operator=(const SqliteWriter&) = delete;
    ~SqliteWriter();

    /// Queues a batch; `committed` is posted to `home` once the batch is durable or has failed.
    /// When the queue is full it is posted at once with Cause::retry. `committed` may be empty.
    /// From any thread.
    void commit(Batch batch, Executor& home, Committed committed);

    /// Runs `task` behind all that was committed and may wait, without letting it wait longer: at
    /// once if there is nothing of that kind, else on the writer's thread. From any thread; `task`
    /// is called exactly once.
    void run_behind(std::function<void()> task);

    /// The ceiling of row ids as it was when the file was opened.
    [[nodiscard]] std::uint64_t id_floor() const { return id_floor_; }

    /// From any thread.
    [[nodiscard]] StoreHealth health() const;

    /// Commits what is queued and ends the thread. Not from two threads at once.
    void stop();

private:
    enum class Statement : std::size_t {
        begin,
        commit,
        rollback,
        find_store,
        add_store,
        raise_id_ceiling,
        map_set,
        map_erase,
        map_clear,
        log_append,
        log_erase,
        log_clear,
        count,
    };
    struct Pending {
        Batch batch;
        Executor* home;
        Committed committed;
        std::function<void()> behind;  ///< to be run instead of a batch, which is empty then
        std::chrono::steady_clock::time_point since{};
        Outcome outcome;
    };
    /// Where a transaction failed: in one of its operations, or as a whole.
    struct Failure {
        Outcome outcome;
        bool in_operation = false;
    };

    SqliteWriter(SqliteDatabase database, std::unique_ptr<SqliteLogCopier> copier,
                 const StoreLimits& limits);
    Outcome prepare();
    void run();
    [[nodiscard]] bool ready() const;
    void push(Pending pending, std::unique_lock<std::mutex> lock);
    std::vector<Pending> take_group();
    void commit_group(std::span<Pending> group);
    Failure transact(std::span<Pending> group);
    Outcome apply(const Batch& batch);
    Outcome apply(const Batch::Operation& operation);
    Outcome apply_to_archive(const Batch::Operation& operation);
    Outcome raise_id_ceiling(std::uint64_t id);
    Outcome execute(SqliteStatement& statement, std::string_view doing);
    Result<std::int64_t> store_number(const std::string& name);
    void note_health(const Outcome& outcome);
    static void report(std::vector<Pending> group);
    SqliteStatement& statement(Statement which) {
        return statements_[static_cast<std::size_t>(which)];
    }

    const StoreLimits limits_;

    // Used by the thread alone once it runs.
    SqliteDatabase database_;
    std::unique_ptr<SqliteLogCopier> copier_;
    SqliteArchiveWriter archive_;
    std::array<SqliteStatement, static_cast<std::size_t>(Statement::count)> statements_;
    std::map<std::string, std::int64_t, std::less<>> store_numbers_;
    std::uint64_t id_ceiling_ = 0;
    std::uint64_t failed_in_a_row_ = 0;

    std::uint64_t id_floor_ = 0;

    // Shared, under mutex_.
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Pending> queue_;
    std::size_t queued_bytes_ = 0;
    std::size_t urgent_ = 0;    ///< of the queue: what may not wait
    std::size_t gathered_ = 0;  ///< batches of the group under way that could wait
    bool waiting_ = false;
    bool stopping_ = false;
    StoreHealth health_;

    std::thread thread_;
};

}  // namespace causeway
