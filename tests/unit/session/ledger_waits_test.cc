// How long a message waits for its recipient before it is stored, what is learnt from that, copies
// of a message that was sent again, and what is committed together.
#include <fmt/format.h>

#include "tests/unit/session/ledger_fixture.h"

namespace causeway::test {
namespace {

using Fixture = LedgerFixture;
using Pace = AcknowledgementPace;

PacketRef large_message(std::size_t bytes) {
    return Packet::make(StanzaKind::message, StanzaType::chat, *Jid::parse("romeo@a.test"),
                        *Jid::parse("juliet@a.test"), "large",
                        "<body>" + std::string(bytes, 'x') + "</body>");
}

/// How long until the ledger's shard has something to do.
Duration until_next(Fixture& f) { return f.shards[0].timers().until_next(Duration(60'000)); }

}  // namespace

// ---- waits ----

TEST_CASE("ledger: the shard sleeps until the first wait is over") {
    Fixture f;
    CHECK(until_next(f) == Duration(60'000));
    f.hold(1);
    CHECK(until_next(f) >= Pace::first);
    f.pass(Duration(100));
    f.hold(2);
    f.pass(Duration(100));
    CHECK(until_next(f) >= Pace::first - Duration(200));
    CHECK(until_next(f) <= Pace::first - Duration(200) + 2 * TimerWheel::tick);
    f.pass(Duration(140));
    CHECK(f.rows().size() == 1);
    // For the second alone, and then for nothing.
    CHECK(until_next(f) >= Duration(60));
    CHECK(until_next(f) <= Duration(110));
    f.pass(Duration(120));
    CHECK(f.rows().size() == 2);
    CHECK(until_next(f) == Duration(60'000));
}

TEST_CASE(
    "ledger: each message waits as long as its recipient usually takes, whichever came first") {
    Fixture f;
    // One takes half a second, and so is waited for a second and more; the other 20 ms.
    const auto usual = [&](const std::string& owner, Duration time) {
        const HoldId id = f.ledger().hold(f.message("a"), f.ticket(1), f.store_key(owner));
        f.pass(time);
        f.ledger().confirm(id);
        f.pass_erasure();
    };
    usual("slow@a.test", Duration(500));
    usual("quick@a.test", Duration(20));
    CHECK(f.rows("slow@a.test").empty());
    f.ledger().hold(f.message("s"), f.ticket(2), f.store_key("slow@a.test"));
    f.pass(Duration(100));
    f.ledger().hold(f.message("q"), f.ticket(3), f.store_key("quick@a.test"));
    f.ledger().hold(f.message("n"), f.ticket(4), f.store_key("new@a.test"));
    f.pass(Duration(20));
    CHECK(f.rows("quick@a.test").empty());
    f.pass(Duration(40));
    CHECK(f.rows("quick@a.test").size() == 1);
    CHECK(f.rows("new@a.test").empty());
    f.pass(Pace::first - Duration(40));
    CHECK(f.rows("new@a.test").size() == 1);
    CHECK(f.rows("slow@a.test").empty());
    f.pass(Duration(1280 - 100 - 60) - Pace::first);
    CHECK(f.rows("slow@a.test").empty());
    f.pass(Duration(100));
    CHECK(f.rows("slow@a.test").size() == 1);
}

TEST_CASE("ledger: a quick recipient is not waited for until a slow one's wait is over") {
    Fixture f;
    for (int i = 0; i < 3; ++i) {
        const HoldId id = f.ledger().hold(f.message("a"), f.ticket(1), f.store_key("quick@a.test"));
        f.pass(TimerWheel::tick);
        f.ledger().confirm(id);
    }
    f.ledger().hold(f.message("n"), f.ticket(2), f.store_key("new@a.test"));
    f.ledger().hold(f.message("q"), f.ticket(3), f.store_key("quick@a.test"));
    f.pass(Duration(60));
    CHECK(f.rows("quick@a.test").size() == 1);
    CHECK(f.rows("new@a.test").empty());
    f.pass(Pace::first);
    CHECK(f.rows("new@a.test").size() == 1);
}

// ---- what teaches how long a recipient takes ----

TEST_CASE(
    "ledger: what a recipient got from the store, or never confirms, says nothing of its pace") {
    Fixture f;
    SUBCASE("a stored message that waited for its login") {
        f.ledger().keep(f.message("old"), {}, f.store_key());
        f.settle();
        const std::uint64_t row = f.rows().front().id;
        const HoldId id = f.ledger().adopt(f.message("old"), f.store_key(), row);
        f.pass(Duration(5000));
        f.ledger().confirm(id);
        f.pass_erasure();
    }
    SUBCASE("a message whose bytes the system took late") {
        const HoldId id = f.ledger().hold(f.message("old"), {}, f.store_key());
        f.pass(Duration(5000));
        f.ledger().written(id);
    }
    CHECK(f.rows().empty());
    f.hold(1);
    f.pass(Pace::first - TimerWheel::tick);
    CHECK(f.rows().empty());
    f.pass(4 * TimerWheel::tick);
    CHECK(f.rows().size() == 1);
}

// ---- copies of a message ----

TEST_CASE("ledger: whoever sent a message again hears of it with the first") {
    Fixture f;
    SUBCASE("while it waits for the recipient") {
        const HoldId id = f.hold(1);
        f.ledger().join(id, f.ticket(2));
        f.ledger().join(id, f.ticket(3));
        f.settle();
        CHECK(f.sender.safe.empty());
        f.ledger().confirm(id);
        CHECK(f.store.commits() == 0);
    }
    SUBCASE("while the store writes it") {
        f.store.hold_commits();
        const HoldId id = f.ledger().keep(f.message("a"), f.ticket(1), f.store_key());
        f.settle();
        f.ledger().join(id, f.ticket(2));
        f.ledger().join(id, f.ticket(3));
        CHECK(f.sender.safe.empty());
        f.store.release_commits();
        f.settle();
    }
    SUBCASE("when it is stored") {
        const HoldId id = f.hold(1);
        f.pass_patience();
        f.ledger().join(id, f.ticket(2));
        f.ledger().join(id, f.ticket(3));
    }
    SUBCASE("when its outcome is long known") {
        const HoldId id = f.hold(1);
        f.ledger().confirm(id);
        f.ledger().join(id, f.ticket(2));
        f.ledger().join(0, f.ticket(3));
    }
    CHECK(f.sender.safe == Numbers{1, 2, 3});
}

TEST_CASE("ledger: a message for which nobody waited is stored when a second sender waits for it") {
    Fixture f;
    const HoldId id = f.ledger().hold(f.message("a"), {}, f.store_key());
    f.ledger().join(id, {});
    f.settle();
    CHECK(f.store.commits() == 0);
    f.ledger().join(id, f.ticket(2));
    CHECK(f.sender.safe.empty());
    f.settle();
    CHECK(f.sender.safe == Numbers{2});
    CHECK(f.rows().size() == 1);
    f.ledger().confirm(id);
    f.pass_erasure();
    CHECK(f.rows().empty());
}

TEST_CASE("ledger: the same while it is being written because its recipient is gone") {
    Fixture f;
    f.store.hold_commits();
    const HoldId id = f.ledger().keep(f.message("a"), {}, f.store_key());
    f.settle();
    f.ledger().join(id, f.ticket(2));
    f.settle();
    CHECK(f.store.held_commits() == 1);
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.safe == Numbers{2});
    CHECK(f.rows().size() == 1);
    CHECK(f.ledger().open() == 0);
}

// ---- several recipients ----

TEST_CASE("ledger: a message for several is stored when the last of them is gone") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.ledger().share(id);
    f.ledger().release_to(id, f.hear());
    f.settle();
    CHECK(f.store.commits() == 0);
    REQUIRE(f.kept.size() == 1);
    CHECK(f.kept.front().error().cause() == Cause::absent);
    f.ledger().release_to(id, f.hear());
    f.settle();
    CHECK(f.rows().size() == 1);
    REQUIRE(f.kept.size() == 2);
    CHECK(f.kept.back().ok());
    f.ledger().share(id);  // it has had its outcome
    CHECK(f.ledger().open() == 0);
}

// ---- the store ----

TEST_CASE("ledger: what is too much for one batch is committed in several") {
    Fixture f;
    for (int i = 0; i < 4; ++i) f.ledger().keep(large_message(600'000), f.ticket(1), f.store_key());
    f.settle();
    CHECK(f.store.commits() == 2);
    CHECK(f.sender.safe.size() == 4);
    CHECK(f.rows().size() == 4);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: a row is arriving from its keeping until it is stored, and under its own id") {
    Fixture f;
    f.store.hold_commits();
    const auto stamped = Packet::stamped(f.message("a"), *Jid::parse("juliet@a.test"), 4711);
    f.ledger().keep(stamped, {}, f.store_key());
    CHECK(f.ledger().arriving(4711));
    CHECK(f.ledger().in_flight(4711));
    CHECK_FALSE(f.ledger().arriving(4712));
    f.settle();
    CHECK(f.ledger().arriving(4711));
    f.store.release_commits();
    f.settle();
    CHECK_FALSE(f.ledger().arriving(4711));
    CHECK_FALSE(f.ledger().in_flight(4711));
    REQUIRE(f.rows().size() == 1);
    CHECK(f.rows().front().id == 4711);
}

TEST_CASE("ledger: a row that is stored for a recipient who has it, or may yet, is not arriving") {
    Fixture f;
    f.store.hold_commits();
    const auto stamped = [&](std::uint64_t id) {
        return Packet::stamped(f.message("a"), *Jid::parse("juliet@a.test"), id);
    };
    const HoldId written = f.ledger().hold(stamped(1001), f.ticket(1), f.store_key());
    f.ledger().written(written);
    f.ledger().hold(stamped(1002), f.ticket(2), f.store_key());
    f.pass_patience();
    for (const std::uint64_t row : {1001U, 1002U}) {
        CHECK(f.ledger().in_flight(row));
        CHECK_FALSE(f.ledger().arriving(row));
    }
    f.store.release_commits();
    f.pass_erasure();
    CHECK(f.rows().size() == 1);
    CHECK(f.ledger().in_flight(1001));
    CHECK(f.ledger().in_flight(1002));
}

TEST_CASE("ledger: a message that was written out while its commit fails is its recipient's") {
    Fixture f;
    f.store.fail_next_commits(1);
    const HoldId id = f.hold(1);
    f.ledger().written(id);
    f.settle();
    CHECK(f.sender.bounced.empty());
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
    f.pass(2 * Ledger::retry_after);
    CHECK(f.rows().empty());
}

TEST_CASE("ledger: of several messages whose commit failed those are tried again that still wait") {
    Fixture f;
    f.store.fail_next_commits(1);
    const HoldId gone = f.hold(1), stays = f.hold(2), released = f.hold(3);
    f.pass_patience();
    CHECK(f.sender.safe.empty());
    f.ledger().confirm(gone);
    f.ledger().release(released);
    f.settle();
    CHECK(f.rows().size() == 1);
    f.pass(Ledger::retry_after + 2 * TimerWheel::tick);
    CHECK(f.sender.safe == Numbers{1, 3, 2});
    CHECK(f.rows().size() == 2);
    f.ledger().confirm(stays);
    f.pass_erasure();
    CHECK(f.rows().size() == 1);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: a row is erased a second after its message is done with, not before") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.pass_patience();
    f.ledger().confirm(id);
    f.pass(Ledger::erase_within - TimerWheel::tick);
    CHECK(f.rows().size() == 1);
    CHECK(f.ledger().open() == 1);
    f.pass(3 * TimerWheel::tick);
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
    const auto commits = f.store.commits();
    f.ledger().erase_now();
    f.settle();
    CHECK(f.store.commits() == commits);
}

TEST_CASE("ledger: a row that cannot be erased is erased when the store takes it") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.pass_patience();
    f.ledger().confirm(id);
    f.store.fail_next_commits(3);
    f.pass_erasure();
    CHECK(f.rows().size() == 1);
    CHECK(f.ledger().open() == 1);
    f.pass(3 * Ledger::retry_after + 4 * TimerWheel::tick);
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: a message is known while its outcome is open") {
    Fixture f;
    const HoldId id = f.hold(1);
    REQUIRE(f.ledger().packet(id) != nullptr);
    CHECK(f.ledger().packet(id)->id() == "1");
    f.ledger().confirm(id);
    CHECK(f.ledger().packet(id) == nullptr);
    CHECK(f.ledger().packet(0) == nullptr);
}

}  // namespace causeway::test
