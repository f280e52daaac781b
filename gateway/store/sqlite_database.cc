#include "gateway/store/sqlite_database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace causeway {
namespace {

// The size to which the write-ahead log is cut after it grew beyond that (behind a long read, say).
constexpr int log_size_kept = 32 << 20;
constexpr int page_size = 4096;
constexpr int instructions_between_questions = 100'000;
// Negative: in KiB, as SQLite takes it.
constexpr int write_cache = -16384;
constexpr int read_cache = -4096;

/// Closes a descriptor when its scope ends.
class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    [[nodiscard]] int get() const { return value_; }

private:
    int value_;
};

std::string system_error_text() { return std::generic_category().message(errno); }

Cause cause_of(int primary_code) {
    switch (primary_code) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
        case SQLITE_INTERRUPT:
        case SQLITE_IOERR:
        case SQLITE_FULL:
        case SQLITE_CANTOPEN:
        case SQLITE_PROTOCOL: return Cause::retry;
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_TOOBIG: return Cause::policy;
        default: return Cause::refused;
    }
}

/// What the administrator can do about it, where that is not plain from SQLite's own words.
std::string_view advice_for(int primary_code) {
    switch (primary_code) {
        case SQLITE_NOTADB: return "; if it never was a store, set store.url to another path";
        case SQLITE_CORRUPT: return "; it is damaged, and a backup can be put in its place";
        default: return {};
    }
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

SqliteStatement& SqliteStatement::bind_text(int index, std::string_view text) {
    const int code = sqlite3_bind_text64(statement_.get(), index, text.empty() ? "" : text.data(),
                                         text.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (code != SQLITE_OK) bind_failure_ = code;
    return *this;
}

SqliteStatement& SqliteStatement::bind_blob(int index, std::string_view bytes) {
    // An empty view may have no address, which would bind NULL.
    const int code = sqlite3_bind_blob64(statement_.get(), index, bytes.empty() ? "" : bytes.data(),
                                         bytes.size(), SQLITE_STATIC);
    if (code != SQLITE_OK) bind_failure_ = code;
    return *this;
}

SqliteStatement& SqliteStatement::bind_integer(int index, std::int64_t value) {
    const int code = sqlite3_bind_int64(statement_.get(), index, value);
    if (code != SQLITE_OK) bind_failure_ = code;
    return *this;
}

Step SqliteStatement::step() {
    if (bind_failure_ != SQLITE_OK) return Step::failed;
    switch (sqlite3_step(statement_.get())) {
        case SQLITE_ROW: return Step::row;
        case SQLITE_DONE: return Step::done;
        default: return Step::failed;
    }
}

std::string_view SqliteStatement::bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    if (data == nullptr || size <= 0) return {};
    return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::int64_t SqliteStatement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

void SqliteStatement::reset() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
    bind_failure_ = SQLITE_OK;
}

void SqliteDatabase::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

namespace {

/// What SQLite counts of its memory costs a lock with each allocation, and nobody asks for it. Can
/// be said only before its first use.
void count_no_memory() {
    static const int said = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(said);
}

}  // namespace

Result<SqliteDatabase> SqliteDatabase::open(const std::string& path, Access access,
                                            const StoreLimits& limits) {
    count_no_memory();
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    SqliteDatabase database(raw);
    if (code != SQLITE_OK) {
        return raw == nullptr ? Outcome::retry("no memory for a database connection")
                              : database.failure(fmt::format("cannot open {}", path));
    }
    if (Outcome outcome = database.configure(access, limits); !outcome) return outcome;
    return database;
}

Result<SqliteDatabase> SqliteDatabase::open_immutable(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') {
            uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        } else {
            uri += c;
        }
    }
    sqlite3* raw = nullptr;
    const int flags =
        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2((uri + "?immutable=1").c_str(), &raw, flags, nullptr);
    SqliteDatabase database(raw);
    if (code == SQLITE_OK) return database;
    return raw == nullptr ? Outcome::retry("no memory for a database connection")
                          : database.failure("cannot be opened");
}

Outcome SqliteDatabase::configure(Access access, const StoreLimits& limits) {
    sqlite3_busy_timeout(connection_.get(), static_cast<int>(limits.lock_wait.count()));
    sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    const bool writes = access == Access::write;
    return execute(fmt::format(
        "PRAGMA cache_size={}; PRAGMA temp_store=MEMORY;"
        "PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON; {}",
        writes ? write_cache : read_cache,
        writes ? fmt::format("PRAGMA page_size={};", page_size) : "PRAGMA query_only=ON;"));
}

Outcome SqliteDatabase::use_write_ahead_log(const StoreLimits& limits) {
    std::string settings = fmt::format(
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit={};",
        log_size_kept);
    if (limits.pages != 0) settings += fmt::format("PRAGMA max_page_count={};", limits.pages);
    if (Outcome outcome = execute(settings); !outcome) return outcome;
    log_pages_ = std::make_unique<int>(0);
    const auto committed = [](void* pages, sqlite3*, const char*, int in_log) {
        *static_cast<int*>(pages) = in_log;
        return SQLITE_OK;
    };
    sqlite3_wal_hook(connection_.get(), committed, log_pages_.get());
    return {};
}

Result<SqliteLog> SqliteDatabase::copy_log() {
    int pages = 0;
    int copied = 0;
    const int code = sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_PASSIVE,
                                               &pages, &copied);
    if (code != SQLITE_OK) return failure("the store's log cannot be copied into its file");
    return SqliteLog{pages, copied};
}

