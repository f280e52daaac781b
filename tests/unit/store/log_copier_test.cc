// The write-ahead log is copied back while the writer goes on, and stays short.
#include <doctest/doctest.h>

#include <filesystem>

#include "gateway/store/sqlite.h"
#include "gateway/store/sqlite_database.h"
#include "tests/unit/store/faulty_disk.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

constexpr std::uintmax_t page_and_its_header = 4096 + 24;
constexpr std::size_t body_bytes = 6'000;

struct ShortLog {
    ShortLog() {
        limits.log_pages = 40;
        limits.log_rest_pages = 8;
        limits.longest_log_pages = 160;
        open();
    }

    void open() {
        store.reset();
        auto opened = open_sqlite(path, limits, sqlite_migrations());
        REQUIRE(opened.ok());
        store = std::move(*opened);
    }

    Outcome add() {
        LogRow one = row(++latest);
        one.body.assign(body_bytes, 'x');
        return Caller(*store).commit(append("q", "a", one));
    }
    void add(int rows) {
        for (int i = 0; i < rows; ++i) REQUIRE(add().ok());
    }

    [[nodiscard]] std::size_t found() {
        const auto rows = Caller(*store).log_list("q", "a", 0, 1'000'000);
        REQUIRE(rows.ok());
        return rows->size();
    }
    /// With room for what is written while a pass meets a transaction under way.
    [[nodiscard]] std::uintmax_t longest() const {
        return 2 * static_cast<std::uintmax_t>(limits.longest_log_pages) * page_and_its_header;
    }
    [[nodiscard]] std::uintmax_t log_bytes() const {
        return std::filesystem::file_size(path + "-wal");
    }

    TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    StoreLimits limits;
    std::uint64_t latest = 0;
    std::unique_ptr<Store> store;
};

TEST_CASE("sqlite: the log begins anew however long the writer goes on") {
    ShortLog test;
    test.add(1'000);
    CHECK(test.log_bytes() <= test.longest());
    CHECK(test.found() == 1'000);
    test.open();
    CHECK(test.found() == 1'000);
}

TEST_CASE("sqlite: who reads an old state makes the log grow only until he ends") {
    ShortLog test;
    test.add(100);
    std::uintmax_t grown = 0;
    {
        auto reader =
            SqliteDatabase::open(test.path, SqliteDatabase::Access::read_only, test.limits);
        REQUIRE(reader.ok());
        REQUIRE(reader->execute("BEGIN").ok());
        const auto before = reader->integer("SELECT count(*) FROM logs");
        test.add(200);
        grown = test.log_bytes();
        CHECK(grown > test.longest());
        CHECK(*reader->integer("SELECT count(*) FROM logs") == *before);
    }
    test.add(1'000);
    CHECK(test.log_bytes() <= grown + test.longest());
    CHECK(test.found() == 1'300);
}

TEST_CASE("sqlite: a disk that fails while the log is copied loses nothing") {
    FaultyDisk disk;
    ShortLog test;
    std::uint64_t acknowledged = 0;
    std::int64_t failed = 0;
    for (int good = 0; good < 60; ++good) {
        if (good % 2 == 0) {
            disk.fail_flushes_after(good);
        } else {
            disk.fill_after(good * 3);
        }
        for (int i = 0; i < 40; ++i) acknowledged += test.add().ok();
        failed += disk.failed();
        disk.heal();
        REQUIRE(test.found() == acknowledged);
        if (good % 10 == 9) test.open();
    }
    CHECK(failed >= 60);
    test.open();  // the log may have stayed until now
    test.add(200);
    CHECK(test.log_bytes() <= test.longest());
    CHECK(test.found() == acknowledged + 200);
}

TEST_CASE(
    "sqlite: what was copied and could not be flushed stays in the log until the next start") {
    FaultyDisk disk;
    ShortLog test;
    std::uintmax_t before = 0;
    {
        // Behind a reader a part of the log alone can be copied.
        auto reader =
            SqliteDatabase::open(test.path, SqliteDatabase::Access::read_only, test.limits);
        REQUIRE(reader.ok());
        REQUIRE(reader->execute("BEGIN").ok());
        test.add(5);
        REQUIRE(reader->integer("SELECT count(*) FROM logs").ok());
        disk.fail_flushes_of_databases();
        for (int i = 0; i < 1'000 && disk.failed() == 0; ++i) test.add(1);
        REQUIRE(disk.failed() > 0);
        disk.heal();
        before = test.log_bytes();
    }
    test.add(1'000);
    CHECK(test.log_bytes() > before + 1'000 * page_and_its_header);
    const std::size_t all = test.found();
    test.store.reset();
    CHECK(test.log_bytes() > before + 1'000 * page_and_its_header);
    test.open();
    CHECK(test.found() == all);
    test.open();
    test.add(200);
    CHECK(test.log_bytes() <= test.longest());
    CHECK(test.found() == all + 200);
}

}  // namespace
}  // namespace causeway::test
