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
    const std::vector<Batch> backup = batches;
    for (const char* jid : {"three@a.test", "four@a.test"}) change(roster, batches, jid);
    const std::string lost = roster.version_text(3);

    Roster restored = Roster::from_store("o", entries_of(backup));
    CHECK_FALSE(restored.since(lost));
    std::vector<Batch> after = backup;
    for (const char* jid : {"x@a.test", "y@a.test", "z@a.test"}) change(restored, after, jid);
    CHECK_FALSE(restored.since(lost));
    CHECK(restored.since(roster.version_text(2)) == 2U);
}

TEST_CASE("a row that cannot be read is passed over") {
    Roster roster;
    std::vector<Batch> batches;
    for (const char* jid : {"one@a.test", "two@a.test"}) change(roster, batches, jid);
    std::vector<MapEntry> entries = entries_of(batches);
    entries.push_back({"o", "bad@a.test", "not json"});
    CHECK(Roster::from_store("o", entries).items().size() == 2);
}

}  // namespace
}  // namespace causeway
