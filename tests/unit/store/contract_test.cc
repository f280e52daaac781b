// The contract of Store, held by each backend: the same cases run on memory and on SQLite.
#include <doctest/doctest.h>

#include <limits>

#include "tests/unit/store/backends.h"

namespace causeway::test {
namespace {

std::vector<std::uint64_t> ids(const Result<std::vector<LogRow>>& rows) {
    REQUIRE(rows.ok());
    std::vector<std::uint64_t> found;
    for (const LogRow& one : *rows) found.push_back(one.id);
    return found;
}

std::string text(const Result<std::vector<MapEntry>>& entries) {
    REQUIRE(entries.ok());
    std::string all;
    for (const MapEntry& one : *entries) {
        all += one.owner + "/" + one.key + "=" + one.value + " ";
    }
    return all;
}

using Ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE_TEMPLATE("store: a map gives back what was set, by owner and store", Backend,
                   MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    CHECK(*caller.map_get("account", "juliet@capulet.lit", "key") == std::nullopt);
    Batch batch;
    batch.map_set("account", "juliet@capulet.lit", "key", "one");
    batch.map_set("account", "romeo@montague.lit", "key", "two");
    batch.map_set("roster", "juliet@capulet.lit", "key", "three");
    REQUIRE(caller.commit(std::move(batch)).ok());
    CHECK(*caller.map_get("account", "juliet@capulet.lit", "key") == "one");
    CHECK(*caller.map_get("account", "romeo@montague.lit", "key") == "two");
    CHECK(*caller.map_get("roster", "juliet@capulet.lit", "key") == "three");
    CHECK(*caller.map_get("roster", "romeo@montague.lit", "key") == std::nullopt);
    REQUIRE(caller.commit(set("account", "juliet@capulet.lit", "key", "four")).ok());
    CHECK(*caller.map_get("account", "juliet@capulet.lit", "key") == "four");
}

TEST_CASE_TEMPLATE("store: values keep every byte, and an empty value is not an absent one",
                   Backend, MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    std::string every;
    for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
    const std::string with_zero("k\0ey", 4);
    REQUIRE(caller.commit(set("s", "owner", with_zero, every)).ok());
    REQUIRE(caller.commit(set("s", "owner", "empty", "")).ok());
    CHECK(*caller.map_get("s", "owner", with_zero) == every);
    CHECK(*caller.map_get("s", "owner", "k") == std::nullopt);
    CHECK(*caller.map_get("s", "owner", "empty") == "");
    LogRow binary = row(1);
    binary.body = every;
    REQUIRE(caller.commit(append("s", "owner", binary)).ok());
    const auto rows = caller.log_list("s", "owner", 0, 10);
    REQUIRE(rows.ok());
    REQUIRE(rows->size() == 1);
    CHECK(rows->front().body == every);
}

TEST_CASE_TEMPLATE("store: map erase and clear touch only what they name", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    for (const char* owner : {"a", "b"}) {
        for (const char* key : {"1", "2", "3"}) batch.map_set("s", owner, key, "v");
    }
    batch.map_set("t", "a", "1", "v");
    REQUIRE(caller.commit(std::move(batch)).ok());
    Batch erase;
    erase.map_erase("s", "a", "2");
    erase.map_erase("s", "a", "absent");
    erase.map_erase("absent", "a", "2");
    REQUIRE(caller.commit(std::move(erase)).ok());
    CHECK(text(caller.map_list("s", "a")) == "a/1=v a/3=v ");
    Batch clear;
    clear.map_clear("s", "a");
    REQUIRE(caller.commit(std::move(clear)).ok());
    CHECK(text(caller.map_list("s", "a")).empty());
    CHECK(text(caller.map_list("s", "b")) == "b/1=v b/2=v b/3=v ");
    CHECK(text(caller.map_list("t", "a")) == "a/1=v ");
}

TEST_CASE_TEMPLATE("store: a scan pages through a whole store in the order of owner and key",
                   Backend, MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    for (const char* owner : {"b", "a", "c", "\xc3\xa9"}) {
        for (const char* key : {"2", "1"}) batch.map_set("s", owner, key, "");
    }
    batch.map_set("r", "x", "y", "");
    batch.map_set("t", "x", "y", "");
    REQUIRE(caller.commit(std::move(batch)).ok());
    std::string seen;
    std::string owner;
    std::string key;
    for (;;) {
        const auto page = caller.map_scan("s", owner, key, 3);
        REQUIRE(page.ok());
        seen += text(page) + "| ";
        if (page->size() < 3) break;
        owner = page->back().owner;
        key = page->back().key;
    }
    CHECK(seen == "a/1= a/2= b/1= | b/2= c/1= c/2= | \xc3\xa9/1= \xc3\xa9/2= | ");
    CHECK(text(caller.map_scan("s", "a", "2", 1)) == "b/1= ");
    CHECK(text(caller.map_scan("absent", "", "", 10)).empty());
}

TEST_CASE_TEMPLATE("store: the holders of a key", Backend, MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    batch.map_set("roster", "juliet", "romeo", "both");
    batch.map_set("roster", "nurse", "romeo", "to");
    batch.map_set("roster", "benvolio", "romeo", "from");
    batch.map_set("roster", "nurse", "juliet", "both");
    batch.map_set("other", "peter", "romeo", "none");
    REQUIRE(caller.commit(std::move(batch)).ok());
    CHECK(text(caller.map_holders("roster", "romeo", 10)) ==
          "benvolio/romeo=from juliet/romeo=both nurse/romeo=to ");
    CHECK(text(caller.map_holders("roster", "romeo", 2)) ==
          "benvolio/romeo=from juliet/romeo=both ");
    CHECK(text(caller.map_holders("roster", "tybalt", 10)).empty());
}

TEST_CASE_TEMPLATE("store: a log lists rows after an id, in order of id", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    constexpr auto highest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    Batch batch;
    for (const std::uint64_t id : Ids{5, 1, 3, highest, 2}) batch.log_append("q", "a", row(id));
    batch.log_append("q", "b", row(4));
    batch.log_append("r", "a", row(4));
    REQUIRE(caller.commit(std::move(batch)).ok());
    CHECK(ids(caller.log_list("q", "a", 0, 100)) == Ids{1, 2, 3, 5, highest});
    CHECK(ids(caller.log_list("q", "a", 2, 2)) == Ids{3, 5});
    CHECK(ids(caller.log_list("q", "a", 5, 100)) == Ids{highest});
    CHECK(ids(caller.log_list("q", "a", highest, 100)).empty());
    CHECK(ids(caller.log_list("q", "a", UINT64_MAX, 100)).empty());
    CHECK(ids(caller.log_list("q", "a", 0, 0)).empty());
    CHECK(ids(caller.log_list("q", "b", 0, 100)) == Ids{4});
    const auto rows = caller.log_list("q", "a", 2, 1);
    REQUIRE(rows.ok());
    CHECK(rows->front().at == 1003);
    CHECK(rows->front().expires == 0);
    CHECK(rows->front().body == "body 3");
}

TEST_CASE_TEMPLATE("store: log erase and clear touch only what they name", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    for (std::uint64_t id = 1; id <= 4; ++id) batch.log_append("q", "a", row(id));
    batch.log_append("q", "b", row(1));
    batch.log_append("r", "a", row(1));
    REQUIRE(caller.commit(std::move(batch)).ok());
    Batch erase;
    erase.log_erase("q", "a", 2);
    erase.log_erase("q", "a", 77);
    REQUIRE(caller.commit(std::move(erase)).ok());
    CHECK(ids(caller.log_list("q", "a", 0, 100)) == Ids{1, 3, 4});
    Batch clear;
    clear.log_clear("q", "a");
    REQUIRE(caller.commit(std::move(clear)).ok());
    CHECK(ids(caller.log_list("q", "a", 0, 100)).empty());
    CHECK(ids(caller.log_list("q", "b", 0, 100)) == Ids{1});
    CHECK(ids(caller.log_list("r", "a", 0, 100)) == Ids{1});
}

TEST_CASE_TEMPLATE("store: totals count rows, bytes and the oldest receipt", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    for (const auto& [owner, id, body] :
         {std::tuple{"b", 7U, "\xc3\xa9"}, {"a", 2U, "12345"}, {"a", 1U, ""}, {"c", 9U, "x"}}) {
        LogRow one = row(id);
        one.body = body;
        batch.log_append("q", owner, one);
    }
    batch.log_append("r", "z", row(1));
    REQUIRE(caller.commit(std::move(batch)).ok());
    const auto totals = caller.log_totals("q", 2);
    REQUIRE(totals.ok());
    REQUIRE(totals->size() == 2);
    const LogTotals& a = (*totals)[0];
    CHECK((a.owner == "a" && a.rows == 2 && a.bytes == 5 && a.oldest == 1001));
    const LogTotals& b = (*totals)[1];
    CHECK((b.owner == "b" && b.rows == 1 && b.bytes == 2 && b.oldest == 1007));
    CHECK(caller.log_totals("absent", 10)->empty());
}

TEST_CASE_TEMPLATE("store: expired rows come oldest first, and 0 never expires", Backend,
                   MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    batch.log_append("q", "b", row(1, 300));
    batch.log_append("q", "a", row(2, 300));
    batch.log_append("q", "a", row(3, 200));
    batch.log_append("q", "a", row(4, 301));
    batch.log_append("q", "a", row(5, 0));
    batch.log_append("r", "a", row(6, 100));
    REQUIRE(caller.commit(std::move(batch)).ok());
    const auto found = [&](UnixMillis now, std::size_t limit) {
        const auto rows = caller.log_expired("q", now, limit);
        REQUIRE(rows.ok());
        std::string all;
        for (const auto& [owner, one] : *rows) all += owner + std::to_string(one.id) + " ";
        return all;
    };
    CHECK(found(199, 10).empty());
    CHECK(found(200, 10) == "a3 ");
    CHECK(found(300, 10) == "a3 a2 b1 ");
    CHECK(found(300, 2) == "a3 a2 ");
    CHECK(found(1'000'000, 10) == "a3 a2 b1 a4 ");
}

TEST_CASE_TEMPLATE("store: the operations of a batch apply in order", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    batch.map_set("s", "a", "k", "1");
    batch.map_set("s", "a", "k", "2");
    batch.map_set("s", "a", "gone", "x");
    batch.map_clear("s", "a");
    batch.map_set("s", "a", "k", "3");
    batch.log_append("q", "a", row(1));
    batch.log_erase("q", "a", 1);
    batch.log_append("q", "a", row(1));
    batch.log_clear("q", "a");
    batch.log_append("q", "a", row(1));
    batch.log_append("q", "a", row(2));
    REQUIRE(caller.commit(std::move(batch)).ok());
    CHECK(text(caller.map_list("s", "a")) == "a/k=3 ");
    CHECK(ids(caller.log_list("q", "a", 0, 10)) == Ids{1, 2});
}

TEST_CASE_TEMPLATE("store: a batch that fails changes nothing", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    REQUIRE(caller.commit(append("q", "a", row(2))).ok());
    Batch batch;
    batch.map_set("new-store", "a", "k", "v");
    batch.log_append("q", "a", row(1));
    batch.log_append("q", "a", row(2));
    const Outcome outcome = caller.commit(std::move(batch));
    CHECK(outcome.cause() == Cause::policy);
    CHECK(!outcome.why().empty());
    CHECK(ids(caller.log_list("q", "a", 0, 10)) == Ids{2});
    CHECK(*caller.map_get("new-store", "a", "k") == std::nullopt);
    // The name of a store that was undone with the batch can be used again.
    REQUIRE(caller.commit(set("new-store", "a", "k", "v")).ok());
    CHECK(*caller.map_get("new-store", "a", "k") == "v");
}

TEST_CASE_TEMPLATE("store: ids out of range and batches beyond the queue are refused for good",
                   Backend, MemoryBackend, SqliteBackend) {
    StoreLimits limits;
    limits.queued_bytes = 10'000;
    Backend backend(limits);
    Caller caller(*backend.store);
    CHECK(caller.commit(append("q", "a", row(0))).cause() == Cause::malformed);
    CHECK(caller.commit(append("q", "a", row(std::uint64_t{1} << 63U))).cause() ==
          Cause::malformed);
    CHECK(caller.commit(set("s", "a", "k", std::string(10'000, 'x'))).cause() == Cause::policy);
    CHECK(caller.commit(set("s", "a", "k", std::string(5'000, 'x'))).ok());
}

TEST_CASE_TEMPLATE("store: an empty batch completes, and a completion may be left out", Backend,
                   MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    backend.store->commit(set("s", "a", "k", "v"), caller.home(), {});
    // Completions keep the order of the commits, so the first is durable when the second answers.
    CHECK(caller.commit(Batch()).ok());
    CHECK(*caller.map_get("s", "a", "k") == "v");
}

TEST_CASE_TEMPLATE("store: completions run at home, in order, never on the calling stack", Backend,
                   MemoryBackend, SqliteBackend) {
    Backend backend;
    ManualExecutor first;
    ManualExecutor second;
    std::vector<int> order;
    int elsewhere = 0;
    for (int i = 0; i < 500; ++i) {
        backend.store->commit(append("q", "a", row(static_cast<std::uint64_t>(i) + 1)), first,
                              [&order, i](Outcome outcome) {
                                  CHECK(outcome.ok());
                                  order.push_back(i);
                              });
        backend.store->commit(Batch(), second, [&elsewhere](Outcome) { ++elsewhere; });
    }
    CHECK(order.empty());
    REQUIRE(first.run_until([&] { return order.size() == 500; }));
    CHECK(elsewhere == 0);
    REQUIRE(second.run_until([&] { return elsewhere == 500; }));
    for (int i = 0; i < 500; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE_TEMPLATE("store: stop finishes what is queued and refuses the rest", Backend,
                   MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    int done = 0;
    for (std::uint64_t id = 1; id <= 100; ++id) {
        backend.store->commit(append("q", "a", row(id)), caller.home(), [&](Outcome outcome) {
            CHECK(outcome.ok());
            ++done;
        });
    }
    backend.store->stop();
    REQUIRE(caller.home().run_until([&] { return done == 100; }));
    CHECK(caller.commit(append("q", "a", row(200))).cause() == Cause::retry);
    CHECK(caller.log_list("q", "a", 0, 10).error().cause() == Cause::retry);
    CHECK(caller.log_totals("q", 10).error().cause() == Cause::retry);
    backend.store->stop();
}

}  // namespace causeway::test
