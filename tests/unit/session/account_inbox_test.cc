// What becomes of messages for one account: which session gets one, and what waits, where, and for
// how long.
#include "gateway/session/account_inbox.h"

#include <fmt/format.h>

#include "tests/unit/session/inbox_fixture.h"

namespace causeway::test {
namespace {

using Numbers = std::vector<std::uint32_t>;

struct Fixture : InboxFixture {
    void available(RecordingSession& session, int priority = 0) {
        sends(session, fmt::format("<presence><priority>{}</priority></presence>", priority));
        settle();
    }
    void message(std::string_view id, AcknowledgementTicket ticket = {}) {
        arrives(chat(id), ticket);
        settle();
    }
    std::size_t rows() {
        std::size_t found = 0;
        store.log_list(std::string(AccountInbox::store_name), "romeo@a.test", 0, 10'000, loop,
                       [&](const Result<std::vector<LogRow>>& list) { found = list->size(); });
        settle();
        return found;
    }
    /// Nothing is left to be done for the account, in memory or in the ledger.
    void check_done() {
        pass(Ledger::erase_within + AcknowledgementPace::longest + 2 * TimerWheel::tick);
        CHECK(hub->ledger.open() == 0);
        CHECK_FALSE(romeo().inbox().busy());
    }
};

}  // namespace

// ---- which session gets it ----

TEST_CASE_FIXTURE(Fixture,
                  "a message that several sessions got is stored once, when all are gone") {
    RecordingSession one(*hub, "romeo@a.test/one");
    RecordingSession two(*hub, "romeo@a.test/two");
    one.acknowledging = two.acknowledging = false;
    available(one);
    available(two);
    message("m1");
    CHECK(one.count("id='m1'") == 1);
    CHECK(two.count("id='m1'") == 1);
    one.leave();
    settle();
    CHECK(rows() == 0);
    two.leave();
    settle();
    CHECK(rows() == 1);
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "the first of several sessions that acknowledges does so for all") {
    RecordingSession one(*hub, "romeo@a.test/one");
    RecordingSession two(*hub, "romeo@a.test/two");
    one.acknowledging = false;
    available(one);
    available(two);
    message("m1", ticket(1));
    CHECK(elsewhere.safe == Numbers{1});
    one.leave();
    two.leave();
    settle();
    CHECK(rows() == 0);
    check_done();
}

TEST_CASE_FIXTURE(Fixture,
                  "a message is held where somebody will tell that it came, or waits for it") {
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    romeo.acknowledging = false;
    available(romeo);
    const std::string no_store =
        "<message to='romeo@a.test/orchard' from='nurse@b.test/x' "
        "type='chat'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>";
    SUBCASE("by the client") {
        message("m1");
        CHECK(romeo.holds.size() == 1);
    }
    SUBCASE("by the system, for a sender that waits") {
        romeo.manages = false;
        message("m1", ticket(1));
        CHECK(romeo.holds.size() == 1);
        CHECK(elsewhere.safe.empty());
    }
    SUBCASE("for nobody") {
        romeo.manages = false;
        message("m1");
        CHECK(romeo.holds.empty());
    }
    SUBCASE("never, where it must not be stored") {
        arrives(no_store, ticket(1));
        settle();
        CHECK(romeo.holds.empty());
        CHECK(elsewhere.safe == Numbers{1});
    }
    CHECK(romeo.received.size() == 2);
}

// ---- more than the client takes ----

TEST_CASE_FIXTURE(Fixture, "what waits for a client that is full goes to the next when it leaves") {
    RecordingSession slow(*hub, "romeo@a.test/slow");
    RecordingSession other(*hub, "romeo@a.test/other");
    available(slow, 5);
    available(other, 1);
    slow.full = true;
    message("m1");
    message("m2");
    CHECK(other.count("<message") == 0);
    SUBCASE("it becomes unavailable") { sends(slow, "<presence type='unavailable'/>"); }
    SUBCASE("it takes a lower priority") {
        sends(slow, "<presence><priority>0</priority></presence>");
    }
    SUBCASE("its connection ends") { slow.leave(); }
    settle();
    CHECK(slow.count("<message") == 0);
    CHECK(other.count("id='m1'") == 1);
    CHECK(other.count("id='m2'") == 1);
    CHECK(other.place_of("id='m1'") < other.place_of("id='m2'"));
    check_done();
}

TEST_CASE_FIXTURE(Fixture,
                  "stored messages that a full client has not taken go to another when it leaves") {
    message("m1");
    message("m2");
    RecordingSession slow(*hub, "romeo@a.test/slow");
    RecordingSession other(*hub, "romeo@a.test/other");
    slow.full = true;
    available(slow, 5);
    available(other, 1);
    CHECK(slow.count("<message") + other.count("<message") == 0);
    SUBCASE("and another takes them") {
        sends(slow, "<presence type='unavailable'/>");
        settle();
    }
    SUBCASE("and none takes them until later") {
        sends(other, "<presence><priority>-1</priority></presence>");
        sends(slow, "<presence type='unavailable'/>");
        settle();
        CHECK(rows() == 2);
        CHECK_FALSE(romeo().inbox().busy());
        available(other, 1);
    }
    CHECK(slow.count("<message") == 0);
    CHECK(other.count("id='m1'") == 1);
    CHECK(other.count("id='m2'") == 1);
    check_done();
    CHECK(rows() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "what waits for a client that is full is stored when no other takes it") {
    RecordingSession slow(*hub, "romeo@a.test/slow");
    RecordingSession hidden(*hub, "romeo@a.test/hidden");
    available(slow);
    available(hidden, -1);
    slow.full = true;
    message("m1", ticket(1));
    message("m2");
    CHECK(rows() == 0);
    sends(slow, "<presence type='unavailable'/>");
    settle();
    CHECK(rows() == 2);
    CHECK(elsewhere.safe == Numbers{1});
    CHECK(hidden.count("<message") == 0);
    CHECK_FALSE(romeo().inbox().busy());
    RecordingSession next(*hub, "romeo@a.test/next");
    available(next);
    CHECK(next.count("id='m1'") == 1);
    CHECK(next.count("id='m2'") == 1);
    CHECK(next.count("urn:xmpp:delay") == 2);
    check_done();
}

TEST_CASE_FIXTURE(Fixture,
                  "what waited for two sessions is stored when both leave without a word") {
    message("m0");
    RecordingSession one(*hub, "romeo@a.test/one");
    RecordingSession two(*hub, "romeo@a.test/two");
    one.full = two.full = true;
    one.acknowledging = two.acknowledging = false;
    available(one);
    available(two);
    message("m1");
    one.full = two.full = false;
    romeo().inbox().room_again();
    settle();
    CHECK(one.count("id='m1'") == 1);
    CHECK(two.count("id='m1'") == 1);
    one.leave();
    two.leave();
    settle();
    CHECK(rows() == 2);
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "only a thousand messages wait in memory for a client that is full") {
    limit([](Limits& limits) { limits.offline_messages = 5000; });
    RecordingSession slow(*hub, "romeo@a.test/slow");
    available(slow);
    slow.full = true;
    for (int i = 0; i < 1000; ++i) arrives(chat("early"));
    settle();
    CHECK(rows() == 0);
    message("one more", ticket(1));
    CHECK(rows() == 1001);
    CHECK(elsewhere.safe == Numbers{1});
    message("last");
    slow.full = false;
    romeo().inbox().room_again();
    settle();
    CHECK(slow.count("id='early'") == 1000);
    CHECK(slow.place_of("id='one more'") == 1001);  // behind its own presence
    CHECK(slow.place_of("id='last'") == 1002);
    check_done();
}

TEST_CASE_FIXTURE(
    Fixture, "a client that is full gets at once what is not kept, and what it alone is to get") {
    RecordingSession slow(*hub, "romeo@a.test/slow");
    available(slow);
    slow.full = true;
    arrives(
        "<message to='romeo@a.test' from='nurse@b.test/x' type='chat' id='state'>"
        "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    arrives(
        "<message to='romeo@a.test/slow' from='nurse@b.test/x' type='chat' id='full'>"
        "<body>x</body></message>");
    settle();
    CHECK(slow.count("id='state'") == 1);
    CHECK(slow.count("id='full'") == 1);
}

TEST_CASE_FIXTURE(Fixture, "a page ends where the client is full, and goes on there") {
    for (int i = 0; i < 5; ++i) message(fmt::format("m{}", i));
    RecordingSession romeo_session(*hub, "romeo@a.test/orchard");
    romeo_session.full_after = 3;  // its own presence and two messages
    available(romeo_session);
    CHECK(romeo_session.count("<message") == 2);
    romeo().inbox().room_again();  // as full as before
    settle();
    CHECK(romeo_session.count("<message") == 2);
    romeo_session.full_after = 1000;
    romeo().inbox().room_again();
    settle();
    for (int i = 0; i < 5; ++i)
        CHECK(romeo_session.place_of(fmt::format("id='m{}'", i)) == 1U + static_cast<unsigned>(i));
    CHECK(romeo_session.count("<message") == 5);
    check_done();
}

// ---- stored messages ----

TEST_CASE_FIXTURE(Fixture, "a message given back while a later page is read is read as well") {
    for (int i = 0; i < 150; ++i) arrives(chat(i == 0 ? "first" : "later"));
    settle();
    const auto all = stored("romeo@a.test");
    REQUIRE(all.size() == 150);
    // Another session has the first, and does not acknowledge it.
    const HoldId elsewhere_now =
        hub->ledger.adopt(*Packet::from_bytes(all.front().body),
                          {AccountInbox::store_name, "romeo@a.test", 0}, all.front().id);
    RecordingSession romeo_session(*hub, "romeo@a.test/orchard");
    romeo_session.full_after = 100;  // its own presence, and one page less the first
    available(romeo_session);
    CHECK(romeo_session.count("id='later'") == 99);
    romeo_session.full_after = 1000;
    romeo().inbox().room_again();  // the second page is asked for
    hub->ledger.release(elsewhere_now);
    romeo().inbox().redeliver();
    settle();
    CHECK(romeo_session.count("id='later'") == 149);
    CHECK(romeo_session.count("id='first'") == 1);
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "what comes while stored messages are read comes behind them") {
    for (int i = 0; i < 150; ++i) arrives(chat("stored"));
    settle();
    RecordingSession romeo_session(*hub, "romeo@a.test/orchard");
    sends(romeo_session, "<presence/>");
    arrives(chat("live"), ticket(1));
    settle();
    CHECK(romeo_session.count("id='stored'") == 150);
    CHECK(romeo_session.place_of("id='live'") == 151);
    CHECK(romeo_session.received[151].find("urn:xmpp:delay") == std::string::npos);
    CHECK(elsewhere.safe == Numbers{1});
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "stored messages that cannot be read now are there at the next login") {
    message("stored");
    {
        RecordingSession romeo_session(*hub, "romeo@a.test/orchard");
        store.fail_next_reads(1);
        sends(romeo_session, "<presence/>");
        arrives(chat("live"));
        settle();
        CHECK(romeo_session.count("id='stored'") == 0);
        CHECK(romeo_session.count("id='live'") == 1);
        CHECK_FALSE(romeo().inbox().busy());
        message("later");
        CHECK(romeo_session.count("id='later'") == 1);
    }
    RecordingSession next(*hub, "romeo@a.test/next");
    available(next);
    CHECK(next.count("id='stored'") == 1);
    CHECK(next.count("<message") == 1);
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "a session that leaves while a page is read gets nothing of it") {
    message("m1");
    RecordingSession romeo_session(*hub, "romeo@a.test/orchard");
    sends(romeo_session, "<presence/>");
    arrives(chat("m2"));
    sends(romeo_session, "<presence type='unavailable'/>");
    settle();
    CHECK(romeo_session.count("<message") == 0);
    CHECK(rows() == 2);
    CHECK_FALSE(romeo().inbox().busy());
}

// ---- keeping ----

TEST_CASE_FIXTURE(Fixture,
                  "messages are kept in their order, also while the stored ones are counted") {
    romeo().when_loaded([](const Outcome&) {});
    settle();
    for (std::uint32_t i = 1; i <= 3; ++i) arrives(chat(fmt::format("m{}", i)), ticket(i));
    CHECK(romeo().inbox().busy());
    settle();
    CHECK(elsewhere.safe == Numbers{1, 2, 3});
    const auto kept = stored("romeo@a.test");
    REQUIRE(kept.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(kept[i].body.find(fmt::format("id='m{}'", i + 1)) != std::string::npos);
    }
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "messages that cannot be counted go back, and later ones are kept") {
    romeo().when_loaded([](const Outcome&) {});
    settle();
    store.fail_next_reads(1);
    arrives(chat("m1"), ticket(1));
    arrives(chat("m2"), ticket(2));
    settle();
    REQUIRE(elsewhere.sent.size() == 2);
    CHECK(elsewhere.sent.front().find("<resource-constraint ") != std::string::npos);
    CHECK(elsewhere.safe == Numbers{1, 2});
    message("m3");
    CHECK(rows() == 1);
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "a session that comes while a message is being kept gets it") {
    romeo().when_loaded([](const Outcome&) {});
    settle();
    RecordingSession romeo_session(*hub, "romeo@a.test/orchard");
    SUBCASE("while the stored ones are counted") {
        arrives(chat("m1"), ticket(1));
        sends(romeo_session, "<presence/>");
        settle();
    }
    SUBCASE("while the store writes it") {
        store.hold_commits();
        arrives(chat("m1"), ticket(1));
        settle();
        available(romeo_session);
        message("m2");
        CHECK(romeo_session.count("<message") == 0);
        store.release_commits();
        settle();
        CHECK(romeo_session.place_of("id='m1'") < romeo_session.place_of("id='m2'"));
    }
    CHECK(romeo_session.count("id='m1'") == 1);
    CHECK(elsewhere.safe == Numbers{1});
    check_done();
}

TEST_CASE_FIXTURE(Fixture, "what was delivered no longer counts against what may wait") {
    limit([](Limits& limits) { limits.offline_messages = 2; });
    const auto two_fit = [&] {
        message("m1");
        message("m2");
        CHECK(rows() == 2);
        const std::size_t before = elsewhere.sent.size();
        message("m3");
        CHECK(rows() == 2);
        REQUIRE(elsewhere.sent.size() == before + 1);
        CHECK(elsewhere.sent.back().find("<service-unavailable ") != std::string::npos);
    };
    two_fit();
    {
        RecordingSession romeo_session(*hub, "romeo@a.test/orchard");
        available(romeo_session);
        CHECK(romeo_session.count("<message") == 2);
        pass(2 * Ledger::erase_within);
    }
    settle();
    CHECK(rows() == 0);
    two_fit();
}

TEST_CASE_FIXTURE(Fixture, "messages on their way into the store count against what may wait") {
    limit([](Limits& limits) { limits.offline_messages = 2; });
    message("m0");
    store.hold_commits();
    message("m1");
    message("m2");
    CHECK(elsewhere.sent.size() == 1);
    store.release_commits();
    settle();
    CHECK(rows() == 2);
    check_done();
}

TEST_CASE_FIXTURE(Fixture,
                  "while the store does not say how many wait, so many more wait, and no more") {
    limit([](Limits& limits) { limits.offline_messages = 5000; });
    romeo().when_loaded([](const Outcome&) {});
    settle();
    constexpr std::uint32_t most = 1000;
    for (std::uint32_t i = 1; i <= most + 1; ++i) arrives(chat(std::to_string(i)), ticket(i));
    REQUIRE(elsewhere.sent.size() == 1);
    CHECK(elsewhere.sent[0].find("resource-constraint") != std::string::npos);
    CHECK(elsewhere.safe == Numbers{most + 1});
    settle();
    CHECK(rows() == most);
    CHECK(elsewhere.sent.size() == 1);
    check_done();
}

}  // namespace causeway::test
