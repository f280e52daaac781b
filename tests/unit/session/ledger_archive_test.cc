// Messages that their owner's archive keeps: when they are safe, when they are listed as waiting,
// and what the archive mark says.
#include <thread>
#include <vector>

#include "gateway/session/archive_recovery.h"
#include "tests/unit/session/ledger_archive_fixture.h"

namespace causeway::test {
namespace {

using Fixture = LedgerArchiveFixture;

}  // namespace

TEST_CASE("ledger: an archived message is safe when it is in the archive, and is not listed") {
    Fixture f;
    const HoldId hold = f.hold_archived(1);
    CHECK(f.sender.safe.empty());
    f.settle();
    CHECK(f.sender.safe == Numbers{1});
    REQUIRE(f.archive().size() == 1);
    CHECK(f.archive()[0].with == "romeo@a.test");
    CHECK(f.archive()[0].incoming);
    CHECK(f.rows().empty());
    f.ledger().confirm(hold);
    f.pass(Duration(3000));
    CHECK(f.rows().empty());
    CHECK(f.archive().size() == 1);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: a recipient that has it at once makes nobody safe before the archive has it") {
    Fixture f;
    f.store.hold_commits();
    const HoldId hold = f.hold_archived(1);
    f.ledger().confirm(hold);
    f.settle();
    CHECK(f.sender.safe.empty());
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.archive().size() == 1);
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
}

TEST_CASE(
    "ledger: what has been on its way for a second is listed, and erased when it is confirmed") {
    Fixture f;
    const HoldId hold = f.hold_archived(1);
    f.pass(Duration(900));
    CHECK(f.rows().empty());
    f.pass(Duration(1200));
    REQUIRE(f.rows().size() == 1);
    CHECK(f.rows()[0].id == f.archive()[0].id);
    CHECK_FALSE(f.rows()[0].body.empty());  // the archived one
    f.ledger().confirm(hold);
    f.pass(Duration(2000));
    CHECK(f.rows().empty());
    CHECK(f.archive().size() == 1);
}

TEST_CASE("ledger: what its recipient gives back is listed, and so is what nobody takes") {
    Fixture f;
    const HoldId hold = f.hold_archived(1);
    f.settle();
    f.ledger().release_to(hold, f.hear());
    f.settle();
    CHECK(f.rows().size() == 1);
    f.ledger().keep(f.archived("2"), Fixture::ticket(2), Fixture::store_key(), f.hear());
    f.settle();
    CHECK(f.rows().size() == 2);
    CHECK(f.archive().size() == 2);
    CHECK(f.kept.size() == 2);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: given back while it is being archived: listed by the commit that follows") {
    Fixture f;
    f.store.hold_commits();
    const HoldId hold = f.hold_archived(1);
    f.settle();
    f.ledger().release_to(hold, f.hear());
    f.store.release_commits();
    f.settle();
    CHECK(f.rows().size() == 1);
    CHECK(f.archive().size() == 1);
    CHECK(f.kept.size() == 1);
}

TEST_CASE("ledger: the mark stays below what is on its way, and goes past what is done with") {
    Fixture f;
    const HoldId first = f.hold_archived(1);
    f.settle();
    const std::uint64_t row = f.archive()[0].id;
    f.pass(Duration(1000));
    CHECK(f.mark() < row);
    f.ledger().confirm(first);
    f.pass(Duration(3000));
    CHECK(f.mark() > row);
}

TEST_CASE("ledger: an id below the mark is listed with its own commit") {
    Fixture f;
    const PacketRef early = f.archived("1");
    f.hold_archived(2);
    f.pass(Duration(4000));
    REQUIRE(f.mark() > early->stanza_id());
    f.ledger().hold(early, Fixture::ticket(1), Fixture::store_key());
    f.settle();
    CHECK(f.rows().size() == 2);
}

TEST_CASE("ledger: an end in good order lists what is on its way, and the mark is beyond it") {
    Fixture f;
    f.hold_archived(1);
    f.settle();
    f.ledger().finish();
    f.settle();
    CHECK(f.rows().size() == 1);
    CHECK(f.mark() > f.archive()[0].id);
}

TEST_CASE(
    "ledger: a full disk: tried again while it is on its way, told to the sender when it is not") {
    Fixture f;
    f.store.fail_next_commits(1);
    f.hold_archived(1);
    f.settle();
    CHECK(f.sender.safe.empty());
    f.pass(Duration(1500));
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.archive().size() == 1);
    f.store.fail_next_commits(1);
    f.ledger().keep(f.archived("2"), Fixture::ticket(2), Fixture::store_key(), f.hear());
    f.settle();
    CHECK(f.sender.bounced == std::vector<std::string>{"2"});
    CHECK(f.archive().size() == 1);
}

