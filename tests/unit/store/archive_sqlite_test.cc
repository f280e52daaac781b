// What only a file can show of archives: an older schema, what a question reads, how large a
// message becomes, damage, a full disk.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>

#include "gateway/store/ids.h"
#include "gateway/store/sqlite.h"
#include "gateway/store/sqlite_archive_reader.h"
#include "gateway/store/sqlite_archive_writer.h"
#include "gateway/store/sqlite_database.h"
#include "gateway/store/sqlite_migrate.h"
#include "tests/unit/store/faulty_disk.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

const std::string juliet = "juliet@capulet.lit";
const std::string romeo = "romeo@montague.lit";

std::unique_ptr<Store> open(const std::string& path, const StoreLimits& limits = {},
                            std::span<const Migration> steps = sqlite_migrations()) {
    auto opened = open_sqlite(path, limits, steps);
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().why()));
    return std::move(*opened);
}

Batch clear(const std::string& owner) {
    Batch batch;
    batch.archive_clear(owner);
    return batch;
}

Batch sweep(std::size_t rows) {
    Batch batch;
    batch.archive_sweep(rows);
    return batch;
}

void run_sql(const std::string& path, const std::string& sql) {
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::write, {});
    REQUIRE(database.ok());
    const Outcome outcome = database->execute(sql);
    REQUIRE_MESSAGE(outcome.ok(), outcome.why());
}

std::int64_t number(const std::string& path, const std::string& sql) {
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::read_only, {});
    REQUIRE(database.ok());
    const Result<std::int64_t> value = database->integer(sql);
    REQUIRE_MESSAGE(value.ok(), (value.ok() ? "" : value.error().why()));
    return *value;
}

/// With the table of tables writable, which the store's own connections refuse.
void change_schema(const std::string& path, const std::string& sql) {
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &connection) == SQLITE_OK);
    const std::string all = "PRAGMA writable_schema=ON;" + sql;
    char* why = nullptr;
    sqlite3_exec(connection, all.c_str(), nullptr, nullptr, &why);
    CHECK_MESSAGE(why == nullptr, std::string(why == nullptr ? "" : why));
    sqlite3_free(why);
    sqlite3_close(connection);
}

/// A message of 100 characters as it is archived.
std::string usual_body(const std::string& from, const std::string& to) {
    return "<message from='" + from + "' to='" + to + "' type='chat' id='f3b1c2d4e5'><body>" +
           std::string(100, 'w') +
           "</body><origin-id id='f3b1c2d4e5' xmlns='urn:xmpp:sid:0'/></message>";
}

}  // namespace

TEST_CASE("archive: a file from before archives keeps what it has") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    REQUIRE(create_database_file(path).ok());
    {
        auto database = SqliteDatabase::open(path, SqliteDatabase::Access::write, {});
        REQUIRE(database.ok());
        REQUIRE(migrate(*database, sqlite_migrations().first(1), 1).ok());
    }
    run_sql(path,
            "INSERT INTO stores (id, name) VALUES (1, 's'), (2, 'q');"
            "INSERT INTO maps VALUES (1, 'a', 'k', x'76');"
            "INSERT INTO logs VALUES (2, 'a', 5, 1, 0, x'62'), (2, 'a', 6, 1, 0, x'');");
    const auto store = open(path);
    Caller caller(*store);
    CHECK(*caller.map_get("s", "a", "k") == "v");
    const auto rows = caller.log_list("q", "a", 0, 10);
    REQUIRE(rows.ok());
    REQUIRE(rows->size() == 2);
    CHECK((*rows)[0].body == "b");
    CHECK((*rows)[1].body.empty());
    REQUIRE(caller.commit(archive("a", archived(7, "b"))).ok());
    CHECK(caller.archive_page({.owner = "a"})->rows.size() == 1);
}

