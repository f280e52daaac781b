#include "gateway/store/sqlite_check.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "gateway/store/sqlite.h"
#include "gateway/store/sqlite_database.h"
#include "tests/support/test_certificates.h"

using namespace causeway;
namespace fs = std::filesystem;

namespace {

std::string told(const std::string& path) {
    const auto checked = check_sqlite(path);
    return checked ? *checked : "no: " + checked.error().why();
}

void run(const std::string& path, const std::string& sql) {
    REQUIRE(create_database_file(path).ok());
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::write, {});
    REQUIRE(database.ok());
    REQUIRE(database->execute(sql).ok());
}

}  // namespace

TEST_CASE("a check of a store says what opening it would do") {
    const TestDirectory files;
    const std::string path = files.path_of("odd%41?name#.db");
    CHECK(told(path) == "will be created");
    files.write("odd%41?name#.db", "");
    CHECK(told(path) == "is empty, will be set up");
    (*open_sqlite(path))->stop();
    const std::size_t newest = sqlite_migrations().size();
    CHECK(told(path) == "is there, schema " + std::to_string(newest));
    std::vector<Migration> next(sqlite_migrations().begin(), sqlite_migrations().end());
    next.push_back({.number = static_cast<int>(newest) + 1, .name = "next", .sql = "SELECT 1"});
    CHECK(*check_sqlite(path, next) == "is there, will be brought from schema " +
                                           std::to_string(newest) + " to " +
                                           std::to_string(newest + 1));
    CHECK(check_sqlite(path, sqlite_migrations().first(newest - 1)).error().why().find("newer") !=
          std::string::npos);
    {
        // Also while it is in use.
        const auto open = open_sqlite(path);
        CHECK(told(path) == "is there, schema " + std::to_string(newest));
        (*open)->stop();
    }
}

TEST_CASE("a check of a store that was killed while it was set up") {
    const TestDirectory files;
    const std::string path = files.path_of("a.db");
    const std::string half = files.path_of("half.db");
    {
        REQUIRE(create_database_file(path).ok());
        auto database = SqliteDatabase::open(path, SqliteDatabase::Access::write, {});
        REQUIRE(database.ok());
        // More than the cache holds, so that a part stands in the file already.
        REQUIRE(database
                    ->execute("PRAGMA cache_size=5; BEGIN; CREATE TABLE t (x);"
                              " WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
                              " WHERE n < 200) INSERT INTO t SELECT zeroblob(3000) FROM c")
                    .ok());
        fs::copy_file(path, half);
        fs::copy_file(path + "-journal", half + "-journal");
    }
    REQUIRE(fs::file_size(half) > 0);
    CHECK(told(half) == "is there, in the middle of a change, which a start takes back first");
    CHECK(open_sqlite(half).ok());
    CHECK(told(half) == "is there, schema " + std::to_string(sqlite_migrations().size()));
}

TEST_CASE("a check of a store refuses what cannot become one") {
    const TestDirectory files;
    CHECK(told(files.path_of("")).find("is not a regular file") != std::string::npos);
    CHECK(told(files.path_of("none/causeway.db")).find("No such file") != std::string::npos);
    const std::string other = files.path_of("other.db");
    run(other, "CREATE TABLE x (y)");
    CHECK(told(other).find("another program") != std::string::npos);
    files.write("text.db", std::string(5000, 'x'));
    CHECK(told(files.path_of("text.db")).find("not a database; if it never was a store, set") !=
          std::string::npos);
}
