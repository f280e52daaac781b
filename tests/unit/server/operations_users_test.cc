// Accounts, contacts and sessions as the control socket sees and changes them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "tests/unit/server/operations_fixture.h"

namespace causeway::test {
namespace {

namespace json = boost::json;

using control::BulkResult;
using control::Done;
using control::NewAccount;
using control::Page;
using control::SessionRow;
using control::UserRow;

struct Fixture : OperationsFixture {
    BulkResult add_all(std::vector<NewAccount> accounts) {
        const auto result = answer_to<BulkResult>(
            [&](auto answer) { operations->add_users(accounts, 1, std::move(answer)); });
        REQUIRE(result.ok());
        return *result;
    }
    std::vector<UserRow> users(const std::string& domain, std::size_t limit) {
        return all_pages<UserRow>(limit, [&](auto page, auto answer) {
            operations->list_users(domain, page, std::move(answer));
        });
    }
    Result<Page<SessionRow>> sessions_of(const std::string& jid) {
        return answer_to<Page<SessionRow>>(
            [&](auto answer) { operations->list_sessions(jid, {}, std::move(answer)); });
    }
    Outcome set_disabled(const std::string& jid, bool disabled) {
        return outcome_of(
            [&](Done done) { operations->set_user_disabled(jid, disabled, std::move(done)); });
    }
    void store_offline(const std::string& bare, std::uint64_t id) {
        Batch batch;
        batch.log_append("offline", bare, {.id = id, .at = 1, .expires = 0, .body = "<message/>"});
        commit(std::move(batch));
    }
};

TEST_CASE_FIXTURE(Fixture, "an added account has keys for its password, and is there once") {
    CHECK(add("Juliet@A.test").ok());
    const auto keys = credentials("juliet@a.test");
    REQUIRE(keys);
    CHECK(verify_plain(*keys, "secret"));
    CHECK_FALSE(verify_plain(*keys, "Secret"));
    const Outcome again = add("juliet@a.test", "other");
    CHECK(again.cause() == Cause::refused);
    CHECK(again.why() == "the account juliet@a.test exists already");
    CHECK(verify_plain(*credentials("juliet@a.test"), "secret"));
    const auto shown = show("juliet@a.test");
    REQUIRE(shown.ok());
    CHECK(shown->user.created == clock.wall());
    CHECK(shown->iterations == 1);
    CHECK(shown->mechanisms ==
          std::vector<std::string>{"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"});
}

TEST_CASE_FIXTURE(Fixture, "what cannot be an account is refused with the reason") {
    CHECK(add("juliet@c.test").why() ==
          "the domain c.test is not served here, only a.test and b.test");
    CHECK(add("juliet@c.test").cause() == Cause::refused);
    for (const char* jid : {"a.test", "juliet@a.test/balcony", "ju liet@a.test", "", "@a.test"}) {
        CAPTURE(jid);
        CHECK(add(jid).cause() == Cause::malformed);
        CHECK(remove(jid).cause() == Cause::malformed);
        CHECK(show(jid).error().cause() == Cause::malformed);
        CHECK(set_disabled(jid, true).cause() == Cause::malformed);
    }
    CHECK(add("juliet@a.test", "\x07").cause() == Cause::malformed);
    CHECK_FALSE(credentials("juliet@a.test"));
}

TEST_CASE_FIXTURE(Fixture, "an account that does not exist cannot be shown or changed") {
    CHECK(show("romeo@a.test").error().why() == "no account romeo@a.test");
    CHECK(remove("romeo@a.test").cause() == Cause::absent);
    CHECK(set_disabled("romeo@a.test", true).cause() == Cause::absent);
    CHECK(contacts("romeo@a.test").error().cause() == Cause::absent);
    CHECK(sessions_of("romeo@a.test").error().cause() == Cause::absent);
    CHECK(outcome_of([&](Done done) {
              operations->set_password({"romeo@a.test", "new"}, 1, std::move(done));
          }).cause() == Cause::absent);
    CHECK_FALSE(credentials("romeo@a.test"));
}

TEST_CASE_FIXTURE(Fixture, "a new password replaces the old one and keeps the rest") {
    REQUIRE(add("juliet@a.test").ok());
    const UnixMillis created = clock.wall();
    clock.advance(Duration{5000});
    CHECK(outcome_of([&](Done done) {
              operations->set_password({"juliet@a.test", "new"}, 2, std::move(done));
          }).ok());
    CHECK(verify_plain(*credentials("juliet@a.test"), "new"));
    CHECK_FALSE(verify_plain(*credentials("juliet@a.test"), "secret"));
    CHECK(show("juliet@a.test")->user.created == created);
    CHECK(show("juliet@a.test")->iterations == 2);
}

TEST_CASE_FIXTURE(Fixture, "of a list, each account counts or is told by its place") {
    REQUIRE(add("first@a.test").ok());
    const BulkResult result = add_all({{"second@a.test", "x"},
                                       {"first@a.test", "x"},
                                       {"third@c.test", "x"},
                                       {"second@a.test", "y"},
                                       {"fourth@b.test", "x"},
                                       {"no account", "x"}});
    CHECK(result.added == 2);
    REQUIRE(result.failures.size() == 4);
    const std::vector<std::size_t> places{1, 2, 3, 5};
    for (std::size_t i = 0; i < places.size(); ++i) CHECK(result.failures[i].index == places[i]);
    CHECK(result.failures[2].outcome.why() == "the account second@a.test exists already");
    CHECK(verify_plain(*credentials("second@a.test"), "x"));
    CHECK(add_all({}).added == 0);
}

TEST_CASE_FIXTURE(Fixture, "a long list leaves room in the store's queue") {
    std::vector<NewAccount> accounts;
    for (int i = 0; i < 700; ++i) accounts.push_back({fmt::format("user{}@a.test", i), "x"});
    std::optional<BulkResult> result;
    store.hold_commits();
    operations->add_users(accounts, 1, [&](Result<BulkResult> answer) { result = *answer; });
    settle();
    CHECK(store.held_commits() == AccountChanges::under_way_limit);
    CHECK_FALSE(result);
    store.release_commits();
    settle();
    REQUIRE(result);
    CHECK(result->added == 700);
    CHECK(result->failures.empty());
}

TEST_CASE_FIXTURE(Fixture, "an account whose commit fails is not there, and may be added again") {
    store.fail_next_commits(1);
    const Outcome failed = add("juliet@a.test");
    CHECK(failed.cause() == Cause::retry);
    CHECK(failed.why() == "the disk is full");
    CHECK_FALSE(credentials("juliet@a.test"));
    CHECK(add("juliet@a.test").ok());
}

TEST_CASE_FIXTURE(Fixture, "changes of one account come one after the other") {
    std::vector<std::string> ends;
    const auto note = [&](const std::string& what) {
        return [&ends, what](const Outcome& end) {
            ends.push_back(fmt::format("{} {}", what, to_string(end.cause())));
        };
    };
    operations->add_user({"juliet@a.test", "one"}, 1, note("add"));
    operations->add_user({"juliet@a.test", "two"}, 1, note("add"));
    operations->remove_user("juliet@a.test", note("remove"));
    operations->set_password({"juliet@a.test", "three"}, 1, note("passwd"));
    settle();
    CHECK(ends == std::vector<std::string>{"add ok", "add refused", "remove ok", "passwd absent"});
    CHECK_FALSE(credentials("juliet@a.test"));
}

TEST_CASE_FIXTURE(Fixture, "an account is there for those who wrote before it was") {
    const Jid bare = *Jid::parse("juliet@a.test");
    Account& user = server->home_of(bare.bare()).hub->accounts->get(bare.bare());
    user.when_loaded([](const Outcome&) {});
    settle();
    CHECK_FALSE(user.exists());
    REQUIRE(add("juliet@a.test").ok());
    CHECK(user.exists());
}

TEST_CASE_FIXTURE(Fixture, "a removed account leaves nothing, and its contacts hear of it") {
    REQUIRE(add("juliet@a.test").ok());
    REQUIRE(add("romeo@b.test").ok());
    befriend("juliet@a.test", "romeo@b.test");
    store_offline("juliet@a.test", 7);
    session("juliet@a.test/balcony");
    settle();
    CHECK(show("juliet@a.test")->offline_stanzas == 1);
    CHECK(show("juliet@a.test")->offline_bytes == 10);
    CHECK(show("juliet@a.test")->sessions == 1);
    CHECK(show("juliet@a.test")->contacts == 1);

    CHECK(remove("juliet@a.test").ok());
    CHECK(show("juliet@a.test").error().cause() == Cause::absent);
    CHECK(log_rows("offline", "juliet@a.test") == 0);
    CHECK(users("", 100).size() == 1);
    const auto rows = contacts("romeo@b.test");
    REQUIRE(rows->size() == 1);
    CHECK(rows->front().at("subscription") == "none");

    REQUIRE(add("juliet@a.test").ok());
    CHECK(contacts("juliet@a.test")->empty());
    CHECK(show("juliet@a.test")->sessions == 0);
}

TEST_CASE_FIXTURE(Fixture, "a new account has nothing of one that had its name") {
    store_offline("juliet@a.test", 7);
    Batch batch;
    batch.archive_append("juliet@a.test", {.id = 9, .with = "romeo@b.test", .body = "x"});
    batch.map_set("roster", "juliet@a.test", "romeo@b.test", "x");
    store.commit(std::move(batch), loop, {});
    REQUIRE(add("juliet@a.test").ok());
    CHECK(log_rows("offline", "juliet@a.test") == 0);
    CHECK(contacts("juliet@a.test")->empty());
    std::optional<std::uint64_t> rows;
    store.archive_total("juliet@a.test", loop,
                        [&](const Result<ArchiveTotals>& total) { rows = total->rows; });
    settle();
    CHECK(rows == 0U);
    store_offline("juliet@a.test", 8);
    REQUIRE(outcome_of([&](Done done) {
                operations->set_password({"juliet@a.test", "new"}, 1, std::move(done));
            }).ok());
    CHECK(log_rows("offline", "juliet@a.test") == 1);
}

TEST_CASE_FIXTURE(Fixture, "a removal that the disk refuses can be asked for again") {
    REQUIRE(add("juliet@a.test").ok());
    store.fail_next_commits(1);
    CHECK(remove("juliet@a.test").cause() == Cause::retry);
    CHECK(credentials("juliet@a.test"));
    CHECK(remove("juliet@a.test").ok());
    CHECK_FALSE(credentials("juliet@a.test"));
}

TEST_CASE_FIXTURE(Fixture, "disabling ends the sessions and keeps everything") {
    REQUIRE(add("juliet@a.test").ok());
    session("juliet@a.test/balcony");
    settle();
    CHECK(sessions_of("juliet@a.test")->rows.size() == 1);
    for (int i = 0; i < 2; ++i) CHECK(set_disabled("juliet@a.test", true).ok());
    CHECK(sessions_of("juliet@a.test")->rows.empty());
    CHECK(show("juliet@a.test")->user.disabled);
    CHECK(users("a.test", 10).front().disabled);
    for (int i = 0; i < 2; ++i) CHECK(set_disabled("juliet@a.test", false).ok());
    CHECK_FALSE(show("juliet@a.test")->user.disabled);
    CHECK(verify_plain(*credentials("juliet@a.test"), "secret"));
}

TEST_CASE_FIXTURE(Fixture, "accounts are listed in pages, each once and in order") {
    std::vector<NewAccount> accounts;
    for (int i = 0; i < 250; ++i) {
        accounts.push_back({fmt::format("user{:03}@{}.test", i, i % 2 == 0 ? "a" : "b"), "x"});
    }
    REQUIRE(add_all(accounts).added == 250);
    for (const std::size_t limit : {1U, 17U, 100U, 1000U}) {
        CAPTURE(limit);
        const auto all = users("", limit);
        REQUIRE(all.size() == 250);
        for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i].jid == accounts[i].jid);
        const auto of_b = users("B.test", limit);
        CHECK(of_b.size() == 125);
        CHECK(std::ranges::all_of(of_b, [](const UserRow& row) {
            return row.jid.ends_with("@b.test") && row.created != 0;
        }));
    }
    CHECK(answer_to<Page<UserRow>>(
              [&](auto answer) { operations->list_users("c.test", {}, std::move(answer)); })
              .error()
              .cause() == Cause::absent);
}

