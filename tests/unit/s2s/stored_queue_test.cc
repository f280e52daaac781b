// What waits in the store for another domain: its order, its bounds, and its end.
#include "s2s/stored_queue.h"

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct Fixture : AccountFixture, StoredQueue::Owner {
    Fixture() : queue(*hub, "a.test", "b.test", *this) {}

    [[nodiscard]] bool takes_stored() const override { return up && got.size() < room; }
    void write_stored(const PacketRef& packet, HoldId hold, std::uint64_t) override {
        got.emplace_back(packet->id());
        holds.push_back(hold);
    }
    void refuse_stored(const Packet& packet, const Outcome& why) override {
        refused.push_back(std::string(packet.id()) + ": " + why.why());
    }
    [[nodiscard]] std::optional<std::string> why_delayed() const override {
        return up ? std::nullopt : std::optional<std::string>("it is down");
    }

    void keep(const std::string& id) {
        CHECK(queue
                  .keep(*Packet::from_bytes("<message to='romeo@b.test' from='juliet@a.test' "
                                            "type='chat' id='" +
                                            id + "'><body>x</body></message>"),
                        {})
                  .ok());
    }
    std::size_t rows() {
        std::size_t count = 0;
        store.log_list("outbound", "b.test a.test", 0, 1000, loop,
                       [&](const Result<std::vector<LogRow>>& found) { count = found->size(); });
        settle();
        return count;
    }
    void confirm_all() {
        for (const HoldId hold : std::exchange(holds, {})) hub->ledger.confirm(hold);
        pass(Ledger::erase_within + 2 * TimerWheel::tick);
    }

    StoredQueue queue;
    bool up = false;
    std::size_t room = 1000;
    std::vector<std::string> got, refused;
    std::vector<HoldId> holds;
};

using Strings = std::vector<std::string>;

TEST_CASE_FIXTURE(Fixture, "what is kept is read back in order, and erased once confirmed") {
    CHECK(queue.idle());
    for (const char* id : {"1", "2", "3"}) keep(id);
    CHECK_FALSE(queue.empty());
    settle();
    CHECK(rows() == 3);
    up = true;
    queue.read();
    settle();
    CHECK(got == Strings{"1", "2", "3"});
    confirm_all();
    CHECK(rows() == 0);
    queue.read();
    settle();
    CHECK(queue.idle());
}

TEST_CASE_FIXTURE(Fixture, "it stops where the owner takes no more, and goes on from there") {
    for (const char* id : {"1", "2", "3", "4"}) keep(id);
    settle();
    up = true;
    room = 2;
    queue.read();
    settle();
    CHECK(got == Strings{"1", "2"});
    room = 1000;
    queue.read();
    settle();
    CHECK(got == Strings{"1", "2", "3", "4"});
    confirm_all();
}

TEST_CASE_FIXTURE(Fixture, "what is not confirmed when the stream breaks comes again, first") {
    for (const char* id : {"1", "2", "3"}) keep(id);
    settle();
    up = true;
    queue.read();
    settle();
    hub->ledger.confirm(holds[0]);
    for (std::size_t i = 1; i < holds.size(); ++i) queue.give_back(holds[i]);
    holds.clear();
    up = false;
    queue.restart();
    keep("4");
    settle();
    CHECK(rows() == 3);
    got.clear();
    up = true;
    queue.read();
    settle();
    CHECK(got == Strings{"2", "3", "4"});
    confirm_all();
    CHECK(rows() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a queue that is given up refuses each once, after the rows are gone") {
    for (const char* id : {"1", "2"}) keep(id);
    settle();
    store.fail_next_commits(1);
    queue.fail(Outcome::absent("no such domain"));
    settle();
    CHECK(refused.empty());
    CHECK(rows() == 2);
    queue.fail(Outcome::absent("no such domain"));
    settle();
    CHECK(refused == Strings{"1: no such domain", "2: no such domain"});
    CHECK(rows() == 0);
    CHECK(queue.idle());
}

TEST_CASE_FIXTURE(Fixture, "what is wanted again while it is being given up is sent, not refused") {
    for (const char* id : {"1", "2"}) keep(id);
    settle();
    queue.fail(Outcome::absent("no such domain"));
    queue.try_again();
    settle();
    CHECK(refused.empty());
    CHECK(rows() == 2);
    up = true;
    queue.read();
    settle();
    CHECK(got == Strings{"1", "2"});
    confirm_all();
}

TEST_CASE_FIXTURE(Fixture, "a queue that is given up takes no stanza along that is not in it") {
    queue.fail(Outcome::absent("no such domain"));
    keep("1");
    settle();
    CHECK(refused.empty());
    CHECK(rows() == 1);
}

TEST_CASE_FIXTURE(Fixture, "it is idle when the store has answered, and not before") {
    keep("1");
    settle();
    up = true;
    queue.read();
    CHECK_FALSE(queue.idle());
    settle();
    confirm_all();
    CHECK(queue.idle());
    keep("2");
    settle();
    queue.dropped();
    settle();
    CHECK(queue.idle());
}

TEST_CASE_FIXTURE(Fixture,
                  "rows of an earlier run are known once; those that expire are not missed") {
    CHECK(queue.found(2, 100));
    CHECK_FALSE(queue.found(2, 100));
    CHECK_FALSE(queue.expired(1, 50));
    CHECK(queue.expired(1, 50));
    CHECK(queue.idle());
}

TEST_CASE_FIXTURE(Fixture, "senders hear of a delay once, also if that cannot be remembered") {
    add_account("juliet@a.test");
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    settle();
    sends(juliet, "<presence/>");
    const auto told = [&] { return juliet.count("has not been delivered yet: it is down"); };
    keep("1");
    settle();
    store.fail_next_commits(1);
    pass(std::chrono::minutes(15) + Duration{1000}, Duration{1000});
    CHECK(told() == 0);
    pass(Duration{61'000}, Duration{1000});
    CHECK(told() == 1);
    keep("2");
    pass(std::chrono::hours(2), Duration{60'000});
    CHECK(told() == 1);
    CHECK_FALSE(queue.idle());
}

TEST_CASE_FIXTURE(Fixture, "nothing is said of what is being delivered") {
    add_account("juliet@a.test");
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    settle();
    sends(juliet, "<presence/>");
    keep("1");
    settle();
    up = true;
    pass(std::chrono::minutes(20), Duration{1000});
    CHECK(juliet.count("delivered yet") == 0);
    up = false;
    pass(Duration{61'000}, Duration{1000});
    CHECK(juliet.count("delivered yet") == 1);
    up = true;
    queue.read();
    settle();
    confirm_all();
    queue.read();
    settle();
    CHECK(queue.idle());
}

}  // namespace
}  // namespace causeway::test
