// FaultyDisk: while one exists, files that SQLite opens go through it, and it makes their writes
// and flushes fail on command: a full disk and a dying one, at any point of a transaction. One at a
// time.
#pragma once

#include <cstdint>

namespace causeway::test {

class FaultyDisk {
public:
    FaultyDisk();
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;
    ~FaultyDisk();

    /// Every write after the next `writes` fails for want of space, until heal().
    void fill_after(std::int64_t writes);
    /// Every flush after the next `flushes` fails, until heal().
    void fail_flushes_after(std::int64_t flushes);
    /// Every flush of a database file fails, and none of its log, until heal().
    void fail_flushes_of_databases();
    void heal();
    /// Operations that failed since the last heal().
    [[nodiscard]] std::int64_t failed() const;
};

}  // namespace causeway::test
