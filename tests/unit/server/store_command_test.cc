// The verbs about the store as a whole, over a store in a file.
#include <doctest/doctest.h>

#include <filesystem>

#include "gateway/store/sqlite.h"
#include "tests/unit/server/operations_fixture.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

namespace json = boost::json;

/// Commands over a store of their own; the rest is the Server's.
struct StoreCommands : OperationsFixture {
    TemporaryFolder folder;
    ManualExecutor home;
    std::unique_ptr<Store> file_store = std::move(*open_sqlite(folder.file("a.db")));
    Shared shared{
        server->shared().clock,     server->shared().shards,       *file_store,
        server->shared().workers,   server->shared().features,     server->shared().ids,
        server->shared().lifetimes, server->shared().archive_mark, {},
        server->shared().secret,    server->shared().hubs,         server->shared().started};
    control::CommandTable table{control::CommandHost{*operations, &shared, &home}};

    StoreCommands() { REQUIRE(control::add_engine_commands(table).ok()); }

    Result<json::value> answer(const std::string& method, const std::string& params) {
        control::Recorded recorded;
        control::run(table, method, params, recorded);
        REQUIRE(home.run_until([&] { return recorded.answer.has_value(); }));
        return *recorded.answer;
    }
    void store(Batch batch) { REQUIRE(Caller(*file_store).commit(std::move(batch)).ok()); }
};

std::string texts(const json::value& report) {
    std::string all;
    for (const json::value& fault : report.at("faults").as_array()) {
        all += std::string(fault.at("what").as_string()) + "; ";
    }
    return all;
}

}  // namespace

TEST_CASE_FIXTURE(StoreCommands, "store check: what features keep for accounts that are gone") {
    Batch batch;
    batch.map_set("accounts", "juliet@a.test", "credentials", "x");
    batch.map_set("roster", "juliet@a.test", "romeo@b.test", "x");
    batch.archive_append("juliet@a.test", {.id = 5, .with = "romeo@b.test", .body = "<message/>"});
    store(std::move(batch));
    auto report = answer("store.check", "{}");
    REQUIRE(report.ok());
    CHECK(report->at("sound").as_bool());
    CHECK(report->at("largest").at(0).at("name") == "juliet@a.test");
    CHECK(report->at("largest").at(0).at("bytes") == 10);

    // The last activity is a feature's, which is known by its list of stores.
    Batch strays;
    strays.map_set("last-activity", "nurse@a.test", "k", "v");
    strays.log_append("offline", "peter@a.test", {.id = 6, .at = 1, .expires = 0, .body = "x"});
    store(std::move(strays));
    report = answer("store.check", "{}");
    REQUIRE(report.ok());
    CHECK_FALSE(report->at("sound").as_bool());
    CHECK(texts(*report).find("the first is nurse@a.test") != std::string::npos);
    CHECK(texts(*report).find("the first is peter@a.test") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreCommands, "store check: what cannot be read is counted and named") {
    Batch batch;
    batch.map_set("accounts", "juliet@a.test", "credentials", "x");
    for (std::uint64_t id = 1; id <= 12; ++id) {
        batch.archive_append(
            "juliet@a.test",
            {.id = id, .with = "romeo@b.test", .body = id == 1 ? "<message/>" : "<message>"});
    }
    batch.log_append("outbound", "b.test", {.id = 20, .at = 1, .expires = 0, .body = "\xff"});
    batch.log_append("outbound", "b.test", {.id = 21, .at = 1, .expires = 0, .body = "<iq/>"});
    // It refers to what is archived.
    batch.log_append("offline", "juliet@a.test", {.id = 1, .at = 1, .expires = 0, .body = {}});
    store(std::move(batch));
    const auto report = answer("store.check", "{}");
    REQUIRE(report.ok());
    CHECK_FALSE(report->at("sound").as_bool());
    CHECK(texts(*report) ==
          "11 archived messages cannot be read: 2 of juliet@a.test, 3 of juliet@a.test, "
          "4 of juliet@a.test, 5 of juliet@a.test, 6 of juliet@a.test, 7 of juliet@a.test, "
          "8 of juliet@a.test, 9 of juliet@a.test, 10 of juliet@a.test, 11 of juliet@a.test "
          "and 1 more; 2 stored stanzas cannot be read: 20 of b.test in outbound, "
          "21 of b.test in outbound; ");
}

TEST_CASE_FIXTURE(StoreCommands, "backup: the file is named and measured, or the reason is told") {
    const std::string file = folder.file("backup");
    const auto made = answer("backup", R"({"file":")" + file + R"("})");
    REQUIRE(made.ok());
    CHECK(made->at("file") == json::string_view(file));
    CHECK(made->at("bytes").to_number<std::uint64_t>() == std::filesystem::file_size(file));
    CHECK(made->at("damage") == "");
    const auto again = answer("backup", R"({"file":")" + file + R"("})");
    REQUIRE(!again.ok());
    CHECK(again.error().why().find("replaces nothing") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreCommands, "backup: who leaves ends it") {
    Batch batch;
    for (int i = 0; i < 20; ++i) {
        batch.map_set("s", "a", std::to_string(i), std::string(500'000, 'v'));
    }
    store(std::move(batch));
    control::Recorded recorded;
    control::run(table, "backup", R"({"file":")" + folder.file("backup") + R"("})", recorded);
    REQUIRE(recorded.on_cancel);
    recorded.on_cancel();
    REQUIRE(home.run_until([&] { return recorded.answer.has_value(); }));
    // It may have been done by then.
    if (!recorded.answer->ok()) CHECK(recorded.answer->error().why() == "cancelled");
    CHECK(std::filesystem::exists(folder.file("backup")) == recorded.answer->ok());
}

}  // namespace causeway::test