TEST_CASE(
    "ledger: a disk that stays full: a message that its recipient has is given up in the end") {
    Fixture f;
    f.store.fail_next_commits(1000);
    f.ledger().confirm(f.hold_archived(1));
    f.pass(Duration(8000));
    CHECK(f.sender.safe.empty());
    f.pass(Duration(5000));
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.sender.bounced.empty());
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: what an account sends is in its archive before its ticket is settled for that") {
    Fixture f;
    f.store.hold_commits();
    f.ledger().record(*Fixture::message("1"), "romeo@a.test", f.ids.next_id(), Fixture::ticket(1));
    f.settle();
    CHECK(f.sender.safe.empty());
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.safe == Numbers{1});
    REQUIRE(f.archive("romeo@a.test").size() == 1);
    CHECK(f.archive("romeo@a.test")[0].with == "juliet@a.test");
    CHECK_FALSE(f.archive("romeo@a.test")[0].incoming);
}

TEST_CASE("ledger: a question waits for what was given to the store before it") {
    Fixture f;
    bool asked = false;
    f.ledger().when_readable([&] { asked = true; });
    CHECK(asked);  // nothing is on its way
    asked = false;
    f.store.hold_commits();
    f.hold_archived(1);
    f.ledger().when_readable([&] { asked = true; });
    f.settle();
    CHECK_FALSE(asked);
    f.store.release_commits();
    f.settle();
    CHECK(asked);
}

TEST_CASE("ledger: a question does not overtake a commit when the store's queue is full") {
    Fixture f;
    f.store.hold_commits();
    f.hold_archived(1);
    f.settle();
    f.store.refuse_commits(true);
    f.hold_archived(2);
    std::vector<int> asked;
    f.ledger().when_readable([&] { asked.push_back(1); });
    f.ledger().when_readable([&] { asked.push_back(2); });
    f.settle();
    CHECK(asked.empty());
    f.store.refuse_commits(false);
    f.store.release_commits();
    f.settle();
    CHECK(asked == std::vector<int>{1, 2});
}

TEST_CASE("ledger: what its recipient has before the turn is over is archived with it") {
    Fixture f;
    f.ledger().written(f.ledger().hold(f.archived("1"), {}, Fixture::store_key()));
    f.settle();
    CHECK(f.archive().size() == 1);
    CHECK(f.ledger().open() == 0);
    CHECK(f.store.commits() == 1);
}

TEST_CASE("ledger: a sender waits for its archive also where its recipient's nobody waits for") {
    Fixture f;
    f.store.hold_commits();
    f.ledger().written(f.ledger().hold(f.archived("1"), {}, Fixture::store_key()));
    f.ledger().record(*Fixture::message("1"), "romeo@a.test", f.ids.next_id(), Fixture::ticket(1));
    f.settle();
    CHECK(f.sender.safe.empty());
    f.store.doubt_next_commits(1);
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.safe.empty());
    f.pass(Duration(2500));
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.archive().size() == 1);
    CHECK(f.archive("romeo@a.test").size() == 1);
}

TEST_CASE("ledger: a commit of which nobody can say whether the disk has it is done once") {
    Fixture f;
    f.store.doubt_next_commits(1);
    HoldId hold = 0;
    SUBCASE("of a message for an archive") {
        hold = f.hold_archived(1);
        f.settle();
        CHECK(f.archive().size() == 1);
    }
    SUBCASE("of a message without") {
        hold = f.hold(1);
        f.pass_patience();
        CHECK(f.rows().size() == 1);
    }
    CHECK(f.sender.safe.empty());
    f.pass(Duration(2500));
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.rows().size() == 1);
    f.ledger().confirm(hold);
    f.pass(Duration(2500));
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: the same of what an account sent") {
    Fixture f;
    f.store.doubt_next_commits(2);
    f.ledger().record(*Fixture::message("1"), "romeo@a.test", f.ids.next_id(), Fixture::ticket(1));
    f.pass(Duration(3500));
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.archive("romeo@a.test").size() == 1);
}

TEST_CASE("ledger: a message whose sender hears that it was not stored is not there later") {
    Fixture f;
    f.store.doubt_next_commits(1);
    PacketRef message;
    SUBCASE("with an archive") { message = f.archived("1"); }
    SUBCASE("without") { message = Fixture::message("1"); }
    f.ledger().keep(message, Fixture::ticket(1), Fixture::store_key(), f.hear());
    f.settle();
    CHECK(f.sender.bounced == std::vector<std::string>{"1"});
    REQUIRE(f.kept.size() == 1);
    CHECK_FALSE(f.kept[0].ok());
    f.pass(Duration(2500));
    CHECK(f.rows().empty());
    CHECK(f.archive().empty());
}

