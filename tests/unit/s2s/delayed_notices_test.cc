// Who is told that a message waits, and when nobody is.
#include "s2s/delayed_notices.h"

#include <string>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

constexpr Duration look{61'000};
constexpr Duration patience{15 * 60'000};

struct Fixture : AccountFixture, DelayedNotices::Owner {
    Fixture() : notices(*hub, "outbound", local, queue, *this) {
        add_account("juliet@a.test");
        session = std::make_unique<RecordingSession>(*hub, "juliet@a.test/balcony");
        settle();
        sends(*session, "<presence/>");
        settle();
    }

    [[nodiscard]] std::optional<std::string> why_delayed() const override { return cause; }

    static PacketRef message() {
        return *Packet::from_bytes(
            "<message to='romeo@b.test' from='juliet@a.test/balcony' type='chat' "
            "id='m1'><body>x</body></message>");
    }
    StoreKey key() const { return {"outbound", queue, 1'000'000'000'000'000}; }
    void keep() {
        hub->ledger.keep(message(), {}, key(),
                         [this](const Result<std::uint64_t>& stored) { row = *stored; });
        settle();
        REQUIRE(row != 0);
    }
    std::optional<std::string> mark() {
        std::optional<std::string> found;
        store.map_get(std::string(DelayedNotices::store_name), queue, "until", loop,
                      [&](const Result<std::optional<std::string>>& value) { found = *value; });
        settle();
        return found;
    }
    std::size_t told() { return session->count("has not been delivered yet"); }

    const std::string local = "a.test", queue = "b.test a.test";
    std::optional<std::string> cause = "it is down";
    std::unique_ptr<RecordingSession> session;
    std::uint64_t row = 0;
    DelayedNotices notices;
};

TEST_CASE_FIXTURE(Fixture, "once for a message that waits") {
    notices.begin(DelayedNotices::Rows::fresh);
    keep();
    pass(patience + look, Duration{1000});
    CHECK(told() == 1);
    pass(patience, Duration{1000});
    CHECK(told() == 1);
}

TEST_CASE_FIXTURE(Fixture, "nobody is told once the outage is over, though the mark is stored") {
    notices.begin(DelayedNotices::Rows::fresh);
    keep();
    pass(patience - 2 * look, Duration{1000});
    store.hold_commits();
    pass(3 * look, Duration{1000});
    cause.reset();
    store.release_commits();
    settle();
    CHECK(told() == 0);
    cause = "it is down again";
    pass(2 * look, Duration{1000});
    CHECK(told() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a message that was on its way and comes back is not passed over") {
    notices.begin(DelayedNotices::Rows::fresh);
    keep();
    const HoldId hold = hub->ledger.adopt(message(), key(), row);
    pass(patience + look, Duration{1000});
    CHECK(told() == 0);
    hub->ledger.release(hold);
    pass(2 * look, Duration{1000});
    CHECK(told() == 1);
}

TEST_CASE_FIXTURE(Fixture, "what an earlier run remembered goes with its queue, read or not") {
    Batch batch;
    batch.map_set(DelayedNotices::store_name, queue, "until", "12");
    commit(std::move(batch));
    notices.begin(DelayedNotices::Rows::of_earlier_run);
    notices.end();
    settle();
    CHECK(mark() == std::nullopt);
}

}  // namespace
}  // namespace causeway::test