TEST_CASE("archive: what was archived is there after closing and opening again") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    for (std::uint64_t round = 1; round <= 3; ++round) {
        const auto store = open(path);
        Caller caller(*store);
        CHECK(caller.archive_page({.owner = juliet, .with = romeo})->rows.size() == round - 1);
        // Ids of archived messages raise the floor as those of logs do.
        const std::uint64_t id = store->id_floor() + id_distance(Duration{60'000});
        REQUIRE(caller.commit(archive(juliet, archived(id, romeo))).ok());
        CHECK(caller.archive_total(juliet)->rows == round);
        CHECK(caller.archive_total(juliet)->newest == id);
    }
    CHECK(open(path)->id_floor() > id_distance(Duration{3 * 60'000}));
}

TEST_CASE("archive: no question sorts, and none reads a whole table for one owner") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    open(path)->stop();
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::read_only, {});
    REQUIRE(database.ok());
    const auto plan_of = [&](std::string_view sql) {
        auto plan = database->prepare("EXPLAIN QUERY PLAN " + std::string(sql));
        REQUIRE_MESSAGE(plan.ok(), (plan.ok() ? "" : plan.error().why()));
        std::string all;
        while (plan->step() == Step::row) all += std::string(plan->bytes(3)) + "\n";
        return all;
    };
    for (const auto texts : {SqliteArchiveReader::texts(), SqliteArchiveWriter::texts()}) {
        for (const std::string_view sql : texts) {
            const std::string plan = plan_of(sql);
            INFO(sql);
            INFO(plan);
            CHECK(plan.find("TEMP B-TREE") == std::string::npos);
            CHECK(plan.find("AUTOMATIC") == std::string::npos);
            // One that counts reads it from the subquery, which has been searched for.
            CHECK((plan.find("SCAN") == std::string::npos ||
                   plan.find("SCAN (sub") == plan.find("SCAN")));
        }
    }
}

TEST_CASE("archive: a message of 100 characters takes at most 450 bytes of the file") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    constexpr std::uint64_t rows = 20'000;
    constexpr std::uint64_t owners = 200;
    {
        const auto store = open(path);
        Caller caller(*store);
        std::uint64_t id = id_distance(Duration{1'800'000'000'000});
        for (std::uint64_t done = 0; done < rows;) {
            Batch batch;
            for (int i = 0; i < 100; ++i, ++done) {
                const std::uint64_t at = done * 7919 % owners;
                const std::string me = "person" + std::to_string(at) + "@example.org";
                const std::string you =
                    "person" + std::to_string((at + done % 11) % owners) + "@example.net";
                const std::string resource = "Gajim.8FK2ZQ1A";
                id += id_distance(Duration{1});
                batch.archive_append(me, {.id = id,
                                          .with = you,
                                          .resource = resource,
                                          .body = usual_body(you + "/" + resource, me)});
            }
            REQUIRE(caller.commit(std::move(batch)).ok());
        }
    }
    const auto each = std::filesystem::file_size(path) / rows;
    MESSAGE(each, " bytes a message");
    CHECK(each <= 450);
}

TEST_CASE("archive: what is swept leaves nothing behind, and its room is used again") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    const auto store = open(path);
    Caller caller(*store);
    std::uint64_t id = 1000;
    const auto fill = [&] {
        Batch batch;
        for (int i = 0; i < 1000; ++i) {
            batch.archive_append(juliet, {.id = ++id,
                                          .with = romeo + std::to_string(i % 50),
                                          .body = usual_body(juliet, romeo)});
        }
        REQUIRE(caller.commit(std::move(batch)).ok());
    };
    fill();
    const std::int64_t pages = number(path, "PRAGMA page_count");
    for (int round = 0; round < 3; ++round) {
        REQUIRE(caller.commit(clear(juliet)).ok());
        while (*caller.archive_unswept() > 0) REQUIRE(caller.commit(sweep(300)).ok());
        for (const char* table : {"archive", "archive_owners", "archive_conversations"}) {
            CHECK(number(path, "SELECT count(*) FROM " + std::string(table)) == 0);
        }
        fill();
    }
    CHECK(number(path, "PRAGMA page_count") <= pages + 5);
}

TEST_CASE("archive: numbers are not used again, whoever had them") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    const auto store = open(path);
    Caller caller(*store);
    REQUIRE(caller.commit(archive(juliet, archived(1, romeo))).ok());
    // A message that lost its owner, as damage or a fault of ours could leave it.
    run_sql(path, "INSERT INTO archive VALUES (2, 1, 1, 0, '', x'61')");
    REQUIRE(caller.commit(clear(juliet)).ok());
    run_sql(path, "DELETE FROM archive_owners; DELETE FROM archive_conversations");
    REQUIRE(caller.commit(archive("tybalt@capulet.lit", archived(3, romeo))).ok());
    CHECK(caller.archive_page({.owner = "tybalt@capulet.lit"})->rows.size() == 1);
    CHECK(caller.archive_page({.owner = "tybalt@capulet.lit", .ids = {1, 2}})->rows.empty());
    CHECK(caller.archive_recent(0, 10)->empty());
}

