// An account from the first need for it to the last: loading, waiting, reloading, rest.
#include <fmt/format.h>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct Fixture : AccountFixture {
    Fixture() { add_account("romeo@a.test"); }
    Account& romeo() { return account("romeo@a.test"); }
    void put(std::string_view key, std::string value) {
        Batch batch;
        batch.map_set(account_store::store_name, "romeo@a.test", key, std::move(value));
        commit(std::move(batch));
    }
    void contact(const std::string& jid, const std::string& row) {
        Batch batch;
        batch.map_set(Roster::store_name, "romeo@a.test", jid, row);
        commit(std::move(batch));
    }
    /// What is heard of a wait for the account, once it is over.
    std::vector<bool> heard;
    Account::Task hear() {
        return [this](const Outcome& outcome) { heard.push_back(outcome.ok()); };
    }
};

using Heard = std::vector<bool>;

}  // namespace

// ---- loading ----

TEST_CASE_FIXTURE(Fixture, "what is stored while the account is being read is read again") {
    romeo().when_loaded(hear());
    settle();
    romeo().reload();  // the questions are answered as the store has it now
    romeo().stored_anew();
    contact("juliet@b.test", R"({"listed":true,"from":true,"version":1})");
    settle();
    CHECK(romeo().loaded());
    CHECK(romeo().presence_visible_to(*Jid::parse("juliet@b.test")));
}

TEST_CASE_FIXTURE(Fixture, "an account that cannot be read now is read when it is needed again") {
    SUBCASE("who it is") { store.fail_next_reads(1); }
    SUBCASE("its contacts") {
        store.fail_next_reads(1);
        store.spare_next_reads(1);
    }
    romeo().when_loaded(hear());
    CHECK(romeo().busy());
    settle();
    CHECK(heard == Heard{false});
    CHECK_FALSE(romeo().exists());
    CHECK_FALSE(romeo().barred());
    CHECK_FALSE(romeo().busy());
    romeo().when_loaded(hear());
    settle();
    CHECK(heard == Heard{false, true});
    CHECK(romeo().exists());
}

TEST_CASE_FIXTURE(Fixture, "a session of an account that could not be read stays") {
    store.fail_next_reads(1);
    RecordingSession session(*hub, "romeo@a.test/orchard");
    settle();
    CHECK(session.evicted.empty());
    sends(session, "<presence/>");
    settle();
    CHECK(session.count("<presence") == 1);
}

TEST_CASE_FIXTURE(Fixture, "keys that cannot be read are no account that is missing") {
    put(account_store::credentials_key, "nonsense");
    romeo().when_loaded(hear());
    settle();
    CHECK(heard == Heard{false});
    CHECK_FALSE(romeo().barred());
}

TEST_CASE_FIXTURE(Fixture, "only ten thousand operations wait for an account to be loaded") {
    for (std::size_t i = 0; i < Account::waiting_limit; ++i) romeo().when_loaded(hear());
    CHECK(heard.empty());
    romeo().when_loaded(hear());
    CHECK(heard == Heard{false});
    settle();
    CHECK(heard.size() == Account::waiting_limit + 1);
    CHECK(std::ranges::count(heard, true) == Account::waiting_limit);
}

TEST_CASE_FIXTURE(Fixture, "only ten thousand changes wait for a roster that is being written") {
    romeo().when_loaded(hear());
    settle();
    heard.clear();
    store.hold_commits();
    AccountRoster& roster = romeo().roster();
    const auto add = [&](std::size_t number) {
        roster.change(
            [&roster, number](Batch& batch, AccountRoster::Change& change) -> Outcome {
                RosterItem item;
                item.jid = *Jid::parse(fmt::format("c{}@a.test", number));
                item.listed = true;
                roster.plan_item(batch, change, item, true);
                return {};
            },
            hear());
    };
    add(0);
    for (std::size_t i = 0; i < AccountRoster::waiting_limit; ++i) roster.in_order(hear());
    CHECK(heard.empty());
    add(1);
    CHECK(heard == Heard{false});
    CHECK(romeo().busy());
    store.release_commits();
    settle();
    CHECK(heard.size() == AccountRoster::waiting_limit + 2);
    CHECK(std::ranges::count(heard, false) == 1);
    CHECK(roster.items().listed_count() == 1);
    CHECK_FALSE(romeo().busy());
}

