// Readers of a SQLite store: two threads, each with a connection of its own, and bounded queues.
// One answers only questions about a single owner, so that a listing of everything never makes a
// login wait; the other takes listings first and helps with the rest. Each answer is a snapshot
// that holds every commit whose completion was posted before the question was asked.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gateway/store/sqlite_archive_reader.h"
#include "gateway/store/sqlite_database.h"
#include "gateway/store/store.h"

namespace causeway {

/// The questions of Store, answered on the calling thread.
class SqliteReader {
public:
    /// Prepares every statement.
    static Result<std::unique_ptr<SqliteReader>> open(const std::string& path,
                                                      const StoreLimits& limits);
    SqliteReader(const SqliteReader&) = delete;
    SqliteReader& operator=(const SqliteReader&) = delete;
    ~SqliteReader() = default;

    /// The questions about archives.
    SqliteArchiveReader& archive() { return archive_; }

    Result<std::optional<std::string>> map_get(const std::string& store, const std::string& owner,
                                               const std::string& key);
    Result<std::vector<MapEntry>> map_list(const std::string& store, const std::string& owner);
    Result<std::vector<MapEntry>> map_scan(const std::string& store, const std::string& after_owner,
                                           const std::string& after_key, std::size_t limit);
    Result<std::vector<MapEntry>> map_holders(const std::string& store, const std::string& key,
                                              std::size_t limit);
    Result<std::vector<LogRow>> log_list(const std::string& store, const std::string& owner,
                                         std::uint64_t after, std::size_t limit);
    Result<std::vector<LogTotals>> log_totals(const std::string& store, std::size_t limit);
    Result<std::vector<std::pair<std::string, LogRow>>> log_expired(const std::string& store,
                                                                    UnixMillis now,
                                                                    std::size_t limit);

private:
    enum class Statement : std::size_t {
        find_store,
        map_get,
        map_list,
        map_scan,
        map_holders,
        log_list,
        log_totals,
        log_expired,
        count,
    };

    explicit SqliteReader(SqliteDatabase database)
        : database_(std::move(database)), archive_(database_) {}
    /// nullopt: no row was ever written under that name.
    Result<std::optional<std::int64_t>> store_number(const std::string& name);
    /// Runs `which` for the store, and turns each row into an element of the answer.
    template <class T, class Bind, class Read>
    Result<std::vector<T>> collect(Statement which, const std::string& store, Bind bind, Read read);

    SqliteDatabase database_;
    SqliteArchiveReader archive_;
    std::array<SqliteStatement, static_cast<std::size_t>(Statement::count)> statements_;
    std::map<std::string, std::int64_t, std::less<>> store_numbers_;
};

class SqliteReaders {
public:
    enum class Kind : unsigned char { of_owner, of_store };
    using Question = std::function<void(SqliteReader&)>;

    static Result<std::unique_ptr<SqliteReaders>> start(const std::string& path,
                                                        const StoreLimits& limits);
    SqliteReaders(const SqliteReaders&) = delete;
    SqliteReaders& operator=(const SqliteReaders&) = delete;
    ~SqliteReaders();

    /// Queues a question. False, and the question is dropped, when the queue is full or stopped.
    [[nodiscard]] bool ask(Kind kind, Question question);

    /// Answers what is queued and ends the threads.
    void stop();

private:
    static constexpr std::size_t count = 2;

    SqliteReaders(std::array<std::unique_ptr<SqliteReader>, count> readers,
                  const StoreLimits& limits);
    void run(std::size_t index);
    [[nodiscard]] std::deque<Question>* choose(std::size_t index);
    void wake_one(Kind kind);

    const std::size_t queue_limit_;
    std::array<std::unique_ptr<SqliteReader>, count> readers_;

    // Shared, under mutex_.
    std::mutex mutex_;
    std::array<std::condition_variable, count> wake_;
    std::array<bool, count> idle_{};
    std::deque<Question> of_owner_;
    std::deque<Question> of_store_;
    bool stopping_ = false;

    std::array<std::thread, count> threads_;
};

}  // namespace causeway
