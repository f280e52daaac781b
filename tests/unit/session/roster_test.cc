#include "gateway/session/roster.h"

#include <doctest/doctest.h>

namespace causeway {
namespace {

RosterItem listed(const char* jid) {
    RosterItem item;
    item.jid = *Jid::parse(jid);
    item.listed = true;
    return item;
}

/// What a store would hold after those batches.
std::vector<MapEntry> entries_of(const std::vector<Batch>& batches) {
    std::map<std::string, std::string> kept;
    for (const Batch& batch : batches) {
        for (const Batch::Operation& operation : batch.operations()) {
            if (const auto* set = std::get_if<Batch::MapSet>(&operation))
                kept[set->key] = set->value;
            if (const auto* erase = std::get_if<Batch::MapErase>(&operation))
                kept.erase(erase->key);
        }
    }
    std::vector<MapEntry> entries;
    for (const auto& [key, value] : kept) entries.push_back({"o", key, value});
    return entries;
}

void change(Roster& roster, std::vector<Batch>& batches, const char* jid) {
    Batch batch;
    roster.apply(roster.plan(batch, "o", listed(jid), true));
    batches.push_back(std::move(batch));
}

TEST_CASE("a client's version is known while every change since is") {
    Roster roster;
    std::vector<Batch> batches;
    change(roster, batches, "one@a.test");
    const std::string first = roster.version_text(roster.version());
    change(roster, batches, "two@a.test");
    CHECK(roster.since(first) == 1U);
    CHECK(roster.since(roster.version_text(2)) == 2U);
    CHECK_FALSE(roster.since("x7"));
    CHECK_FALSE(roster.since(""));
    CHECK_FALSE(roster.since("1"));

    // It is read again: what was told before still holds, and a change begins another random part.
    Roster again = Roster::from_store("o", entries_of(batches));
    CHECK(again.version() == 2);
    CHECK(again.since(first) == 1U);
    change(again, batches, "three@a.test");
    CHECK(again.since(first) == 1U);
    CHECK(again.version_text(3).substr(0, 8) != first.substr(0, 8));
}

TEST_CASE("a roster that was made anew does not know the versions of the one before") {
    Roster old;
    std::vector<Batch> batches;
    for (const char* jid : {"one@a.test", "two@a.test", "three@a.test"}) change(old, batches, jid);
    Roster made_anew;
    std::vector<Batch> others;
    for (const char* jid : {"a@a.test", "b@a.test", "c@a.test", "d@a.test"}) {
        change(made_anew, others, jid);
    }
    CHECK_FALSE(made_anew.since(old.version_text(3)));
    CHECK_FALSE(made_anew.since(old.version_text(1)));
}

TEST_CASE("a roster restored from a backup does not know what came after the backup") {
    Roster roster;
    std::vector<Batch> batches;
    for (const char* jid : {"one@a.test", "two@a.test"}) change(roster, batches, jid);
    const std::vector<MapEntry> backup = entries_of(batches);
    for (const char* jid : {"three@a.test", "four@a.test"}) change(roster, batches, jid);
    const std::string lost = roster.version_text(3);

    Roster restored = Roster::from_store("o", backup);
    CHECK_FALSE(restored.since(lost));
    std::vector<Batch> after;
    for (const char* jid : {"x@a.test", "y@a.test", "z@a.test"}) change(restored, after, jid);
    CHECK_FALSE(restored.since(lost));
    CHECK(restored.since(roster.version_text(2)) == 2U);
}

TEST_CASE("what is applied on trial is taken back") {
    Roster roster;
    std::vector<Batch> batches;
    for (const char* jid : {"one@a.test", "two@a.test"}) change(roster, batches, jid);
    const std::string version = roster.version_text(roster.version());
    {
        RosterTrial trial(roster);
        Batch batch;
        RosterItem renamed = listed("one@a.test");
        renamed.name = "One";
        CHECK(trial.apply(roster.plan(batch, "o", renamed, true)));
        CHECK(trial.apply(roster.plan(batch, "o", listed("three@a.test"), true)));
        RosterItem gone = listed("two@a.test");
        gone.listed = false;
        gone.removed = true;
        CHECK(trial.apply(roster.plan(batch, "o", gone, true)));
        renamed.name = "Again";
        CHECK(trial.apply(roster.plan(batch, "o", renamed, true)));
        CHECK(roster.version() == 6);
        CHECK(roster.listed_count() == 2);
        CHECK(roster.find(*Jid::parse("one@a.test"))->name == "Again");
        // Nothing can be planned on top of an item of which nothing is kept.
        RosterItem blank;
        blank.jid = *Jid::parse("one@a.test");
        CHECK_FALSE(trial.apply(blank));
    }
    CHECK(roster.version_text(roster.version()) == version);
    CHECK(roster.listed_count() == 2);
    CHECK(roster.items().size() == 2);
    CHECK(roster.find(*Jid::parse("one@a.test"))->name.empty());
    CHECK(roster.find(*Jid::parse("two@a.test"))->listed);
}

TEST_CASE("a row that cannot be read is passed over") {
    Roster roster;
    std::vector<Batch> batches;
    for (const char* jid : {"one@a.test", "two@a.test"}) change(roster, batches, jid);
    std::vector<MapEntry> entries = entries_of(batches);
    entries.push_back({"o", "bad@a.test", "not json"});
    CHECK(Roster::from_store("o", entries).items().size() == 2);
}

void remove(Roster& roster, std::vector<Batch>& batches, const char* jid) {
    Batch batch;
    RosterItem item;
    item.jid = *Jid::parse(jid);
    item.removed = true;
    roster.apply(roster.plan(batch, "o", item, true));
    batches.push_back(std::move(batch));
}

TEST_CASE("a version after the latest, or with anything behind its number, is not known") {
    Roster roster;
    std::vector<Batch> batches;
    change(roster, batches, "one@a.test");
    const std::string first = roster.version_text(1);
    CHECK(roster.since(first) == 1U);
    CHECK_FALSE(roster.since(roster.version_text(2)));
    CHECK_FALSE(roster.since(first + "0"));
    CHECK_FALSE(roster.since(first + "x"));
    CHECK_FALSE(roster.since(first.substr(0, first.size() - 1)));
    CHECK_FALSE(roster.since("x" + first));
}

TEST_CASE("contacts are counted while they are listed, and requests while they wait") {
    Roster roster;
    std::vector<Batch> batches;
    change(roster, batches, "one@a.test");
    change(roster, batches, "two@a.test");
    change(roster, batches, "two@a.test");
    CHECK(roster.listed_count() == 2);
    Batch batch;
    RosterItem asks;
    asks.jid = *Jid::parse("three@a.test");
    asks.state.pending_in = true;
    roster.apply(roster.plan(batch, "o", asks, false));
    batches.push_back(std::move(batch));
    CHECK(roster.listed_count() == 2);
    CHECK(roster.request_count() == 1);
    CHECK(roster.version() == 3);
    remove(roster, batches, "two@a.test");
    CHECK(roster.listed_count() == 1);
    const Roster again = Roster::from_store("o", entries_of(batches));
    CHECK(again.listed_count() == 1);
    CHECK(again.request_count() == 1);
    CHECK(again.items().size() == 3);
    CHECK(again.version() == 4);
}

TEST_CASE("what nothing is left of is not stored") {
    Roster roster;
    std::vector<Batch> batches;
    Batch asked, answered;
    RosterItem item;
    item.jid = *Jid::parse("one@a.test");
    item.state.pending_in = true;
    roster.apply(roster.plan(asked, "o", item, false));
    item.state.pending_in = false;
    roster.apply(roster.plan(answered, "o", item, false));
    batches.push_back(std::move(asked));
    CHECK(entries_of(batches).size() == 1);
    batches.push_back(std::move(answered));
    CHECK(entries_of(batches).empty());
    CHECK(roster.items().empty());
}

TEST_CASE("removed contacts are remembered for older versions, up to a bound") {
    Roster roster;
    std::vector<Batch> batches;
    change(roster, batches, "stays@a.test");
    const std::string before = roster.version_text(roster.version());
    const auto come_and_go = [&](std::size_t number) {
        const std::string jid = "c" + std::to_string(number) + "@a.test";
        change(roster, batches, jid.c_str());
        remove(roster, batches, jid.c_str());
    };
    for (std::size_t i = 0; i < Roster::tombstone_limit; ++i) come_and_go(i);
    CHECK(roster.since(before) == 1U);
    CHECK(roster.items().size() == 1 + Roster::tombstone_limit);
    const std::string full = roster.version_text(roster.version());
    come_and_go(Roster::tombstone_limit);
    CHECK_FALSE(roster.since(before));
    CHECK_FALSE(roster.since(full));
    CHECK(roster.since(roster.version_text(roster.version())) == roster.version());
    CHECK(roster.items().size() == 1);
    // The store remembers the same.
    const Roster again = Roster::from_store("o", entries_of(batches));
    CHECK(again.items().size() == 1);
    CHECK(again.version() == roster.version());
    CHECK_FALSE(again.since(full));
    CHECK(again.since(roster.version_text(roster.version())) == roster.version());
}

TEST_CASE("who asks again after he was removed waits, whatever is removed since") {
    Roster roster;
    std::vector<Batch> batches;
    change(roster, batches, "asks@a.test");
    remove(roster, batches, "asks@a.test");
    Batch batch;
    RosterItem asks = *roster.find(*Jid::parse("asks@a.test"));
    asks.state.pending_in = true;
    asks.request = "<presence type='subscribe'/>";
    roster.apply(roster.plan(batch, "o", asks, false));
    batches.push_back(std::move(batch));
    for (std::size_t i = 0; i < Roster::tombstone_limit; ++i) {
        const std::string jid = "c" + std::to_string(i) + "@a.test";
        change(roster, batches, jid.c_str());
        remove(roster, batches, jid.c_str());
    }
    // Nothing is known of those that were removed, and of this one nothing but that it asks.
    for (const Roster& one : {roster, Roster::from_store("o", entries_of(batches))}) {
        CHECK(one.items().size() == 1);
        CHECK(one.request_count() == 1);
        const RosterItem* found = one.find(asks.jid);
        REQUIRE(found != nullptr);
        CHECK_FALSE(found->removed);
        CHECK(found->request == asks.request);
    }
}

TEST_CASE("requests are counted as they come and go") {
    Roster roster;
    RosterItem item = listed("one@a.test");
    item.state.pending_in = true;
    Batch batch;
    {
        RosterTrial trial(roster);
        CHECK(trial.apply(roster.plan(batch, "o", item, true)));
        CHECK(roster.request_count() == 1);
    }
    CHECK(roster.request_count() == 0);
    roster.apply(roster.plan(batch, "o", item, true));
    {
        RosterTrial trial(roster);
        item.state.pending_in = false;
        CHECK(trial.apply(roster.plan(batch, "o", item, true)));
        CHECK(roster.request_count() == 0);
    }
    CHECK(roster.request_count() == 1);
    roster.apply(roster.plan(batch, "o", item, true));
    CHECK(roster.request_count() == 0);
    CHECK(roster.listed_count() == 1);
}

TEST_CASE("an item comes back from the store as it was") {
    Roster roster;
    Batch batch;
    RosterItem item = listed("nurse@a.test");
    item.name = "Angelica \"Nurse\"";
    item.groups = {"Servants", "Capulet"};
    item.state = {.to = true, .from = true, .pending_out = true, .pending_in = true};
    item.state.approved = true;
    item.request = "<presence type='subscribe'/>";
    roster.apply(roster.plan(batch, "o", item, true));
    std::vector<Batch> batches;
    batches.push_back(std::move(batch));
    const Roster again = Roster::from_store("o", entries_of(batches));
    const RosterItem* found = again.find(*Jid::parse("nurse@a.test/x"));
    REQUIRE(found != nullptr);
    CHECK(found->name == item.name);
    CHECK(found->groups == item.groups);
    CHECK(found->state == item.state);
    CHECK(found->request == item.request);
    CHECK(found->listed);
    CHECK_FALSE(found->removed);
    CHECK(found->version == 1);
    CHECK(again.find(*Jid::parse("tybalt@a.test")) == nullptr);
}

}  // namespace
}  // namespace causeway