TEST_CASE("recovery: a clock that was set back: the mark comes down before it is relied on") {
    Fixture f;
    f.shared.hubs.push_back(f.hub.get());
    f.hub->accounts = std::make_unique<Accounts>(*f.hub);
    Batch batch;
    const std::uint64_t newest = f.ids.next_id();
    batch.map_set(ArchiveMark::store, {}, ArchiveMark::key,
                  std::to_string(newest + id_distance(Duration(3'600'000))));
    f.store.commit(std::move(batch), f.hub->shard, {});
    f.settle();
    f.store.fail_next_commits(1);
    list_after_crash(*f.hub, newest);
    f.settle();
    CHECK(f.mark() > newest);
    f.pass(Duration(6000));
    CHECK(f.mark() == newest);
}

TEST_CASE("recovery: what stands above the mark and is not listed is listed; nothing else is") {
    Fixture f;
    f.shared.hubs.push_back(f.hub.get());
    f.hub->accounts = std::make_unique<Accounts>(*f.hub);
    Batch batch;
    const std::uint64_t marked = f.ids.next_id();
    const auto add = [&](const char* owner, bool incoming) {
        const std::uint64_t id = f.ids.next_id();
        batch.archive_append(owner, {.id = id,
                                     .with = "romeo@a.test",
                                     .resource = {},
                                     .incoming = incoming,
                                     .body = std::string(Fixture::message("x")->bytes())});
        return id;
    };
    batch.archive_append("juliet@a.test", {.id = marked,
                                           .with = "romeo@a.test",
                                           .resource = {},
                                           .incoming = true,
                                           .body = std::string(Fixture::message("x")->bytes())});
    batch.map_set(ArchiveMark::store, {}, ArchiveMark::key, std::to_string(marked));
    const std::uint64_t lost = add("juliet@a.test", true);
    add("juliet@a.test", false);
    const std::uint64_t listed = add("juliet@a.test", true);
    batch.log_append("offline", "juliet@a.test", {.id = listed, .at = 1, .expires = 0, .body = {}});
    const std::uint64_t newest = f.ids.next_id();
    add("juliet@a.test", true);  // of this run
    f.store.commit(std::move(batch), f.hub->shard, {});
    f.settle();
    list_after_crash(*f.hub, newest);
    f.settle();
    REQUIRE(f.rows().size() == 2);
    CHECK(f.rows()[0].id == lost);
    CHECK(f.rows()[1].id == listed);
}

TEST_CASE("archive mark: no shard's message is passed by") {
    ArchiveMark mark(2);
    CHECK_FALSE(mark.advance(0, ArchiveMark::none, 5).has_value());  // not before it is recovered
    CHECK_FALSE(mark.admit(0, 7, 7));  // where it stands is not known yet
    CHECK_FALSE(mark.advance(0, ArchiveMark::none, 8).has_value());
    mark.recovered(0);
    CHECK(mark.admit(0, 10, 10));
    CHECK(mark.admit(1, 20, 20));
    CHECK(mark.advance(1, 20, 100) == 9);
    CHECK(mark.advance(0, ArchiveMark::none, 100) == 19);
    CHECK_FALSE(mark.advance(0, ArchiveMark::none, 100).has_value());
    CHECK_FALSE(mark.admit(0, 15, 15));  // it is listed, and holds up nothing
    CHECK(mark.advance(0, ArchiveMark::none, 100) == std::nullopt);
    CHECK(mark.advance(1, ArchiveMark::none, 100) == 100);
}

TEST_CASE("ledger: confirmed while its listing fails: nothing is left open") {
    Fixture f;
    const HoldId hold = f.hold_archived(1);
    f.settle();
    f.store.hold_commits();
    f.pass(Duration(2100));
    f.ledger().confirm(hold);
    f.store.fail_next_commits(1);
    f.store.release_commits();
    f.settle();
    f.pass(Duration(3000));
    CHECK(f.ledger().open() == 0);
    CHECK(f.rows().empty());
}

TEST_CASE("ledger: given back at the end, while it is being archived: the mark stays below it") {
    Fixture f;
    f.store.hold_commits();
    const HoldId hold = f.hold_archived(1);
    f.settle();
    f.ledger().release(hold);
    f.ledger().finish();
    f.store.release_commits();
    const auto rows = f.archive();
    REQUIRE(rows.size() == 1);
    CHECK(f.mark() < rows[0].id);
}

TEST_CASE("archive mark: shards give it to the store in the order in which it moved") {
    ArchiveMark mark(2);
    mark.recovered(0);
    std::vector<std::uint64_t> given;
    const auto give = [&](std::uint64_t stands) { given.push_back(stands); };
    std::thread other;
    REQUIRE(mark.advance(0, ArchiveMark::none, 1));
    mark.write([&](std::uint64_t stands) {
        other = std::thread([&] {
            (void)mark.advance(1, ArchiveMark::none, 2);
            mark.write(give);
        });
        while (mark.mark() != 2) std::this_thread::yield();
        // It has every opportunity to be first.
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();
        give(stands);
    });
    other.join();
    CHECK(given == std::vector<std::uint64_t>{1, 2});
}

}  // namespace causeway::test