// ---- changes from outside ----

TEST_CASE_FIXTURE(Fixture,
                  "an account that is disabled or removed ends its sessions when it is read") {
    RecordingSession one(*hub, "romeo@a.test/one");
    RecordingSession two(*hub, "romeo@a.test/two");
    settle();
    CHECK(romeo().exists());
    CHECK_FALSE(romeo().barred());
    SUBCASE("disabled") {
        put(account_store::disabled_key, "1");
        hub->accounts->forget("romeo@a.test");
        settle();
        CHECK(romeo().exists());
    }
    SUBCASE("removed") {
        Batch batch;
        batch.map_erase(account_store::store_name, "romeo@a.test", account_store::credentials_key);
        commit(std::move(batch));
        hub->accounts->forget("romeo@a.test");
        settle();
        CHECK_FALSE(romeo().exists());
    }
    CHECK(romeo().barred());
    CHECK(one.evicted == stream_error::not_authorized);
    CHECK(two.evicted == stream_error::not_authorized);
    CHECK(romeo().sessions().empty());
}

TEST_CASE_FIXTURE(Fixture, "an account that nobody uses is not loaded because it changed") {
    hub->accounts->forget("romeo@a.test");
    settle();
    CHECK(hub->accounts->find("romeo@a.test") == nullptr);
    CHECK(hub->accounts->size() == 0);
}

