// Batches for which nobody waits share a transaction with what else comes.
#include <doctest/doctest.h>

#include <vector>

#include "gateway/store/limits.h"
#include "gateway/store/sqlite.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

constexpr std::chrono::hours for_ever{1};
const std::string juliet = "juliet@a";

struct Gathering {
    explicit Gathering(std::chrono::milliseconds gather, std::size_t group_bytes = 1U << 20U) {
        limits.gather = gather;
        limits.group_bytes = group_bytes;
        open();
    }

    void open() {
        auto opened = open_sqlite(folder.file("store.db"), limits, sqlite_migrations());
        REQUIRE(opened.ok());
        store = std::move(*opened);
    }

    /// Commits an archived message for which nobody waits.
    void add(std::uint64_t id) {
        Batch batch = archive(juliet, archived(id, "romeo@b"));
        batch.let_wait();
        store->commit(std::move(batch), home, [this, id](const Outcome& outcome) {
            CHECK(outcome.ok());
            done.push_back(id);
        });
    }

    [[nodiscard]] std::size_t found() {
        const auto page = Caller(*store).archive_page({.owner = juliet});
        REQUIRE(page.ok());
        return page->rows.size();
    }

    [[nodiscard]] bool all_done(std::size_t count) {
        return home.run_until([&] { return done.size() == count; });
    }

    TemporaryFolder folder;
    StoreLimits limits;
    ManualExecutor home;
    std::vector<std::uint64_t> done;
    std::unique_ptr<Store> store;
};

TEST_CASE("what may wait is committed with the first batch that may not") {
    Gathering test(for_ever);
    for (const std::uint64_t id : {1U, 2U, 3U}) test.add(id);
    CHECK(test.home.posts() == 0);
    CHECK(Caller(*test.store).commit(set("s", "o", "k", "v")).ok());
    CHECK(test.all_done(3));
    CHECK(test.done == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("what may wait is committed after a while by itself") {
    Gathering test(std::chrono::milliseconds{1});
    test.add(1);
    CHECK(test.all_done(1));
}

TEST_CASE("what may wait is committed when it is as much as a transaction takes") {
    Gathering test(for_ever, 100);
    test.add(1);
    CHECK(test.all_done(1));
}

TEST_CASE("what may wait does not fill the queue") {
    Gathering test(for_ever);
    SUBCASE("of batches") { test.limits.queued_batches = 2; }
    SUBCASE("of bytes") { test.limits.queued_bytes = 300; }
    test.store.reset();
    test.open();
    test.add(1);
    CHECK(test.all_done(1));
}

TEST_CASE("a question about an archive is answered behind what may wait") {
    Gathering test(for_ever);
    test.add(1);
    CHECK(test.found() == 1);
    test.add(2);
    const auto total = Caller(*test.store).archive_total(juliet);
    REQUIRE(total.ok());
    CHECK(total->rows == 2);
    CHECK(test.all_done(2));
}

TEST_CASE("somebody may wait after all") {
    Gathering test(for_ever);
    test.add(1);
    test.store->hurry();
    CHECK(test.all_done(1));
    test.store->hurry();  // for nothing
    test.add(2);
    CHECK(test.home.posts() == 1);
}

TEST_CASE("what may wait is committed when the store stops") {
    Gathering test(for_ever);
    test.add(1);
    test.store.reset();
    test.open();
    CHECK(test.found() == 1);
}

}  // namespace
}  // namespace causeway::test
