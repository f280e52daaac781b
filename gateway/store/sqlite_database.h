// A connection to SQLite and its prepared statements, as owners that close themselves. The only
// part of the store that knows SQLite's own interface. A connection and its statements belong to
// one thread at a time; a statement must not outlive its connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/store/limits.h"

struct sqlite3;
struct sqlite3_backup;
struct sqlite3_stmt;

namespace causeway {

/// As SQLite holds it: what is beyond 63 bits becomes the highest.
constexpr std::int64_t sqlite_integer(std::uint64_t value) {
    constexpr auto highest = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::min(value, static_cast<std::uint64_t>(highest)));
}

/// What one step of a statement came to.
enum class Step : unsigned char { row, done, failed };

class SqliteStatement {
public:
    SqliteStatement() = default;

    /// Binds parameter `index` (from 1). Text and blobs are borrowed until reset(). A bind that
    /// fails makes the next step() fail.
    SqliteStatement& bind_text(int index, std::string_view text);
    SqliteStatement& bind_blob(int index, std::string_view bytes);
    SqliteStatement& bind_integer(int index, std::int64_t value);

    Step step();

    /// Columns count from 0 and hold until the next step or reset.
    [[nodiscard]] std::string_view bytes(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;

    /// Ends the run and forgets the parameters.
    void reset();

private:
    friend class SqliteDatabase;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int bind_failure_ = 0;
};

/// Resets a cached statement when its run ends, however it ends.
class StatementRun {
public:
    explicit StatementRun(SqliteStatement& statement) : statement_(statement) {}
    StatementRun(const StatementRun&) = delete;
    StatementRun& operator=(const StatementRun&) = delete;
    ~StatementRun() { statement_.reset(); }

private:
    SqliteStatement& statement_;
};

/// A write-ahead log: its pages, and how many of them, from its beginning, stand in the file too.
struct SqliteLog {
    std::int64_t pages = 0, copied = 0;
};

class SqliteDatabase {
public:
    enum class Access : unsigned char { write, read_only };

    /// Opens the file, which must exist (see create_database_file), with full durability and
    /// bounded caches. Changes nothing in it.
    static Result<SqliteDatabase> open(const std::string& path, Access access,
                                       const StoreLimits& limits);

    /// Opens the file to look at it as it is: no lock, no file beside it, nothing changed, and no
    /// notice taken of its log. What another process writes meanwhile may make a question fail.
    static Result<SqliteDatabase> open_immutable(const std::string& path);

    /// Makes the file keep a write-ahead log, which is cut to a bounded size when it begins anew.
    /// It is copied back into the file when copy_log() says so, or the last connection closes.
    Outcome use_write_ahead_log(const StoreLimits& limits);
    /// Pages of the log behind the latest commit of this connection, which called the former.
    [[nodiscard]] std::int64_t log_pages() const { return log_pages_ ? *log_pages_ : 0; }
    /// Copies as much of the log into the file as no reader of an older state needs. Others go on
    /// reading and writing. The file is flushed only if that was all of the log.
    Result<SqliteLog> copy_log();
    /// Flushes the file, without its log.
    Outcome flush_file();
    /// The log is not copied when this connection closes, and its file stays.
    void leave_log();

    /// Runs statements that return nothing.
    Outcome execute(const std::string& sql);
    Result<SqliteStatement> prepare(std::string_view sql);
    /// Prepares a table of statements, each in its place; as many as there are texts.
    Outcome prepare(std::span<const std::string_view> texts, std::span<SqliteStatement> statements);
    /// The first column of the first row, or 0 when there is none.
    Result<std::int64_t> integer(std::string_view sql);

    /// The file is no longer at its path: it was removed or replaced, and what is written to it now
    /// would be gone with this process.
    [[nodiscard]] bool moved() const;
    /// Asks `goes_on` every now and then while a statement runs; a statement that is not to go on
    /// fails. Not within the check of one tree.
    void ask_meanwhile(std::function<bool()> goes_on);
    /// False once SQLite has rolled a transaction back by itself, as it may on a full disk.
    [[nodiscard]] bool in_transaction() const;
    [[nodiscard]] std::int64_t last_insert_id() const;
    /// The last failure as an Outcome: Cause::retry for what may pass (disk full, locked, out of
    /// memory, input/output), Cause::policy where the request is at fault (a row that exists),
    /// Cause::refused for the rest (a damaged file).
    [[nodiscard]] Outcome failure(std::string_view doing) const;

private:
    friend class SqliteCopy;
    struct Close {
        void operator()(sqlite3* connection) const;
    };
    explicit SqliteDatabase(sqlite3* connection) : connection_(connection) {}
    Outcome configure(Access access, const StoreLimits& limits);

    std::unique_ptr<std::function<bool()>> goes_on_;  ///< SQLite has its address
    std::unique_ptr<int> log_pages_;                  ///< likewise
    std::unique_ptr<sqlite3, Close> connection_;
};

/// Copies all pages of one database into another, in steps. Both are borrowed.
class SqliteCopy {
public:
    SqliteCopy(SqliteDatabase& source, SqliteDatabase& destination);

    /// Copies up to `pages` more. A failure stands in the destination.
    Step step(int pages);
    /// Pages, as of the latest step.
    [[nodiscard]] int remaining() const;
    [[nodiscard]] int total() const;

private:
    struct Finish {
        void operator()(sqlite3_backup* copy) const;
    };
    std::unique_ptr<sqlite3_backup, Finish> copy_;
};

/// The file to which symbolic links lead, if it is there: SQLite keeps the log beside that.
std::string behind_links(const std::string& path);

/// Creates the file with mode 0600 and makes its name durable, or narrows the mode of the file that
/// is there; SQLite gives the same mode to its log and index beside it.
Outcome create_database_file(const std::string& path);

/// Where a database file says how it is written and read, and what stands there if it has no log.
inline constexpr int file_versions_at = 18;
inline constexpr std::array<char, 2> version_without_log{1, 1};

/// Refuses a database beside which stands the log of another: a backup that was put in the place of
/// one, whose log was left there. SQLite would write that into it and destroy it. Likewise one that
/// is gone or empty: SQLite would erase the log.
Outcome check_log_of(const std::string& name);

}  // namespace causeway