TEST_CASE_FIXTURE(Fixture, "rows that were removed from outside no longer count") {
    limit([](Limits& limits) { limits.offline_messages = 1; });
    const std::string message =
        "<message to='romeo@a.test' from='nurse@b.test/x' type='chat'><body>x</body></message>";
    arrives(message);
    settle();
    const auto rows = stored("romeo@a.test");
    REQUIRE(rows.size() == 1);
    Batch batch;
    batch.log_erase(AccountInbox::store_name, "romeo@a.test", rows.front().id);
    commit(std::move(batch));
    hub->accounts->forget("romeo@a.test");
    settle();
    arrives(message);
    settle();
    CHECK(elsewhere.sent.empty());
    CHECK(stored("romeo@a.test").size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "contacts that were changed from outside are seen after that") {
    romeo().when_loaded(hear());
    settle();
    CHECK_FALSE(romeo().presence_visible_to(*Jid::parse("juliet@a.test")));
    contact("juliet@a.test", R"({"listed":true,"from":true,"version":1})");
    hub->accounts->forget("romeo@a.test");
    CHECK_FALSE(romeo().at_rest());
    settle();
    CHECK(romeo().presence_visible_to(*Jid::parse("juliet@a.test/balcony")));
    CHECK(romeo().presence_visible_to(*Jid::parse("romeo@a.test/other")));
    CHECK_FALSE(romeo().presence_visible_to(*Jid::parse("nurse@a.test")));
}

// ---- rest ----

TEST_CASE_FIXTURE(Fixture, "an account is dropped when nothing is left to do, oldest first") {
    const auto use = [&](const std::string& bare) {
        const RecordingSession passing(*hub, bare + "/x");
        settle();
    };
    use("romeo@a.test");
    const auto others = [&](std::size_t first, std::size_t count) {
        for (std::size_t i = first; i < first + count; ++i) use(fmt::format("user{}@a.test", i));
    };
    SUBCASE("a session that came and went") {
        others(0, Accounts::idle_limit + 1);
        CHECK(hub->accounts->find("romeo@a.test") == nullptr);
        CHECK(hub->accounts->size() <= Accounts::idle_limit);
    }
    SUBCASE("one that comes and goes all the time makes room for none") {
        for (std::size_t i = 0; i < Accounts::idle_limit + 1; ++i) use("nurse@a.test");
        CHECK(hub->accounts->find("romeo@a.test") != nullptr);
        others(0, Accounts::idle_limit - 1);
        CHECK(hub->accounts->find("romeo@a.test") == nullptr);
        CHECK(hub->accounts->find("nurse@a.test") != nullptr);
        CHECK(hub->accounts->size() == Accounts::idle_limit);
    }
    SUBCASE("a message is being written meanwhile") {
        store.hold_commits();
        arrives(
            "<message to='romeo@a.test' from='nurse@b.test/x' "
            "type='chat'><body>x</body></message>");
        settle();
        CHECK(romeo().busy());
        others(0, Accounts::idle_limit + 1);
        CHECK(hub->accounts->find("romeo@a.test") != nullptr);
        store.release_commits();
        settle();
        CHECK_FALSE(romeo().busy());
        CHECK(stored("romeo@a.test").size() == 1);
        others(2000, Accounts::idle_limit + 1);
        CHECK(hub->accounts->find("romeo@a.test") == nullptr);
    }
    SUBCASE("a contact is being written meanwhile") {
        store.hold_commits();
        arrives("<presence to='romeo@a.test' from='nurse@b.test' type='subscribe'/>");
        settle();
        others(0, Accounts::idle_limit + 1);
        CHECK(hub->accounts->find("romeo@a.test") != nullptr);
        store.release_commits();
        settle();
        CHECK_FALSE(romeo().busy());
    }
}

TEST_CASE_FIXTURE(Fixture,
                  "online accounts are those with a session, and their sessions are counted") {
    add_account("juliet@a.test");
    RecordingSession one(*hub, "romeo@a.test/one");
    RecordingSession two(*hub, "romeo@a.test/two");
    { const RecordingSession gone(*hub, "juliet@a.test/x"); }
    settle();
    CHECK(hub->accounts->session_count() == 2);
    std::vector<std::string> online;
    hub->accounts->each_online([&](Account& found) { online.emplace_back(found.jid().bare()); });
    CHECK(online == std::vector<std::string>{"romeo@a.test"});
}

// ---- what a session sends while something is under way ----

TEST_CASE_FIXTURE(Fixture, "a session that is gone when it is its turn did not speak") {
    store.hold_commits();
    arrives("<presence to='romeo@a.test' from='nurse@b.test' type='subscribe'/>");
    settle();
    {
        RecordingSession session(*hub, "romeo@a.test/orchard");
        sends(session, "<presence/>");
        sends(session, "<iq type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
        settle();
        CHECK(session.received.empty());
    }
    store.release_commits();
    settle();
    CHECK(romeo().sessions().empty());
    CHECK(elsewhere.sent.empty());
}

TEST_CASE_FIXTURE(Fixture, "presence and requests of a session wait for the roster") {
    contact("juliet@b.test", R"({"listed":true,"from":true,"version":1})");
    RecordingSession session(*hub, "romeo@a.test/orchard");
    settle();
    store.hold_commits();
    arrives("<presence to='romeo@a.test' from='nurse@b.test' type='subscribe'/>");
    sends(session, "<presence/>");
    sends(session, "<presence to='tybalt@b.test'/>");
    sends(session, "<iq type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    settle();
    CHECK(session.received.empty());
    CHECK(elsewhere.sent.empty());
    store.release_commits();
    settle();
    CHECK(session.count("<presence") == 2);  // its own, and the request that waited
    CHECK(session.count("<iq") == 1);
    REQUIRE(elsewhere.sent.size() == 2);
    CHECK(elsewhere.sent[0].find("to='juliet@b.test'") != std::string::npos);
    CHECK(elsewhere.sent[1].find("to='tybalt@b.test'") != std::string::npos);
}

}  // namespace causeway::test