Outcome SqliteDatabase::flush_file() {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (file == nullptr || file->pMethods == nullptr) return {};
    if (file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) == SQLITE_OK) return {};
    return Outcome::retry("the store's file cannot be flushed: " + system_error_text());
}

void SqliteDatabase::leave_log() {
    sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Outcome SqliteDatabase::execute(const std::string& sql) {
    if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failure("the database refused a statement");
    }
    return {};
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    SqliteStatement statement(raw);
    if (code != SQLITE_OK) return failure("the database cannot prepare a statement");
    return statement;
}

Outcome SqliteDatabase::prepare(std::span<const std::string_view> texts,
                                std::span<SqliteStatement> statements) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
        Result<SqliteStatement> statement = prepare(texts[i]);
        if (!statement) return statement.error();
        statements[i] = std::move(*statement);
    }
    return {};
}

Result<std::int64_t> SqliteDatabase::integer(std::string_view sql) {
    Result<SqliteStatement> statement = prepare(sql);
    if (!statement) return statement.error();
    switch (statement->step()) {
        case Step::row: return statement->integer(0);
        case Step::done: return std::int64_t{0};
        case Step::failed: break;
    }
    return failure("the database cannot be read");
}

bool SqliteDatabase::moved() const {
    int moved = 0;
    const int code =
        sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return code == SQLITE_OK && moved != 0;
}

void SqliteDatabase::ask_meanwhile(std::function<bool()> goes_on) {
    goes_on_ = std::make_unique<std::function<bool()>>(std::move(goes_on));
    const auto asked = [](void* function) {
        return (*static_cast<std::function<bool()>*>(function))() ? 0 : 1;
    };
    sqlite3_progress_handler(connection_.get(), instructions_between_questions, asked,
                             goes_on_.get());
}

bool SqliteDatabase::in_transaction() const {
    return sqlite3_get_autocommit(connection_.get()) == 0;
}

std::int64_t SqliteDatabase::last_insert_id() const {
    return sqlite3_last_insert_rowid(connection_.get());
}

Outcome SqliteDatabase::failure(std::string_view doing) const {
    const int code = sqlite3_errcode(connection_.get()) & 0xff;
    return {cause_of(code),
            fmt::format("{}: {}{}", doing, sqlite3_errmsg(connection_.get()), advice_for(code))};
}

SqliteCopy::SqliteCopy(SqliteDatabase& source, SqliteDatabase& destination)
    : copy_(sqlite3_backup_init(destination.connection_.get(), "main", source.connection_.get(),
                                "main")) {}

void SqliteCopy::Finish::operator()(sqlite3_backup* copy) const { sqlite3_backup_finish(copy); }

Step SqliteCopy::step(int pages) {
    if (copy_ == nullptr) return Step::failed;
    switch (sqlite3_backup_step(copy_.get(), pages)) {
        case SQLITE_OK: return Step::row;
        case SQLITE_DONE: return Step::done;
        default: break;
    }
    // It tells its failure to the destination only at its end.
    copy_.reset();
    return Step::failed;
}

int SqliteCopy::remaining() const {
    return copy_ == nullptr ? 0 : sqlite3_backup_remaining(copy_.get());
}

int SqliteCopy::total() const {
    return copy_ == nullptr ? 0 : sqlite3_backup_pagecount(copy_.get());
}

std::string behind_links(const std::string& path) {
    std::error_code failed;
    const std::filesystem::path file = std::filesystem::canonical(path, failed);
    return failed ? path : file.string();
}

Outcome create_database_file(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct stat status {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
        return Outcome::refused(fmt::format(
            "cannot open {}: {}; the user that runs causeway must be able to write this file and "
            "its directory (store.url)",
            path, system_error_text()));
    }
    if (!S_ISREG(status.st_mode)) {
        return Outcome::refused(fmt::format("{} is not a regular file", path));
    }
    if ((status.st_mode & 0077U) != 0 && ::fchmod(file.get(), 0600) != 0) {
        return Outcome::refused(fmt::format(
            "others may read {}, and its mode cannot be changed: {}", path, system_error_text()));
    }
    std::filesystem::path folder = std::filesystem::path(behind_links(path)).parent_path();
    if (folder.empty()) folder = ".";
    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
        return Outcome::refused(
            fmt::format("cannot make {} durable: {}", folder.string(), system_error_text()));
    }
    return {};
}

Outcome check_log_of(const std::string& name) {
    const std::string path = behind_links(name);
    const std::string log = path + "-wal";
    struct stat status {};
    if (::stat(log.c_str(), &status) != 0 || status.st_size == 0) return {};
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about {};
    const bool gone =
        file.get() < 0 ? errno == ENOENT : ::fstat(file.get(), &about) == 0 && about.st_size == 0;
    if (gone) {
        return Outcome::refused(
            fmt::format("{0} is gone or empty, and its log {1} is not; put the file back, or a "
                        "backup in its place and remove {1} and {0}-shm; without {1} the server "
                        "starts with an empty store",
                        path, log));
    }
    std::array<char, 2> versions{};
    if (file.get() < 0 || ::pread(file.get(), versions.data(), versions.size(), file_versions_at) !=
                              ssize_t{versions.size()}) {
        return {};  // what is wrong with it shows when it is opened
    }
    if (versions != version_without_log) return {};
    return Outcome::refused(
        fmt::format("{0} is a backup, and {1} belongs to the store in whose place it was put; "
                    "remove {1} and {0}-shm, then start again",
                    path, log));
}

}  // namespace causeway
