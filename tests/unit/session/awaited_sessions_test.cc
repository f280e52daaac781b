// Sessions that an earlier process left: what waits for them, and for how long.
#include "gateway/session/awaited_sessions.h"

#include <fmt/format.h>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

constexpr std::uint64_t stream = 0x8000000000000001;

std::string message(std::string_view type, std::string_view id) {
    return fmt::format(
        "<message to='romeo@a.test/orchard' from='room@b.test/x' id='{}' type='{}'>"
        "<body>x</body></message>",
        id, type);
}

struct AwaitedFixture : AccountFixture {
    AwaitedFixture() {
        shared.started = clock.now();
        add_account("romeo@a.test");
        Batch batch;
        batch.map_set(std::string(StreamRecords::store), "romeo@a.test", stream_state_key(stream),
                      StreamState{.resource = "orchard", .token_hash = "x"}.text());
        commit(std::move(batch));
    }
    Account& romeo() { return account("romeo@a.test"); }
};

TEST_CASE_FIXTURE(AwaitedFixture,
                  "an account stays while something waits for one of its sessions") {
    arrives(message("groupchat", "g1"));
    settle();
    CHECK(elsewhere.sent.empty());
    CHECK(romeo().busy());
    romeo().inbox().never_back(stream);
    CHECK_FALSE(romeo().busy());
    REQUIRE(elsewhere.sent.size() == 1);
    CHECK(elsewhere.sent.front().find("<recipient-unavailable ") != std::string::npos);
}

TEST_CASE_FIXTURE(AwaitedFixture, "what comes for a session that may come back stays in order") {
    arrives(message("normal", "m1"));
    arrives(message("chat", "m2"));
    settle();
    std::vector<std::string> kept;
    store.log_list(std::string(AccountInbox::store_name), "romeo@a.test", 0, 10, loop,
                   [&](const Result<std::vector<LogRow>>& rows) {
                       for (const LogRow& row : *rows) kept.push_back(row.body);
                   });
    settle();
    REQUIRE(kept.size() == 2);
    CHECK(kept.front().find("m1") != std::string::npos);
}

TEST_CASE_FIXTURE(AwaitedFixture,
                  "a session of this process is not awaited, however long ago it ended") {
    hub->stream_records.begin(stream, "romeo@a.test");
    arrives(message("groupchat", "g1"));
    settle();
    CHECK(elsewhere.sent.size() == 1);
    hub->stream_records.forget(stream, "romeo@a.test");
    for (std::uint64_t other = 1; other <= StreamRecords::ended_at_most; ++other) {
        hub->stream_records.forget(other, "nurse@a.test");
    }
    settle();
    arrives(message("groupchat", "g2"));
    settle();
    CHECK(elsewhere.sent.size() == 2);
    CHECK_FALSE(romeo().busy());
}

TEST_CASE_FIXTURE(AwaitedFixture, "nobody is awaited for an account that does not exist") {
    arrives("<iq to='nobody@a.test/x' from='room@b.test/x' id='i1' type='result'/>");
    settle();
    CHECK(account("nobody@a.test").slots.get(awaited_sessions_slot) == nullptr);
    arrives("<iq to='romeo@a.test/orchard' from='room@b.test/x' id='i2' type='result'/>");
    settle();
    CHECK(romeo().busy());
}

TEST_CASE_FIXTURE(AwaitedFixture, "what waits for the sessions of all accounts is bounded") {
    std::size_t& all = hub->slots.make(held_for_awaited_slot).bytes;
    arrives(message("groupchat", "g1"));
    settle();
    CHECK(all > 0);
    romeo().inbox().never_back(stream);
    CHECK(all == 0);
}

TEST_CASE_FIXTURE(AwaitedFixture, "where too much waits for others, nothing more does") {
    hub->slots.make(held_for_awaited_slot).bytes = HeldForAwaited::at_most;
    arrives(message("groupchat", "g1"));
    settle();
    CHECK_FALSE(romeo().busy());
    CHECK(hub->slots.make(held_for_awaited_slot).bytes == HeldForAwaited::at_most);
}

}  // namespace
}  // namespace causeway::test
