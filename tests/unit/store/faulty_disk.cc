#include "tests/unit/store/faulty_disk.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <mutex>

namespace causeway::test {
namespace {

constexpr auto no_end = std::numeric_limits<std::int64_t>::max();

// SQLite's interface knows functions only, so what they decide by is shared.
std::atomic<std::int64_t> writes_left{no_end};
std::atomic<std::int64_t> flushes_left{no_end};
std::atomic<bool> databases_flush{true};
std::atomic<std::int64_t> failures{0};

sqlite3_vfs* real_disk = nullptr;
sqlite3_vfs faulty_disk;

/// SQLite has a table of functions for each kind of file (database, log); each gets a faulty
/// double.
struct Kind {
    const sqlite3_io_methods* real = nullptr;
    sqlite3_io_methods faulty{};
};
std::array<Kind, 8> kinds;
std::mutex kinds_mutex;

const sqlite3_io_methods* real_of(const sqlite3_file* file) {
    const std::lock_guard lock(kinds_mutex);
    const auto at = std::find_if(kinds.begin(), kinds.end(),
                                 [&](const Kind& kind) { return &kind.faulty == file->pMethods; });
    return at->real;
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    if (writes_left.fetch_sub(1) <= 0) {
        ++failures;
        return SQLITE_FULL;
    }
    return real_of(file)->xWrite(file, bytes, size, offset);
}

int flush(sqlite3_file* file, int flags) {
    // What is no database has no memory that is shared.
    const bool refused = !databases_flush && real_of(file)->xShmMap != nullptr;
    if (refused || flushes_left.fetch_sub(1) <= 0) {
        ++failures;
        return SQLITE_IOERR_FSYNC;
    }
    return real_of(file)->xSync(file, flags);
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    const int code = real_disk->xOpen(real_disk, name, file, flags, out_flags);
    if (code != SQLITE_OK || file->pMethods == nullptr) return code;
    const std::lock_guard lock(kinds_mutex);
    for (Kind& kind : kinds) {
        if (kind.real == nullptr) {
            kind.real = file->pMethods;
            kind.faulty = *file->pMethods;
            kind.faulty.xWrite = write;
            kind.faulty.xSync = flush;
        }
        if (kind.real != file->pMethods) continue;
        file->pMethods = &kind.faulty;
        return SQLITE_OK;
    }
    return SQLITE_ERROR;
}

}  // namespace

FaultyDisk::FaultyDisk() {
    real_disk = sqlite3_vfs_find(nullptr);
    REQUIRE(real_disk != nullptr);
    faulty_disk = *real_disk;
    faulty_disk.zName = "faulty";
    faulty_disk.pNext = nullptr;
    faulty_disk.xOpen = open;
    REQUIRE(sqlite3_vfs_register(&faulty_disk, 1) == SQLITE_OK);
    heal();
}

FaultyDisk::~FaultyDisk() {
    sqlite3_vfs_unregister(&faulty_disk);
    sqlite3_vfs_register(real_disk, 1);
}

void FaultyDisk::fill_after(std::int64_t writes) { writes_left = writes; }

void FaultyDisk::fail_flushes_after(std::int64_t flushes) { flushes_left = flushes; }

void FaultyDisk::fail_flushes_of_databases() { databases_flush = false; }

void FaultyDisk::heal() {
    databases_flush = true;
    writes_left = no_end;
    flushes_left = no_end;
    failures = 0;
}

std::int64_t FaultyDisk::failed() const { return failures; }

}  // namespace causeway::test