TEST_CASE_FIXTURE(Fixture, "sessions of all shards are listed, and can be ended one by one") {
    for (int i = 0; i < 8; ++i) {
        REQUIRE(add(fmt::format("user{}@a.test", i)).ok());
        session(fmt::format("user{}@a.test/one", i));
        session(fmt::format("user{}@a.test/two", i));
    }
    settle();
    const auto list = [&] {
        return all_pages<SessionRow>(1, [&](auto page, auto answer) {
            operations->list_sessions("", page, std::move(answer));
        });
    };
    CHECK(list().size() == 16);
    CHECK(list().front().state == "detached");
    CHECK(sessions_of("user3@a.test")->rows.size() == 2);
    CHECK(sessions_of("user3@a.test/two")->rows.front().resource == "two");

    const auto kill = [&](const std::string& jid) {
        return outcome_of([&](Done done) { operations->kill_session(jid, std::move(done)); });
    };
    CHECK(kill("user3@a.test/two").ok());
    CHECK(kill("user3@a.test/two").why() == "no session user3@a.test/two");
    CHECK(kill("user3@a.test").cause() == Cause::malformed);
    CHECK(sessions_of("user3@a.test/two").error().cause() == Cause::absent);
    CHECK(sessions_of("user3@a.test")->rows.size() == 1);
    CHECK(list().size() == 15);
}

