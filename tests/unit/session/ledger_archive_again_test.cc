// Messages for archives whose commit failed: what is tried again, with what else, and until when.
#include "tests/unit/session/ledger_archive_fixture.h"

namespace causeway::test {
namespace {

using Fixture = LedgerArchiveFixture;

/// The archive has that many messages; none of them waits for a session, and nothing is open.
void check_archived_alone(Fixture& f, std::size_t messages) {
    CHECK(f.archive().size() == messages);
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
}

}  // namespace

TEST_CASE("ledger: what an account sent is archived when the disk has room again") {
    Fixture f;
    f.store.fail_next_commits(2);
    const std::uint64_t id = f.ids.next_id();
    f.ledger().record(*Fixture::message("1"), "romeo@a.test", id, Fixture::ticket(1));
    f.settle();
    CHECK(f.sender.safe.empty());
    f.pass(Duration(1500));
    CHECK(f.sender.safe.empty());
    f.pass(Duration(1000));
    CHECK(f.sender.safe == Numbers{1});
    REQUIRE(f.archive("romeo@a.test").size() == 1);
    CHECK(f.archive("romeo@a.test")[0].id == id);
}

TEST_CASE(
    "ledger: what its recipient has is the store's, and archived when the disk has room again") {
    Fixture f;
    f.store.hold_commits();
    const HoldId had = f.ledger().hold(f.archived("1"), {}, Fixture::store_key());
    const HoldId waiting = f.ledger().hold(f.archived("2"), {}, Fixture::store_key());
    f.settle();
    f.ledger().written(had);
    CHECK(f.ledger().open() == 1);
    f.store.fail_next_commits(2);
    f.store.release_commits();
    f.settle();
    CHECK(f.archive().empty());
    f.pass(Duration(2500));
    // Each once: the one that waits goes on from its own state.
    CHECK(f.archive().size() == 2);
    CHECK(f.rows().size() == 1);
    f.ledger().confirm(waiting);
    f.pass(Duration(2500));
    check_archived_alone(f, 2);
}

TEST_CASE("ledger: what comes behind a message that could not be stored does not overtake it") {
    Fixture f;
    f.store.fail_next_commits(1);
    f.hold_archived(1);
    f.settle();
    const HoldId second = f.hold_archived(2);
    f.ledger().hold(f.archived("3"), Fixture::ticket(3),
                    Fixture::store_key("mercutio@a.test"));  // another's
    f.settle();
    CHECK(f.archive().empty());
    CHECK(f.sender.safe == Numbers{3});
    SUBCASE("that its recipient has meanwhile") { f.ledger().confirm(second); }
    SUBCASE("that waits") {}
    f.pass(Duration(2500));
    CHECK(f.archive().size() == 2);
    CHECK(f.sender.safe == Numbers{3, 1, 2});
}

TEST_CASE("ledger: what was given back meanwhile does not wait with what is tried again") {
    Fixture f;
    f.store.fail_next_commits(1);
    const HoldId first = f.hold_archived(1);
    f.settle();
    const HoldId second = f.hold_archived(2);
    f.settle();
    f.ledger().release_to(first, f.hear());
    f.ledger().release_to(second, f.hear());
    f.ledger().keep(f.archived("3"), Fixture::ticket(3), Fixture::store_key(), f.hear());
    f.settle();
    // Or whoever comes now would get the third before the second.
    CHECK(f.rows().size() == 3);
    CHECK(f.kept.size() == 3);
    CHECK(f.sender.safe == Numbers{1, 2, 3});
    f.pass(Duration(2500));
    CHECK(f.rows().size() == 3);
    CHECK(f.archive().size() == 3);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: what only archives are still to have is tried again together") {
    Fixture f;
    f.store.fail_next_commits(20);
    for (std::uint32_t turn = 1; turn <= 20; ++turn) {
        const PacketRef sent = Fixture::message(std::to_string(turn));
        f.ledger().record(*sent, "romeo@a.test", f.ids.next_id(),
                          turn % 2 == 0 ? Fixture::ticket(turn) : AcknowledgementTicket{});
        f.settle();
    }
    const std::size_t before = f.store.commits();
    CHECK(f.sender.safe.empty());
    f.pass(Duration(2500));
    CHECK(f.store.commits() == before + 1);
    CHECK(f.archive("romeo@a.test").size() == 20);
    CHECK(f.sender.safe.size() == 10);
}

TEST_CASE("ledger: what its recipient has is archived also where that fails more than once") {
    Fixture f;
    f.store.fail_next_commits(3);
    const HoldId hold = f.ledger().hold(f.archived("1"), {}, Fixture::store_key());
    f.settle();
    f.ledger().confirm(hold);
    f.pass(Duration(5500));
    check_archived_alone(f, 1);
}

TEST_CASE("ledger: a server that ends waits for what only archives are still to have") {
    Fixture f;
    CHECK(f.ledger().at_rest());
    SUBCASE("that its recipient has") {
        f.ledger().written(f.ledger().hold(f.archived("1"), {}, Fixture::store_key()));
    }
    SUBCASE("that an account sent") {
        f.ledger().record(*Fixture::message("1"), "juliet@a.test", f.ids.next_id(), {});
    }
    CHECK_FALSE(f.ledger().at_rest());
    f.store.hold_commits();
    f.settle();
    CHECK(f.ledger().open() == 0);
    CHECK_FALSE(f.ledger().at_rest());
    f.store.fail_next_commits(1);
    f.store.release_commits();
    f.settle();
    CHECK(f.archive().empty());
    CHECK_FALSE(f.ledger().at_rest());
    f.pass(Duration(1500));
    CHECK(f.archive().size() == 1);
    CHECK(f.ledger().at_rest());
}

TEST_CASE("ledger: what failed does not come into an archive that was cleared since") {
    Fixture f;
    f.store.fail_next_commits(1);
    f.ledger().record(*Fixture::message("1"), "romeo@a.test", f.ids.next_id(), Fixture::ticket(1));
    f.ledger().record(*Fixture::message("2"), "nurse@a.test", f.ids.next_id(), Fixture::ticket(2));
    f.settle();
    Batch batch;
    batch.archive_clear("romeo@a.test");
    f.store.commit(std::move(batch), f.hub->shard, {});
    f.ledger().forget_archive("romeo@a.test");
    f.pass(Duration(1500));
    CHECK(f.archive("romeo@a.test").empty());
    CHECK(f.archive("nurse@a.test").size() == 1);
    CHECK(f.sender.safe == Numbers{1, 2});
    CHECK(f.ledger().at_rest());
}

TEST_CASE("ledger: what an account sent is given up in the end, and nobody waits for it for ever") {
    Fixture f;
    f.store.fail_next_commits(1000);
    f.ledger().record(*Fixture::message("1"), "romeo@a.test", f.ids.next_id(), Fixture::ticket(1));
    f.pass(Duration(8000));
    CHECK(f.sender.safe.empty());
    f.pass(Duration(3000));
    CHECK(f.sender.safe == Numbers{1});
    f.store.fail_next_commits(0);
    f.pass(Duration(3000));
    CHECK(f.archive("romeo@a.test").empty());
}

}  // namespace causeway::test
