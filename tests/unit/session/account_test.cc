// The parts of an account: sessions, roster, presence, inbox, and the points that lead a stanza
// through it.
#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

constexpr std::string_view available = "<presence/>";

std::string chat(const std::string& id, const std::string& to = "romeo@a.test") {
    return "<message to='" + to + "' from='nurse@b.test/x' id='" + id +
           "' type='chat'><body>x</body></message>";
}

TEST_CASE_FIXTURE(AccountFixture, "only the sessions of the highest priority get a message") {
    add_account("romeo@a.test");
    RecordingSession low(*hub, "romeo@a.test/low");
    RecordingSession high(*hub, "romeo@a.test/high");
    RecordingSession high_too(*hub, "romeo@a.test/high-too");
    RecordingSession negative(*hub, "romeo@a.test/negative");
    sends(high, "<presence><priority>7</priority></presence>");
    sends(low, "<presence><priority>3</priority></presence>");
    sends(high_too, "<presence><priority>7</priority></presence>");
    sends(negative, "<presence><priority>-1</priority></presence>");
    settle();
    arrives(chat("m1"));
    settle();
    CHECK(high.count("id='m1'") == 1);
    CHECK(high_too.count("id='m1'") == 1);
    CHECK(low.count("id='m1'") == 0);
    CHECK(negative.count("id='m1'") == 0);
    CHECK(account("romeo@a.test").sessions().best().size() == 2);
}

TEST_CASE_FIXTURE(AccountFixture, "what waits is read in the order in which it came, whole pages") {
    add_account("romeo@a.test");
    for (int i = 0; i < 250; ++i) arrives(chat("m" + std::to_string(i)));
    settle();
    REQUIRE(stored("romeo@a.test").size() == 250);
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    sends(romeo, std::string(available));
    settle();
    std::vector<std::string> numbers;
    for (const std::string& bytes : romeo.received) {
        const auto at = bytes.find(" id='m");
        if (at != std::string::npos)
            numbers.push_back(bytes.substr(at + 6, bytes.find('\'', at + 6) - at - 6));
    }
    REQUIRE(numbers.size() == 250);
    for (std::size_t i = 0; i < numbers.size(); ++i) CHECK(numbers[i] == std::to_string(i));
    pass(Duration{5000});
    CHECK(stored("romeo@a.test").empty());
}

TEST_CASE_FIXTURE(AccountFixture, "a session that is full gets the rest when it has room") {
    add_account("romeo@a.test");
    for (int i = 0; i < 3; ++i) arrives(chat("m" + std::to_string(i)));
    settle();
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    romeo.full = true;
    sends(romeo, std::string(available));
    settle();
    CHECK(romeo.count("<body>") == 0);
    arrives(chat("m3"));
    settle();
    CHECK(romeo.count("<body>") == 0);
    romeo.full = false;
    account("romeo@a.test").inbox().room_again();
    settle();
    CHECK(romeo.count("<body>") == 4);
    CHECK(romeo.received.back().find("id='m3'") != std::string::npos);
}

TEST_CASE_FIXTURE(AccountFixture,
                  "live messages for a client that is full wait until it has room") {
    add_account("romeo@a.test");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    sends(romeo, std::string(available));
    settle();
    romeo.full = true;
    for (const char* id : {"m1", "m2"}) arrives(chat(id));
    settle();
    CHECK(romeo.count("<message") == 0);
    romeo.full = false;
    account("romeo@a.test").inbox().room_again();
    settle();
    CHECK(romeo.count("id='m1'") == 1);
    CHECK(romeo.count("id='m2'") == 1);
}

TEST_CASE_FIXTURE(AccountFixture, "what waited for two sessions is over when both have it") {
    add_account("romeo@a.test");
    arrives(chat("m0"));
    settle();
    RecordingSession one(*hub, "romeo@a.test/one");
    RecordingSession two(*hub, "romeo@a.test/two");
    one.full = two.full = true;
    sends(one, std::string(available));
    sends(two, std::string(available));
    settle();
    arrives(chat("m1"), {.holder = 7, .shard = 0, .number = 1});
    settle();
    CHECK(one.count("id='m1'") + two.count("id='m1'") == 0);
    one.full = two.full = false;
    account("romeo@a.test").inbox().room_again();
    pass(Ledger::erase_within + 2 * TimerWheel::tick);
    CHECK(one.count("id='m1'") == 1);
    CHECK(two.count("id='m1'") == 1);
    CHECK(elsewhere.safe == std::vector<std::uint32_t>{1});
    CHECK(hub->ledger.open() == 0);
}