TEST_CASE_FIXTURE(Fixture, "contacts are shown as the store has them, removed ones not") {
    REQUIRE(add("juliet@a.test").ok());
    Batch batch;
    Roster roster;
    const auto put = [&](const std::string& jid, SubscriptionState state, bool listed,
                         bool removed) {
        RosterItem item;
        item.jid = *Jid::parse(jid);
        item.name = listed ? "Nurse" : "";
        item.groups = listed ? std::vector<std::string>{"House"} : std::vector<std::string>{};
        item.state = state;
        item.listed = listed;
        item.removed = removed;
        roster.apply(roster.plan(batch, "juliet@a.test", item, true));
    };
    put("nurse@a.test", {.from = true, .pending_out = true}, true, false);
    put("paris@a.test", {.pending_in = true}, false, false);
    put("tybalt@a.test", {.approved = true}, false, false);
    put("rosaline@a.test", {}, false, true);
    commit(std::move(batch));
    const auto rows = contacts("juliet@a.test");
    REQUIRE(rows.ok());
    REQUIRE(rows->size() == 1);
    CHECK(rows->front() == json::parse(R"({"jid":"nurse@a.test","name":"Nurse","groups":["House"],)"
                                       R"("subscription":"from","pending_out":true,)"
                                       R"("pending_in":false,"approved":false,"listed":true})"));
    control::Recorded recorded;
    run("subscriptions", R"({"jid":"juliet@a.test"})", recorded);
    REQUIRE(recorded.answer->ok());
    CHECK(recorded.answer->value() ==
          json::parse(R"({"jid":"juliet@a.test","subscribers":["nurse@a.test"],)"
                      R"("subscribed_to":[],"pending_in":["paris@a.test"],)"
                      R"("pending_out":["nurse@a.test"],"approved":["tybalt@a.test"]})"));
    control::Recorded nobody;
    run("subscriptions", R"({"jid":"nobody@a.test"})", nobody);
    CHECK(nobody.answer->error().why() == "no account nobody@a.test");
    control::Recorded nonsense;
    run("roster.show", R"({"jid":"a.test"})", nonsense);
    CHECK(nonsense.answer->error().cause() == Cause::malformed);
}

