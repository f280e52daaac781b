// How questions are shared out between the readers, and that their queues are bounded.
#include "gateway/store/sqlite_readers.h"

#include <doctest/doctest.h>

#include <future>

#include "gateway/store/sqlite.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

using Kind = SqliteReaders::Kind;
constexpr std::chrono::minutes patience{1};

struct Fixture {
    TemporaryFolder folder;
    std::unique_ptr<Store> store;
    std::unique_ptr<SqliteReaders> readers;

    explicit Fixture(std::size_t queue) {
        StoreLimits limits;
        limits.queued_reads = queue;
        auto opened = open_sqlite(folder.file("a.db"));
        REQUIRE(opened.ok());
        store = std::move(*opened);
        auto started = SqliteReaders::start(folder.file("a.db"), limits);
        REQUIRE(started.ok());
        readers = std::move(*started);
    }
};

/// A question that says when it began and then holds its thread until told to go on. Like all
/// that a question touches it is declared before the Fixture, whose end waits for the threads.
struct Held {
    std::promise<void> began;
    std::promise<void> go;

    SqliteReaders::Question question() {
        return [this](SqliteReader&) {
            began.set_value();
            go.get_future().wait_for(patience);
        };
    }
    void wait_until_begun() {
        REQUIRE(began.get_future().wait_for(patience) == std::future_status::ready);
    }
};

}  // namespace

TEST_CASE("readers: a long listing leaves a thread to questions about one owner") {
    Held listing;
    std::promise<void> second_listing;
    std::promise<void> login;
    Fixture fixture(10);
    REQUIRE(fixture.readers->ask(Kind::of_store, listing.question()));
    listing.wait_until_begun();
    REQUIRE(
        fixture.readers->ask(Kind::of_store, [&](SqliteReader&) { second_listing.set_value(); }));
    REQUIRE(fixture.readers->ask(Kind::of_owner, [&](SqliteReader&) { login.set_value(); }));
    CHECK(login.get_future().wait_for(patience) == std::future_status::ready);
    std::future<void> listed = second_listing.get_future();
    CHECK(listed.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
    listing.go.set_value();
    CHECK(listed.wait_for(patience) == std::future_status::ready);
}

TEST_CASE("readers: both threads answer questions about owners") {
    Held first;
    Held second;
    Fixture fixture(10);
    REQUIRE(fixture.readers->ask(Kind::of_owner, first.question()));
    REQUIRE(fixture.readers->ask(Kind::of_owner, second.question()));
    first.wait_until_begun();
    second.wait_until_begun();
    first.go.set_value();
    second.go.set_value();
}

TEST_CASE("readers: a full queue takes no more, and stopping answers what it holds") {
    Held first;
    Held second;
    std::atomic<int> answered = 0;
    Fixture fixture(3);
    REQUIRE(fixture.readers->ask(Kind::of_owner, first.question()));
    REQUIRE(fixture.readers->ask(Kind::of_owner, second.question()));
    first.wait_until_begun();
    second.wait_until_begun();
    const auto count = [&](SqliteReader&) { ++answered; };
    for (const Kind kind : {Kind::of_owner, Kind::of_store}) {
        for (int i = 0; i < 3; ++i) CHECK(fixture.readers->ask(kind, count));
        CHECK(!fixture.readers->ask(kind, count));
    }
    first.go.set_value();
    second.go.set_value();
    fixture.readers->stop();
    CHECK(answered == 6);
    CHECK(!fixture.readers->ask(Kind::of_owner, count));
}

}  // namespace causeway::test
