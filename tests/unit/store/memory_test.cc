// What MemoryStore adds for tests: commits held back, commits and reads that fail.
#include "gateway/store/memory.h"

#include <doctest/doctest.h>

#include "tests/unit/store/store_fixture.h"

namespace causeway::test {

TEST_CASE("memory: commits that are made to fail change nothing, and the next one works") {
    MemoryStore store;
    Caller caller(store);
    store.fail_next_commits(2);
    CHECK(caller.commit(set("s", "a", "k", "1")).cause() == Cause::retry);
    CHECK(caller.commit(set("s", "a", "k", "2")).cause() == Cause::retry);
    CHECK(*caller.map_get("s", "a", "k") == std::nullopt);
    CHECK(store.commits() == 0);
    CHECK(caller.commit(set("s", "a", "k", "3")).ok());
    CHECK(*caller.map_get("s", "a", "k") == "3");
    CHECK(store.commits() == 1);
}

TEST_CASE("memory: reads that are made to fail say why") {
    MemoryStore store;
    Caller caller(store);
    store.fail_next_reads(1, Outcome::refused("the file is damaged"));
    const auto answer = caller.map_get("s", "a", "k");
    REQUIRE(!answer.ok());
    CHECK(answer.error().why() == "the file is damaged");
    CHECK(caller.map_get("s", "a", "k").ok());
}

TEST_CASE("memory: held commits are neither visible nor answered until they are released") {
    StoreLimits limits;
    limits.queued_batches = 2;
    MemoryStore store(limits);
    Caller caller(store);
    store.hold_commits();
    std::vector<std::string> answers;
    for (const char* value : {"1", "2", "3"}) {
        store.commit(set("s", "a", "k", value), caller.home(), [&answers, value](Outcome outcome) {
            answers.push_back(value + std::string(outcome.ok() ? " stored" : " refused"));
        });
    }
    CHECK(store.held_commits() == 2);
    CHECK(*caller.map_get("s", "a", "k") == std::nullopt);
    CHECK(answers == std::vector<std::string>{"3 refused"});
    store.release_commits();
    CHECK(*caller.map_get("s", "a", "k") == "2");
    CHECK(answers == std::vector<std::string>{"3 refused", "1 stored", "2 stored"});
    CHECK(caller.commit(set("s", "a", "k", "4")).ok());
}

TEST_CASE("memory: stopping releases what is held") {
    MemoryStore store;
    Caller caller(store);
    store.hold_commits();
    bool stored = false;
    store.commit(set("s", "a", "k", "v"), caller.home(), [&](Outcome end) { stored = end.ok(); });
    store.stop();
    CHECK(caller.home().run_until([&] { return stored; }));
}

}  // namespace causeway::test
