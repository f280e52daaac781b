// See sqlite_backup.h. SQLite copies pages in steps. It starts again whenever another connection
// has written in between, unless the source stays in one transaction: the copy is of its state,
// and the log keeps what comes after until the copy is done.
#include "gateway/store/sqlite_backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "gateway/store/sqlite_database.h"
#include "gateway/store/sqlite_inspect.h"
#include "gateway/store/store.h"

namespace causeway {
namespace {

constexpr int pages_in_step = 256;
// What is written goes to the disk this often, so that the writer's own flushes do not wait for all
// of it.
constexpr int steps_between_flushes = 16;

std::string reason() { return std::generic_category().message(errno); }

Outcome cannot_write(const std::string& path) {
    return Outcome::refused(fmt::format(
        "cannot write {}: {}; the server writes it, so choose a folder in which the user that "
        "runs it may write, such as that of the store",
        path, reason()));
}

/// The file while it is written: gone at the end, unless it got its name.
class PartialFile {
public:
    explicit PartialFile(const std::string& path)
        : path_(path), partial_(path + ".XXXXXX"), descriptor_(::mkstemp(partial_.data())) {}
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;
    ~PartialFile() {
        if (descriptor_ < 0) return;
        if (!named_) ::unlink(partial_.c_str());
        ::close(descriptor_);
    }

    [[nodiscard]] bool open() const { return descriptor_ >= 0; }
    [[nodiscard]] const std::string& name() const { return partial_; }
    [[nodiscard]] bool flush() const { return ::fdatasync(descriptor_) == 0; }
    [[nodiscard]] Outcome room_for(std::uint64_t bytes) const {
        struct statvfs disk {};
        if (::fstatvfs(descriptor_, &disk) != 0) return {};
        const std::uint64_t room = std::uint64_t{disk.f_bavail} * disk.f_frsize;
        if (room >= bytes) return {};
        return Outcome::refused(
            fmt::format("the backup needs {} bytes, and there are {} at {}", bytes, room, path_));
    }
    /// The copy says that it has no log beside it, until a server opens it: one that was left where
    /// it is put is not its own.
    [[nodiscard]] bool has_no_log() const {
        return ::pwrite(descriptor_, version_without_log.data(), version_without_log.size(),
                        file_versions_at) == ssize_t{version_without_log.size()};
    }
    /// Durable under its own name, unless something stands there.
    Outcome give_name() {
        if (::fsync(descriptor_) != 0) return Outcome::retry(path_ + ": " + reason());
        if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) !=
                0 &&
            (errno != EINVAL || ::rename(partial_.c_str(), path_.c_str()) != 0)) {
            return cannot_write(path_);
        }
        named_ = true;
        const std::string folder = std::filesystem::path(path_).parent_path().string();
        const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const bool durable = directory >= 0 && ::fsync(directory) == 0;
        if (directory >= 0) ::close(directory);
        return durable ? Outcome{}
                       : Outcome::retry(fmt::format("{} is written, but its name may not outlive "
                                                    "a crash: {}",
                                                    path_, reason()));
    }

private:
    const std::string path_;
    std::string partial_;
    const int descriptor_;
    bool named_ = false;
};

Outcome check_path(const std::string& path) {
    if (path.empty() || path.front() != '/') {
        return Outcome::malformed(fmt::format(
            "{}: the path must be absolute, for the server has a folder of its own", path));
    }
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0) {
        return Outcome::refused(fmt::format(
            "{} exists: a backup replaces nothing; remove it or choose another name", path));
    }
    return {};
}

/// Opens the source, in a transaction that holds its state.
Result<SqliteDatabase> open_state(const std::string& path, const StoreLimits& limits) {
    auto source = SqliteDatabase::open(path, SqliteDatabase::Access::read_only, limits);
    if (!source) return source;
    if (Outcome begun = source->execute("BEGIN"); !begun) return begun;
    // The state is that of the first question.
    const auto read = source->integer("SELECT count(*) FROM migrations");
    if (!read) return read.error();
    return source;
}

Outcome copy(SqliteDatabase& source, SqliteDatabase& destination, const PartialFile& file,
             std::int64_t page_bytes, SqliteJobContext& context) {
    SqliteCopy pages(source, destination);
    for (int step = 1;; ++step) {
        if (context.cancelled()) return SqliteJobContext::cancellation();
        const Step made = pages.step(pages_in_step);
        if (made == Step::failed) return destination.failure("the backup cannot be written");
        if (made == Step::done) return {};
        if (step % steps_between_flushes == 0 && !file.flush()) {
            return Outcome::retry("the backup cannot be written: " + reason());
        }
        const auto bytes = [&](int count) {
            return static_cast<std::uint64_t>(count * page_bytes);
        };
        context.tell({bytes(pages.total() - pages.remaining()), bytes(pages.total())});
    }
}

/// In the copy, which has no log. What goes wrong leaves no file, so nothing has to be undone in
/// it.
Outcome leave_out_what_passes(SqliteDatabase& copied) {
    return copied.execute(
        fmt::format("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                    " DELETE FROM maps WHERE store = (SELECT id FROM stores WHERE name = '{}')",
                    Store::of_the_moment));
}

/// What is wrong with the copy, as with the store. A damaged one stays as it is: it may be the best
/// that there is, and a change could spoil more of it.
Result<std::string> finish(const std::string& path, const StoreLimits& limits,
                           SqliteJobContext& context) {
    auto copied = SqliteDatabase::open(path, SqliteDatabase::Access::write, limits);
    if (!copied) {
        if (copied.error().cause() != Cause::refused) return copied.error();
        return copied.error().why();
    }
    auto damage = find_damage(*copied, context);
    if (!damage || !damage->empty()) return damage;
    if (Outcome left = leave_out_what_passes(*copied); !left) return left;
    return damage;
}

}  // namespace

Result<StoreBackup> back_up_sqlite(const std::string& from, const std::string& to,
                                   const StoreLimits& limits, SqliteJobContext& context) {
    if (Outcome usable = check_path(to); !usable) return usable;
    auto source = open_state(from, limits);
    if (!source) return source.error();
    const auto page_bytes = source->integer("PRAGMA page_size");
    const auto pages = source->integer("PRAGMA page_count");
    if (!page_bytes || !pages) return (page_bytes ? pages : page_bytes).error();
    const auto bytes = static_cast<std::uint64_t>(*page_bytes * *pages);

    PartialFile file(to);
    if (!file.open()) return cannot_write(to);
    if (Outcome room = file.room_for(bytes); !room) return room;
    {
        auto destination = SqliteDatabase::open(file.name(), SqliteDatabase::Access::write, limits);
        if (!destination) return destination.error();
        // What goes wrong leaves no file, so nothing has to be undone in it.
        Outcome outcome = destination->execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        if (outcome) outcome = copy(*source, *destination, file, *page_bytes, context);
        if (!outcome) return outcome;
    }
    if (!file.has_no_log()) return Outcome::retry("the backup cannot be written: " + reason());
    auto damage = finish(file.name(), limits, context);
    if (!damage) return damage.error();
    if (Outcome named = file.give_name(); !named) return named;
    return StoreBackup{bytes, std::move(*damage)};
}

}  // namespace causeway