TEST_CASE("archive: damage costs what it hits, and is told as damage") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    const auto store = open(path);
    Caller caller(*store);
    for (const std::string& owner : {juliet, romeo}) {
        Batch batch;
        for (std::uint64_t id = 1; id <= 5; ++id) {
            batch.archive_append(owner,
                                 archived(id * 10 + (owner == juliet), "nurse@capulet.lit").view());
        }
        REQUIRE(caller.commit(std::move(batch)).ok());
    }
    SUBCASE("a conversation is gone: its messages are there, without a name") {
        run_sql(path, "DELETE FROM archive_conversations WHERE owner = 1");
        const auto page = caller.archive_page({.owner = juliet});
        REQUIRE(page.ok());
        CHECK(page->rows.size() == 5);
        CHECK(page->rows[0].with.empty());
        CHECK(caller.archive_page({.owner = juliet, .with = "nurse@capulet.lit"})->rows.empty());
        CHECK(caller.archive_recent(0, 10)->size() == 5);
    }
    SUBCASE("totals that are wrong do not end the sweeping") {
        run_sql(path, "UPDATE archive_owners SET messages = -7, bytes = -7");
        CHECK(caller.archive_total(juliet)->rows == 0);
        REQUIRE(caller.commit(clear(juliet)).ok());
        CHECK(*caller.archive_unswept() == 1);
        REQUIRE(caller.commit(sweep(2)).ok());
        CHECK(*caller.archive_unswept() == 1);
        REQUIRE(caller.commit(sweep(100)).ok());
        CHECK(*caller.archive_unswept() == 0);
        CHECK(number(path, "SELECT count(*) FROM archive") == 5);
    }
}

TEST_CASE("archive: a page that a damaged index spoils is refused, and others are not") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    {
        const auto store = open(path);
        Caller caller(*store);
        for (std::uint64_t id = 1; id <= 3; ++id) {
            REQUIRE(caller.commit(archive(id == 2 ? juliet : romeo, archived(id, "a@b"))).ok());
        }
    }
    // While the schema lacks the index, a row goes that the index then still names.
    change_schema(path,
                  "CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema"
                  " WHERE name = 'archive_by_owner';"
                  "CREATE TABLE hidden AS SELECT * FROM kept;"
                  "DELETE FROM sqlite_schema WHERE name = 'archive_by_owner'");
    change_schema(path, "DELETE FROM archive WHERE id = 2");
    change_schema(path, "INSERT INTO sqlite_schema SELECT * FROM hidden; DROP TABLE hidden");
    const auto store = open(path);
    Caller caller(*store);
    const auto page = caller.archive_page({.owner = juliet});
    REQUIRE(!page.ok());
    CHECK(page.error().cause() == Cause::refused);
    CHECK(page.error().why().find("malformed") != std::string::npos);
    CHECK(caller.archive_page({.owner = romeo})->rows.size() == 2);
    CHECK(caller.commit(archive(juliet, archived(9, "a@b"))).ok());
    CHECK(caller.archive_page({.owner = juliet, .with = "a@b"})->rows.size() == 1);
}

TEST_CASE("archive: a disk that fills at any write loses nothing that was acknowledged") {
    const TemporaryFolder folder;
    FaultyDisk disk;
    const std::string path = folder.file("a.db");
    auto store = open(path);
    std::uint64_t id = 0;
    std::uint64_t acknowledged = 0;
    std::int64_t failed = 0;
    for (std::int64_t good_writes = 0; good_writes < 12; ++good_writes) {
        Caller caller(*store);
        REQUIRE(caller.commit(archive(juliet, archived(++id, romeo))).ok());
        ++acknowledged;
        disk.fill_after(good_writes);
        for (int i = 0; i < 3; ++i) {
            ArchiveRow row = archived(++id, "peer" + std::to_string(good_writes) + "@b");
            row.body.assign(6'000, 'x');
            Batch batch = archive(juliet, row);
            ++id;
            batch.archive_append("new" + std::to_string(id) + "@a", archived(id, juliet).view());
            batch.archive_trim(romeo, id, 10);
            const Outcome outcome = caller.commit(std::move(batch));
            if (outcome) ++acknowledged;
            if (!outcome) CHECK(outcome.cause() == Cause::retry);
        }
        failed += disk.failed();
        disk.heal();
        CHECK(caller.archive_total(juliet)->rows == acknowledged);
        CHECK(caller.archive_page({.owner = juliet, .rows = 1000})->rows.size() == acknowledged);
        if (good_writes % 4 == 3) {
            store.reset();
            store = open(path);
        }
    }
    CHECK(failed >= 12);
    CHECK(number(path,
                 "SELECT count(*) FROM archive_owners AS o WHERE messages <>"
                 " (SELECT count(*) FROM archive WHERE owner = o.id)") == 0);
    CHECK(number(path,
                 "SELECT count(*) FROM archive_conversations AS c WHERE NOT EXISTS"
                 " (SELECT 1 FROM archive WHERE conversation = c.id)") == 0);
}

}  // namespace causeway::test
