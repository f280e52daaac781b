// See sqlite_check.h. SQLite reads the file as immutable: it takes no lock and makes no file beside
// it, and it sees what the write-ahead log has already given to the file itself.
#include "gateway/store/sqlite_check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "gateway/store/sqlite_database.h"
#include "gateway/store/sqlite_migrate.h"

namespace causeway {
namespace {

Outcome not_usable(const std::string& path) {
    return Outcome::refused(fmt::format(
        "cannot open {}: {}; the user that runs causeway must be able to write this file and its "
        "directory (store.url)",
        path, std::generic_category().message(errno)));
}

Result<std::string> check_absent(const std::string& path) {
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) {
        return Outcome::refused(fmt::format(
            "cannot open {}: {}; make this directory, writable for the user that runs causeway, "
            "or set store.url to another path",
            folder.string(), std::generic_category().message(errno)));
    }
    if (!S_ISDIR(status.st_mode)) {
        return Outcome::refused(fmt::format("{} is not a folder", folder.string()));
    }
    if (::access(folder.c_str(), W_OK | X_OK) != 0) return not_usable(path);
    return std::string("will be created");
}

Outcome named(const std::string& path, const Outcome& outcome) {
    return {outcome.cause(), fmt::format("{}: {}", path, outcome.why())};
}

bool stands_beside(const std::string& path, std::string_view end) {
    struct stat status {};
    const std::string beside = behind_links(path).append(end);
    return ::stat(beside.c_str(), &status) == 0 && status.st_size > 0;
}

/// Whether there is a log whose content the file lacks.
bool has_log(const std::string& path) { return stands_beside(path, "-wal"); }

/// Whether it was killed while its schema was changed, which stands in part in the file: SQLite
/// takes that back when it opens the file.
bool is_half_changed(const std::string& path) { return stands_beside(path, "-journal"); }

}  // namespace

Result<std::string> check_sqlite(const std::string& path, std::span<const Migration> migrations) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno != ENOENT) return not_usable(path);
        if (Outcome outcome = check_log_of(path); !outcome) return outcome;
        return check_absent(path);
    }
    if (!S_ISREG(status.st_mode)) {
        return Outcome::refused(fmt::format("{} is not a regular file", path));
    }
    if (::access(path.c_str(), R_OK | W_OK) != 0) return not_usable(path);
    if (Outcome outcome = check_log_of(path); !outcome) return outcome;
    if (is_half_changed(path)) {
        return std::string("is there, in the middle of a change, which a start takes back first");
    }
    if (status.st_size == 0) return std::string("is empty, will be set up");
    Result<SqliteDatabase> database = SqliteDatabase::open_immutable(path);
    if (!database) return named(path, database.error());
    const Result<std::int64_t> steps = schema_of(*database);
    if (!steps) return named(path, steps.error());
    if (*steps == no_schema) {
        return std::string(has_log(path) ? "is there, all of it in its log"
                                         : "is empty, will be set up");
    }
    const auto known = static_cast<std::int64_t>(migrations.size());
    if (*steps > known) return named(path, newer_schema(*steps, known));
    if (*steps == known) return fmt::format("is there, schema {}", *steps);
    if (has_log(path)) return fmt::format("is there, schema {} or newer", *steps);
    return fmt::format("is there, will be brought from schema {} to {}", *steps, known);
}

}  // namespace causeway
