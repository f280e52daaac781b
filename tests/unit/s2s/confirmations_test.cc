// What is known to have arrived at another server, and what a broken stream leaves.
#include "s2s/confirmations.h"

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct Fixture : AccountFixture, Confirmations::Owner {
    Fixture() : asking(*hub), written(*hub, "a.test", "b.test", *this) {
        written.begin(Confirmations::By::pings);
    }

    void send_ping(const Jid& from, const std::string& id) override {
        pings.emplace_back(from.full(), id);
    }
    void confirmed(std::size_t count) override { arrived += count; }
    void peer_is_silent() override { ++silent; }
    void peer_cannot_answer() override { ++mute; }

    static PacketRef message() {
        return *Packet::from_bytes(
            "<message to='romeo@b.test' from='juliet@a.test' type='chat'><body>x</body></message>");
    }
    HoldId hold() {
        return hub->ledger.hold(message(), {.holder = 7, .shard = 0, .number = ++number},
                                {"outbound", "b.test a.test", 1'000'000'000'000'000});
    }
    void answer(std::size_t ping, const std::string& from = "b.test") {
        asking.answered(Packet::make(StanzaKind::iq, StanzaType::result, *Jid::parse(from),
                                     *Jid::parse(pings.at(ping).first), pings.at(ping).second, {}));
    }

    Asking asking;
    Confirmations written;
    std::vector<std::pair<std::string, std::string>> pings;
    std::size_t arrived = 0;
    std::uint32_t number = 0;
    int silent = 0, mute = 0;
};

TEST_CASE_FIXTURE(Fixture, "one ping behind a turn's messages; its answer confirms them") {
    for (int i = 0; i < 3; ++i) written.written(message(), 0);
    settle();
    REQUIRE(pings.size() == 1);
    CHECK(pings[0].first == "a.test/unowed");
    CHECK(written.answer_is_due());
    written.written(message(), 0);  // behind the ping
    answer(0);
    CHECK(arrived == 3);
    CHECK(written.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a user of the peer's cannot answer for its server") {
    written.written(message(), 0);
    settle();
    answer(0, "romeo@b.test");
    answer(0, "b.test/x");
    CHECK(arrived == 0);
}

TEST_CASE_FIXTURE(Fixture, "where an acknowledgement is owed the peer is told to follow first") {
    written.written(message(), hold());
    settle();
    REQUIRE(pings.size() == 2);
    CHECK(pings[0].first == "a.test");
    CHECK(pings[1].first == "a.test");
    answer(0);
    CHECK(arrived == 0);
    answer(1);
    CHECK(arrived == 1);
    settle();
    CHECK(elsewhere.safe == std::vector<std::uint32_t>{1});
}

TEST_CASE_FIXTURE(Fixture, "where nobody waits there is one question for a tenth of a second") {
    written.written(message(), 0);
    settle();
    answer(0);
    written.written(message(), 0);
    settle();
    CHECK(pings.size() == 1);
    written.written(message(), hold());
    settle();
    CHECK(pings.size() == 3);  // at once: one to follow, and one behind it
}

TEST_CASE_FIXTURE(Fixture, "that question comes when the time is over, or when much is written") {
    written.written(message(), 0);
    settle();
    answer(0);
    written.written(message(), 0);
    settle();
    pass(Duration{50});
    CHECK(pings.size() == 1);
    pass(Duration{200});
    CHECK(pings.size() == 2);
    CHECK(pings[1].first == "a.test/unowed");
    answer(1);
    written.written(message(), 0);
    settle();
    REQUIRE(pings.size() == 3);
    answer(2);
    for (int i = 0; i < 499; ++i) written.written(message(), 0);
    settle();
    CHECK(pings.size() == 3);
    written.written(message(), 0);
    settle();
    REQUIRE(pings.size() == 4);
    answer(3);
    CHECK(arrived == 503);
    pass(Duration{1000});
    CHECK(pings.size() == 4);
}

TEST_CASE_FIXTURE(Fixture, "messages that nobody waits for are followed up to a bound") {
    for (int i = 0; i < 10'050; ++i) written.written(message(), 0);
    CHECK(written.size() == 10'000);
    written.written(message(), hold());
    CHECK(written.size() == 10'001);
    for (const auto& one : written.end()) {
        if (one.hold != 0) hub->ledger.confirm(one.hold);
    }
    CHECK_FALSE(written.answer_is_due());
}

TEST_CASE_FIXTURE(Fixture, "a peer that never answered is not asked again on that stream") {
    written.written(message(), 0);
    settle();
    pass(Duration{19'500});
    CHECK(mute == 0);
    pass(Duration{1500});
    CHECK(mute == 1);
    written.written(message(), hold());
    settle();
    pass(Duration{1000});
    CHECK(pings.size() == 1);
    CHECK_FALSE(written.answer_is_due());
    for (const auto& one : written.end()) {
        if (one.hold != 0) hub->ledger.confirm(one.hold);
    }
    written.begin(Confirmations::By::pings);
    written.written(message(), 0);
    settle();
    CHECK(pings.size() == 2);
    CHECK(written.answer_is_due());
}

TEST_CASE_FIXTURE(Fixture, "a broken stream gives back what is not confirmed, in order") {
    const HoldId first = hold(), second = hold();
    written.written(message(), first);
    written.written(message(), second);
    settle();
    auto left = written.end();
    REQUIRE(left.size() == 2);
    CHECK(left[0].hold == first);
    CHECK(left[1].hold == second);
    CHECK(written.empty());
    CHECK(asking.open() == 0);
    for (const auto& one : left) hub->ledger.confirm(one.hold);
}

TEST_CASE_FIXTURE(Fixture, "a peer that never answers, and one that stops answering") {
    written.written(message(), 0);
    settle();
    pass(Duration{21'000});
    CHECK(mute == 1);
    CHECK(written.peer_cannot_answer());
    written.end();
    written.begin(Confirmations::By::pings);
    written.written(message(), 0);
    settle();
    REQUIRE(pings.size() == 2);
    answer(1);
    written.written(message(), hold());
    settle();
    pass(Duration{21'000});
    CHECK(silent == 1);
    CHECK(mute == 1);
    for (const auto& one : written.end()) {
        if (one.hold != 0) hub->ledger.confirm(one.hold);
    }
}

TEST_CASE_FIXTURE(Fixture, "while too many questions are open it waits, and then asks the same") {
    std::vector<Question> others;
    for (std::size_t i = 0; i < Asking::open_per_domain; ++i) {
        others.push_back(asking.expect(*Jid::parse("c.test"), *Jid::parse("b.test"),
                                       Duration{60'000}, [](const IqAnswer&) {}));
    }
    written.written(message(), hold());
    settle();
    CHECK(pings.empty());
    others.clear();
    pass(Duration{200});
    REQUIRE(pings.size() == 1);
    CHECK(pings[0].first == "a.test");  // its sender is owed an acknowledgement
    for (const auto& one : written.end()) hub->ledger.confirm(one.hold);
}

TEST_CASE_FIXTURE(Fixture, "only a peer that answers is asked behind what is written in passing") {
    written.written_in_passing();
    written.look_whether_there();
    pass(Duration{11'000});
    CHECK(pings.empty());
    written.written(message(), 0);
    settle();
    answer(0);
    written.written_in_passing();
    pass(Duration{9'000});
    CHECK(pings.size() == 1);
    pass(Duration{2'000});
    REQUIRE(pings.size() == 2);
    answer(1);
    written.look_whether_there();
    CHECK(pings.size() == 3);
    written.look_whether_there();
    CHECK(pings.size() == 3);  // that question is open
    pass(Duration{21'000});
    CHECK(silent == 1);
}

TEST_CASE_FIXTURE(Fixture, "a message is not asked about later for what was written in passing") {
    written.written(message(), 0);
    settle();
    answer(0);
    pass(Duration{200});
    written.written_in_passing();
    written.written(message(), 0);
    settle();
    CHECK(pings.size() == 2);
}

}  // namespace
}  // namespace causeway::test
