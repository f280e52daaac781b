// What a check of the store finds: damage, and what belongs to nobody.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "gateway/store/sqlite.h"
#include "gateway/store/sqlite_database.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

const std::string juliet = "juliet@capulet.lit";
const std::string romeo = "romeo@montague.lit";

const StoreCheck what{.accounts = "accounts", .of_accounts = {"roster", "offline"}, .largest = 1};

struct Inspected {
    TemporaryFolder folder;
    std::string path = folder.file("a.db");
    std::unique_ptr<Store> store;
    std::unique_ptr<Caller> caller;

    Inspected() {
        open();
        for (const std::string& owner : {juliet, romeo}) {
            Batch batch;
            batch.map_set("accounts", owner, "credentials", "secret");
            batch.map_set("roster", owner, "nurse@capulet.lit", "both");
            const std::uint64_t base = owner == juliet ? 100 : 200;
            for (std::uint64_t id = base; id < base + (owner == juliet ? 5 : 9); ++id) {
                batch.archive_append(owner, archived(id, "nurse@capulet.lit").view());
            }
            batch.log_append("offline", owner, {.id = base, .at = 1, .expires = 0, .body = {}});
            batch.log_append("queue", "b.test", row(base));
            REQUIRE(caller->commit(std::move(batch)).ok());
        }
    }
    void open() {
        auto opened = open_sqlite(path);
        REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().why()));
        store = std::move(*opened);
        caller = std::make_unique<Caller>(*store);
    }
    /// All faults as one text.
    std::string faults() {
        const auto report = caller->check(what);
        REQUIRE_MESSAGE(report.ok(), (report.ok() ? "" : report.error().why()));
        std::string all;
        for (const StoreFault& fault : report->faults) {
            CHECK(!fault.advice.empty());
            all += fault.what + "; ";
        }
        return all;
    }
    void change(const std::string& sql) {
        auto database = SqliteDatabase::open(path, SqliteDatabase::Access::write, {});
        REQUIRE(database.ok());
        const Outcome outcome = database->execute(sql);
        REQUIRE_MESSAGE(outcome.ok(), outcome.why());
    }
};

}  // namespace

TEST_CASE_FIXTURE(Inspected, "check: a store that is sound, with its sizes") {
    const auto report = caller->check(what);
    REQUIRE(report.ok());
    CHECK(report->faults.empty());
    CHECK(report->file_bytes > 0);
    std::string sizes;
    for (const StoreSize& one : report->stores) {
        sizes += one.name + " " + std::to_string(one.rows) + "/" + std::to_string(one.owners) + " ";
    }
    CHECK(sizes == "accounts 2/2 roster 2/2 offline 2/2 queue 2/1 archive 14/2 ");
    REQUIRE(report->largest.size() == 1);
    CHECK(report->largest[0].name == romeo);
    CHECK(report->largest[0].rows == 10);
}

TEST_CASE_FIXTURE(Inspected, "check: what belongs to accounts that are gone") {
    Batch batch;
    batch.map_clear("accounts", romeo);
    REQUIRE(caller->commit(std::move(batch)).ok());
    CHECK(
        faults() ==
        "1 archives are of accounts that are gone, the first of " + romeo +
            "; 1 accounts that are gone still have entries in the store \"roster\", the first is " +
            romeo +
            "; 1 accounts that are gone still have entries in the store \"offline\", the first "
            "is " +
            romeo + "; ");
    // What is cleared and not swept yet is nobody's either, and in order.
    Batch rest;
    rest.archive_clear(romeo);
    rest.map_clear("roster", romeo);
    rest.log_clear("offline", romeo);
    rest.map_set("roster", "c.test", "key", "what is kept for a domain");
    REQUIRE(caller->commit(std::move(rest)).ok());
    CHECK(faults().empty());
}

TEST_CASE_FIXTURE(Inspected, "check: rows that stand for messages that are gone") {
    Batch batch;
    batch.log_append("offline", juliet, {.id = 99, .at = 1, .expires = 0, .body = {}});
    batch.archive_trim(juliet, 103, 10);  // what waits keeps its body
    REQUIRE(caller->commit(std::move(batch)).ok());
    CHECK(faults() ==
          "1 stored rows stand for archived messages that are gone, the first of " + juliet + "; ");
}

TEST_CASE_FIXTURE(Inspected, "check: an archive that does not hang together") {
    change("UPDATE archive_owners SET messages = 4 WHERE jid = '" + juliet +
           "'; DELETE FROM archive_conversations WHERE owner = 2;"
           "INSERT INTO archive VALUES (1, 77, 1, 0, '', x'61')");
    CHECK(faults() ==
          "1 archived messages belong to no archive; 9 archived messages belong to no "
          "conversation; 1 archives have another number of messages than is noted, the first "
          "that of " +
              juliet + "; ");
}

TEST_CASE_FIXTURE(Inspected, "check: damage in the file is found and told") {
    Batch batch;
    for (std::uint64_t id = 1000; id < 3000; ++id) {
        batch.archive_append(juliet, archived(id, "nurse@capulet.lit").view());
    }
    REQUIRE(caller->commit(std::move(batch)).ok());
    caller.reset();
    store.reset();
    {
        // Somewhere among the last pages, which are those of the archive.
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
        file.seekp(size - 6 * 4096);
        file << std::string(std::size_t{3} * 4096, '\x55');
    }
    open();
    CHECK(faults().find("damage in the file: ") == 0);
}

}  // namespace causeway::test