TEST_CASE_FIXTURE(AccountFixture, "a roster push waits for no acknowledgement of a message") {
    add_account("romeo@a.test");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    romeo.interested = true;
    romeo.acknowledging = false;
    sends(romeo, "<presence type='subscribe' to='juliet@b.test'/>");
    settle();
    CHECK(romeo.count("jabber:iq:roster") == 1);
    CHECK(romeo.holds.empty());
}

TEST_CASE_FIXTURE(AccountFixture,
                  "an account that is in use again stays while others are dropped") {
    add_account("romeo@a.test");
    { const RecordingSession before(*hub, "romeo@a.test/before"); }
    settle();
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    const Account* const used = hub->accounts->find("romeo@a.test");
    REQUIRE(used != nullptr);
    for (std::size_t i = 0; i < Accounts::idle_limit + 1; ++i) {
        const std::string other = "user" + std::to_string(i) + "@a.test";
        const RecordingSession passing(*hub, other + "/x");
    }
    settle();
    CHECK(hub->accounts->find("romeo@a.test") == used);
    CHECK(hub->accounts->find("user0@a.test") == nullptr);
}

TEST_CASE_FIXTURE(AccountFixture, "rows whose time is over neither count nor are delivered") {
    add_account("romeo@a.test");
    Batch batch;
    for (std::size_t i = 0; i < config->limits.offline_messages; ++i) {
        batch.log_append(AccountInbox::store_name, "romeo@a.test",
                         {.id = ids.next_id(), .at = 1, .expires = 2, .body = chat("old")});
    }
    commit(std::move(batch));
    arrives(chat("new"), {.holder = 7, .shard = 0, .number = 1});
    settle();
    CHECK(elsewhere.sent.empty());  // no error went back to its sender
    CHECK(elsewhere.safe == std::vector<std::uint32_t>{1});
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    sends(romeo, std::string(available));
    settle();
    CHECK(romeo.count("id='old'") == 0);
    CHECK(romeo.count("id='new'") == 1);
}

TEST_CASE_FIXTURE(AccountFixture, "the quota is exact, whatever commits fail on the way") {
    add_account("romeo@a.test");
    const std::size_t limit = config->limits.offline_messages;
    store.fail_next_commits(3);
    for (int i = 0; i < 3; ++i) {
        arrives(chat("failed"));
        settle();
    }
    CHECK(elsewhere.sent.size() == 3);
    for (std::size_t i = 0; i < limit; ++i) arrives(chat("kept"));
    settle();
    CHECK(elsewhere.sent.size() == 3);
    arrives(chat("too-many"));
    settle();
    CHECK(elsewhere.sent.size() == 4);
    CHECK(stored("romeo@a.test").size() == limit);
}

TEST_CASE_FIXTURE(AccountFixture, "a row that cannot be read costs one message") {
    add_account("romeo@a.test");
    arrives(chat("m1"));
    settle();
    Batch batch;
    batch.log_append(AccountInbox::store_name, "romeo@a.test",
                     {.id = ids.next_id(), .at = 1, .body = "<message"});
    commit(std::move(batch));
    arrives(chat("m2"));
    settle();
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    sends(romeo, std::string(available));
    settle();
    CHECK(romeo.count("id='m1'") == 1);
    CHECK(romeo.count("id='m2'") == 1);
}

TEST_CASE_FIXTURE(AccountFixture, "a roster row that cannot be read costs one contact") {
    add_account("romeo@a.test");
    Batch batch;
    batch.map_set(Roster::store_name, "romeo@a.test", "juliet@a.test",
                  "{\"listed\":true,\"version\":1}");
    batch.map_set(Roster::store_name, "romeo@a.test", "nurse@a.test", "{\"listed");
    commit(std::move(batch));
    Account& romeo = account("romeo@a.test");
    romeo.when_loaded([](const Outcome& outcome) { CHECK(outcome.ok()); });
    settle();
    CHECK(romeo.exists());
    CHECK(romeo.roster().items().items().size() == 1);
}

TEST_CASE_FIXTURE(AccountFixture, "contacts see an account that is disabled go") {
    add_account("romeo@a.test");
    add_account("juliet@a.test");
    Batch batch;
    batch.map_set(Roster::store_name, "romeo@a.test", "juliet@a.test",
                  "{\"listed\":true,\"from\":true,\"version\":1}");
    commit(std::move(batch));
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    sends(juliet, std::string(available));
    sends(romeo, std::string(available));
    settle();
    Batch disable;
    disable.map_set(account_store::store_name, "romeo@a.test", account_store::disabled_key, "1");
    commit(std::move(disable));
    hub->accounts->forget("romeo@a.test");
    account("romeo@a.test").sessions().evict_all(stream_error::not_authorized, "disabled");
    settle();
    CHECK(romeo.evicted == stream_error::not_authorized);
    CHECK(juliet.count("type='unavailable'") == 1);
}

