// SqliteLogCopier: the thread that copies what stands in a SQLite store's write-ahead log back into
// its file, while the writer goes on. It takes most of the log; the writer copies the rest itself,
// a few pages, for only where all of it is copied does the log begin anew.
//
// Where the file cannot be flushed, what was copied may be lost, however well the next flush goes:
// the system forgets what it could not write. Only the log has it then, and SQLite takes it for
// copied until it opens the file anew. So nothing more is copied, and the log stays, until then.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "gateway/store/sqlite_database.h"

namespace causeway {

class SqliteLogCopier {
public:
    /// Opens a connection of its own to the file, which keeps a log already. `file`: the same, open
    /// for as long as this lives.
    static Result<std::unique_ptr<SqliteLogCopier>> start(const std::string& path, int file,
                                                          const StoreLimits& limits);
    SqliteLogCopier(const SqliteLogCopier&) = delete;
    SqliteLogCopier& operator=(const SqliteLogCopier&) = delete;
    ~SqliteLogCopier();

    /// On the writer's thread, behind each commit. Wakes the thread when the log is long, copies
    /// what it left, and waits for it when the log is longer than it should ever be.
    void after_commit(SqliteDatabase& writer);

    /// Ends the thread. False: the log has to stay when the store is closed.
    [[nodiscard]] bool stop();

private:
    enum class Thread : unsigned char { idle, copying, stopping };

    SqliteLogCopier(SqliteDatabase database, int file, const StoreLimits& limits);
    void run();
    [[nodiscard]] bool has_time();
    void note_flush(const Outcome& flushed);
    void note(const Result<SqliteLog>& copied, std::int64_t wanted);

    const StoreLimits limits_;
    const int file_;
    SqliteDatabase database_;  ///< used by the thread alone once it runs

    // Shared, under mutex_.
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    Thread thread_is_ = Thread::idle;
    SqliteLog log_;            ///< as it was last seen
    std::int64_t next_pages_;  ///< of the log: from here on something is to be copied
    bool held_up_ = false;     ///< by who reads an older state: nothing can be done before he ends
    bool log_stays_ = false;   ///< what was copied may not be in the file
    std::uint64_t failed_in_a_row_ = 0;

    std::thread thread_;
};

}  // namespace causeway