TEST_CASE_FIXTURE(Fixture, "who here is subscribed to whom at another domain") {
    Batch batch;
    for (const std::string owner : {"juliet@a.test", "nurse@a.test"}) {
        Roster roster;
        for (const std::string contact :
             {"romeo@b.test", "b.test", "x@sub.b.test", "y@bb.test", "paris@a.test"}) {
            RosterItem item;
            item.jid = *Jid::parse(contact);
            item.state = {.to = true, .from = owner == "nurse@a.test" && contact == "b.test"};
            item.listed = true;
            roster.apply(roster.plan(batch, owner, item, true));
        }
    }
    commit(std::move(batch));
    control::Recorded recorded;
    run("subscriptions", R"({"domain":"B.test"})", recorded);
    REQUIRE(recorded.answer->ok());
    CHECK(recorded.answer->value() ==
          json::parse(R"({"domain":"b.test","here_to_there":[)"
                      R"({"here":"juliet@a.test","there":"b.test"},)"
                      R"({"here":"juliet@a.test","there":"romeo@b.test"},)"
                      R"({"here":"nurse@a.test","there":"b.test"},)"
                      R"({"here":"nurse@a.test","there":"romeo@b.test"}],)"
                      R"("there_to_here":[{"here":"nurse@a.test","there":"b.test"}],)"
                      R"("more":false})"));
    control::Recorded not_an_option, both, neither;
    run("subscriptions", R"({"jid":"b.test"})", not_an_option);
    CHECK(not_an_option.answer->error().cause() == Cause::malformed);
    CHECK(not_an_option.answer->error().why().ends_with(": subscriptions --domain b.test"));
    run("subscriptions", R"({"domain":"b.test","jid":"juliet@a.test"})", both);
    CHECK(both.answer->error().cause() == Cause::malformed);
    run("subscriptions", "{}", neither);
    CHECK(neither.answer->error().cause() == Cause::malformed);
}

}  // namespace
}  // namespace causeway::test