TEST_CASE_FIXTURE(AccountFixture,
                  "an account that is loaded anew while it is being read is read again") {
    Account& romeo = account("romeo@a.test");
    std::vector<bool> there;
    romeo.when_loaded([&](const Outcome&) { there.push_back(romeo.exists()); });
    Batch batch;
    account_store::plan(batch, "romeo@a.test", *make_credentials("secret", 1), 1);
    store.commit(std::move(batch), loop, {});
    romeo.reload();
    settle();
    CHECK(there == std::vector<bool>{true});
}

// ---- points ----

struct Seen final : SlotState {
    int messages = 0;
};
constexpr Slot<Seen> seen_slot{"seen"};

Verdict count_messages(AtAccount& at) {
    ++at.account.slots.make(seen_slot).messages;
    return Verdict::next;
}
Verdict refuse_secrets(AtAccount& at) {
    if (at.packet->bytes().find("secret") == std::string_view::npos) return Verdict::next;
    return at.refuse({.condition = StanzaCondition::policy_violation, .text = "no secrets"});
}
Verdict take_parcels(AtAccount& at) {
    if (at.packet->bytes().find("parcel") == std::string_view::npos) return Verdict::next;
    at.hub.settle(at.ticket);
    return Verdict::taken;
}
Verdict drop_noise(AtAccount& at) {
    return at.packet->bytes().find("noise") == std::string_view::npos ? Verdict::next
                                                                      : Verdict::dropped;
}
constexpr std::array hooks{
    AtAccountHook{StanzaKind::message, Phase::copy, count_messages},
    AtAccountHook{StanzaKind::message, Phase::check, refuse_secrets},
    AtAccountHook{StanzaKind::message, Phase::privacy, take_parcels},
    AtAccountHook{StanzaKind::message, Phase::privacy, drop_noise},
};
const Feature counting{.name = "counting", .points = {.at_account = hooks}};

Verdict hide_from_nurse(AtAccount& at) {
    return at.packet->from().bare() == "nurse@b.test" ? Verdict::dropped : Verdict::next;
}
constexpr std::array presence_hooks{
    AtAccountHook{StanzaKind::presence, Phase::privacy, hide_from_nurse}};
const Feature hiding{.name = "hiding", .points = {.at_account = presence_hooks}};

struct HidingFixture : AccountFixture {
    HidingFixture() : AccountFixture({&hiding}) {}
};

TEST_CASE_FIXTURE(HidingFixture,
                  "presence passes the point, alone and to many, and so do requests") {
    add_account("romeo@a.test");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    sends(romeo, std::string(available));
    settle();
    const Jid to = *Jid::parse("romeo@a.test");
    for (const std::string from : {"nurse@b.test/x", "juliet@b.test/x"}) {
        arrives("<presence to='romeo@a.test' from='" + from + "'><status>one</status></presence>");
        hub->routing->fan_out(
            *Packet::from_bytes("<presence from='" + from + "'><status>two</status></presence>"),
            {&to});
        arrives("<presence to='romeo@a.test' from='" + from + "' type='subscribe'/>");
    }
    settle();
    CHECK(romeo.count("from='nurse@b.test") == 0);
    CHECK(romeo.count("<status>one</status>") == 1);
    CHECK(romeo.count("<status>two</status>") == 1);
    CHECK(romeo.count("type='subscribe'") == 1);
}

struct PointsFixture : AccountFixture {
    PointsFixture() : AccountFixture({&counting}) {}
    void message(const std::string& body, std::uint32_t number) {
        arrives("<message to='romeo@a.test' from='nurse@b.test/x' id='m' type='chat'><body>" +
                    body + "</body></message>",
                {.holder = 7, .shard = 0, .number = number});
        settle();
    }
};

TEST_CASE_FIXTURE(PointsFixture,
                  "the first verdict ends a point, and every ticket is settled once") {
    add_account("romeo@a.test");
    message("hello", 1);
    message("a secret", 2);
    message("a parcel", 3);
    message("noise", 4);
    CHECK(elsewhere.safe == std::vector<std::uint32_t>{1, 2, 3, 4});
    CHECK(stored("romeo@a.test").size() == 1);
    REQUIRE(elsewhere.sent.size() == 1);
    CHECK(elsewhere.sent.front().find("policy-violation") != std::string::npos);
    const Seen* seen = account("romeo@a.test").slots.get(seen_slot);
    REQUIRE(seen != nullptr);
    CHECK(seen->messages == 1);  // phases in their order, not in that of the table
    account("romeo@a.test").slots.drop(seen_slot);
    CHECK(account("romeo@a.test").slots.get(seen_slot) == nullptr);
}

}  // namespace
}  // namespace causeway::test
