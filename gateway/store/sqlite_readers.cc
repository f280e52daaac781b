#include "gateway/store/sqlite_readers.h"

#include <pthread.h>

#include <utility>

namespace causeway {
namespace {

// The body of a log's row, or that of the archived message for which it stands.
#define WHOLE_BODY                                                                             \
    "CASE length(logs.body) WHEN 0 THEN (SELECT a.body FROM archive AS a"                      \
    " JOIN archive_owners AS o ON o.id = a.owner WHERE a.id = logs.id AND o.jid = logs.owner)" \
    " ELSE logs.body END"

// In the order of SqliteReader::Statement. ?1 is always the store.
constexpr std::array statement_texts{
    std::string_view{"SELECT id FROM stores WHERE name = ?1"},
    std::string_view{"SELECT value FROM maps WHERE store = ?1 AND owner = ?2 AND key = ?3"},
    std::string_view{"SELECT owner, key, value FROM maps WHERE store = ?1 AND owner = ?2"
                     " ORDER BY key"},
    std::string_view{"SELECT owner, key, value FROM maps"
                     " WHERE store = ?1 AND (owner, key) > (?2, ?3) ORDER BY owner, key LIMIT ?4"},
    std::string_view{"SELECT owner, key, value FROM maps WHERE store = ?1 AND key = ?2"
                     " ORDER BY owner LIMIT ?3"},
    std::string_view{"SELECT id, at, expires, " WHOLE_BODY " FROM logs"
                     " WHERE store = ?1 AND owner = ?2 AND id > ?3 ORDER BY id LIMIT ?4"},
    std::string_view{"SELECT owner, count(*), sum(length(body)), min(at) FROM logs"
                     " WHERE store = ?1 GROUP BY owner ORDER BY owner LIMIT ?2"},
    std::string_view{"SELECT id, at, expires, " WHOLE_BODY ", owner FROM logs"
                     " WHERE store = ?1 AND expires > 0 AND expires <= ?2"
                     " ORDER BY expires, owner, id LIMIT ?3"},
};

MapEntry read_entry(const SqliteStatement& row) {
    return {std::string(row.bytes(0)), std::string(row.bytes(1)), std::string(row.bytes(2))};
}

LogRow read_row(const SqliteStatement& row) {
    return {static_cast<std::uint64_t>(row.integer(0)), row.integer(1), row.integer(2),
            std::string(row.bytes(3))};
}

}  // namespace

Result<std::unique_ptr<SqliteReader>> SqliteReader::open(const std::string& path,
                                                         const StoreLimits& limits) {
    static_assert(statement_texts.size() == static_cast<std::size_t>(Statement::count));
    Result<SqliteDatabase> database =
        SqliteDatabase::open(path, SqliteDatabase::Access::read_only, limits);
    if (!database) return database.error();
    std::unique_ptr<SqliteReader> reader(new SqliteReader(std::move(*database)));
    Outcome outcome = reader->database_.prepare(statement_texts, reader->statements_);
    if (outcome) outcome = reader->archive_.prepare();
    if (!outcome) return outcome;
    return reader;
}

Result<std::optional<std::int64_t>> SqliteReader::store_number(const std::string& name) {
    if (const auto known = store_numbers_.find(name); known != store_numbers_.end()) {
        return std::optional(known->second);
    }
    SqliteStatement& find = statements_[static_cast<std::size_t>(Statement::find_store)];
    const StatementRun run(find);
    switch (find.bind_text(1, name).step()) {
        case Step::row:
            return std::optional(store_numbers_.emplace(name, find.integer(0)).first->second);
        case Step::done: return std::optional<std::int64_t>{};
        case Step::failed: break;
    }
    return database_.failure("the store cannot be read");
}

template <class T, class Bind, class Read>
Result<std::vector<T>> SqliteReader::collect(Statement which, const std::string& store, Bind bind,
                                             Read read) {
    const Result<std::optional<std::int64_t>> number = store_number(store);
    if (!number) return number.error();
    std::vector<T> rows;
    if (!number->has_value()) return rows;
    SqliteStatement& statement = statements_[static_cast<std::size_t>(which)];
    const StatementRun run(statement);
    bind(statement.bind_integer(1, **number));
    for (;;) {
        switch (statement.step()) {
            case Step::row: rows.push_back(read(statement)); break;
            case Step::done: return rows;
            case Step::failed: return database_.failure("the store cannot be read");
        }
    }
}

Result<std::optional<std::string>> SqliteReader::map_get(const std::string& store,
                                                         const std::string& owner,
                                                         const std::string& key) {
    Result<std::vector<std::string>> values = collect<std::string>(
        Statement::map_get, store,
        [&](SqliteStatement& statement) { statement.bind_text(2, owner).bind_text(3, key); },
        [](const SqliteStatement& row) { return std::string(row.bytes(0)); });
    if (!values) return values.error();
    if (values->empty()) return std::optional<std::string>{};
    return std::optional(std::move(values->front()));
}

Result<std::vector<MapEntry>> SqliteReader::map_list(const std::string& store,
                                                     const std::string& owner) {
    return collect<MapEntry>(
        Statement::map_list, store,
        [&](SqliteStatement& statement) { statement.bind_text(2, owner); }, read_entry);
}

Result<std::vector<MapEntry>> SqliteReader::map_scan(const std::string& store,
                                                     const std::string& after_owner,
                                                     const std::string& after_key,
                                                     std::size_t limit) {
    return collect<MapEntry>(
        Statement::map_scan, store,
        [&](SqliteStatement& statement) {
            statement.bind_text(2, after_owner).bind_text(3, after_key);
            statement.bind_integer(4, sqlite_integer(limit));
        },
        read_entry);
}

Result<std::vector<MapEntry>> SqliteReader::map_holders(const std::string& store,
                                                        const std::string& key, std::size_t limit) {
    return collect<MapEntry>(
        Statement::map_holders, store,
        [&](SqliteStatement& statement) {
            statement.bind_text(2, key).bind_integer(3, sqlite_integer(limit));
        },
        read_entry);
}

Result<std::vector<LogRow>> SqliteReader::log_list(const std::string& store,
                                                   const std::string& owner, std::uint64_t after,
                                                   std::size_t limit) {
    return collect<LogRow>(
        Statement::log_list, store,
        [&](SqliteStatement& statement) {
            statement.bind_text(2, owner).bind_integer(3, sqlite_integer(after));
            statement.bind_integer(4, sqlite_integer(limit));
        },
        read_row);
}

Result<std::vector<LogTotals>> SqliteReader::log_totals(const std::string& store,
                                                        std::size_t limit) {
    return collect<LogTotals>(
        Statement::log_totals, store,
        [&](SqliteStatement& statement) { statement.bind_integer(2, sqlite_integer(limit)); },
        [](const SqliteStatement& row) -> LogTotals {
            return {std::string(row.bytes(0)), static_cast<std::uint64_t>(row.integer(1)),
                    static_cast<std::uint64_t>(row.integer(2)), row.integer(3)};
        });
}

Result<std::vector<std::pair<std::string, LogRow>>> SqliteReader::log_expired(
    const std::string& store, UnixMillis now, std::size_t limit) {
    return collect<std::pair<std::string, LogRow>>(
        Statement::log_expired, store,
        [&](SqliteStatement& statement) {
            statement.bind_integer(2, now).bind_integer(3, sqlite_integer(limit));
        },
        [](const SqliteStatement& row) {
            return std::pair(std::string(row.bytes(4)), read_row(row));
        });
}

SqliteReaders::SqliteReaders(std::array<std::unique_ptr<SqliteReader>, count> readers,
                             const StoreLimits& limits)
    : queue_limit_(limits.queued_reads), readers_(std::move(readers)) {}

SqliteReaders::~SqliteReaders() { stop(); }

Result<std::unique_ptr<SqliteReaders>> SqliteReaders::start(const std::string& path,
                                                            const StoreLimits& limits) {
    std::array<std::unique_ptr<SqliteReader>, count> opened;
    for (std::unique_ptr<SqliteReader>& one : opened) {
        Result<std::unique_ptr<SqliteReader>> reader = SqliteReader::open(path, limits);
        if (!reader) return reader.error();
        one = std::move(*reader);
    }
    std::unique_ptr<SqliteReaders> readers(new SqliteReaders(std::move(opened), limits));
    for (std::size_t i = 0; i < count; ++i) {
        readers->threads_[i] = std::thread([raw = readers.get(), i] { raw->run(i); });
        pthread_setname_np(readers->threads_[i].native_handle(), "store-reader");
    }
    return readers;
}

bool SqliteReaders::ask(Kind kind, Question question) {
    const std::lock_guard lock(mutex_);
    std::deque<Question>& queue = kind == Kind::of_owner ? of_owner_ : of_store_;
    if (stopping_ || queue.size() >= queue_limit_) return false;
    queue.push_back(std::move(question));
    wake_one(kind);
    return true;
}

/// Wakes the thread that will take a new question, unless all that may take it are at work.
void SqliteReaders::wake_one(Kind kind) {
    const std::size_t first = kind == Kind::of_store ? 1 : 0;
    for (std::size_t i = first; i < count; ++i) {
        if (!std::exchange(idle_[i], false)) continue;
        wake_[i].notify_one();
        return;
    }
}

void SqliteReaders::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (std::condition_variable& one : wake_) one.notify_one();
    }
    for (std::thread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

std::deque<SqliteReaders::Question>* SqliteReaders::choose(std::size_t index) {
    if (index == 0) return of_owner_.empty() ? nullptr : &of_owner_;
    if (!of_store_.empty()) return &of_store_;
    return of_owner_.empty() ? nullptr : &of_owner_;
}

void SqliteReaders::run(std::size_t index) {
    std::unique_lock lock(mutex_);
    for (;;) {
        std::deque<Question>* queue = choose(index);
        if (queue == nullptr) {
            if (stopping_) return;
            idle_[index] = true;
            wake_[index].wait(lock);
            continue;
        }
        const Question question = std::move(queue->front());
        queue->pop_front();
        lock.unlock();
        question(*readers_[index]);
        lock.lock();
    }
}

}  // namespace causeway
