// The ends that a message whose outcome is open can have: nobody takes it, or its recipient has it.
#include "tests/unit/session/ledger_fixture.h"

namespace causeway::test {
namespace {

using Fixture = LedgerFixture;

}  // namespace

// ---- nobody takes it ----

TEST_CASE("ledger: a message that is kept is stored with this turn, and only then safe") {
    Fixture f;
    f.store.hold_commits();
    f.ledger().keep(f.message("a"), f.ticket(1), f.store_key(), f.hear());
    f.settle();
    CHECK(f.sender.safe.empty());
    CHECK(f.kept.empty());
    CHECK(f.ledger().open() == 1);
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
    const auto rows = f.rows();
    REQUIRE(rows.size() == 1);
    REQUIRE(f.kept.size() == 1);
    CHECK(*f.kept.front() == rows.front().id);
    CHECK(rows.front().body == f.message("a")->bytes());
    CHECK(rows.front().expires == 5);
    CHECK(rows.front().at == SimClock::first_moment);
    CHECK(!f.ledger().in_flight(rows.front().id));
}

TEST_CASE("ledger: what is kept in one turn is one batch, read back in the order of keeping") {
    Fixture f;
    for (const char* id : {"a", "b", "c"}) f.ledger().keep(f.message(id), {}, f.store_key());
    f.settle();
    CHECK(f.store.commits() == 1);
    const auto rows = f.rows();
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].body == f.message("a")->bytes());
    CHECK(rows[1].body == f.message("b")->bytes());
    CHECK(rows[2].body == f.message("c")->bytes());
}

TEST_CASE("ledger: a message that is kept and cannot be stored comes back") {
    Fixture f;
    f.store.fail_next_commits(1);
    f.ledger().keep(f.message("a"), f.ticket(1), f.store_key(), f.hear());
    f.settle();
    CHECK(f.sender.bounced == std::vector<std::string>{"a"});
    CHECK(f.sender.safe == Numbers{1});
    REQUIRE(f.kept.size() == 1);
    CHECK(f.kept.front().error().cause() == Cause::retry);
    CHECK(f.ledger().open() == 0);
    CHECK(f.rows().empty());
}

// ---- on its way to a recipient that acknowledges ----

TEST_CASE("ledger: a message that is acknowledged in time is never stored") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.settle();
    CHECK(f.sender.safe.empty());
    f.ledger().confirm(id);
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
    f.pass_patience();
    CHECK(f.store.commits() == 0);
}

TEST_CASE("ledger: a message that is not acknowledged in time is stored, then it is safe") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.pass_patience();
    CHECK(f.sender.safe == Numbers{1});
    auto rows = f.rows();
    REQUIRE(rows.size() == 1);
    CHECK(f.ledger().open() == 1);
    CHECK(f.ledger().in_flight(rows.front().id));
    f.ledger().confirm(id);
    CHECK(f.ledger().in_flight(rows.front().id));
    CHECK(f.ledger().open() == 1);
    f.pass_erasure();
    CHECK(f.rows().empty());
    CHECK(f.ledger().in_flight(rows.front().id));  // who asked before may be told of it yet
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: each message has its whole wait, also one that came while another waits") {
    Fixture f;
    f.hold(1);
    f.pass(AcknowledgementPace::first - TimerWheel::tick);
    CHECK(f.rows().empty());
    f.hold(2);
    while (f.rows().empty()) f.pass(TimerWheel::tick);
    CHECK(f.sender.safe == Numbers{1});
    f.pass(AcknowledgementPace::first - 3 * TimerWheel::tick);
    CHECK(f.rows().size() == 1);
    f.pass_patience();
    CHECK(f.rows().size() == 2);
    CHECK(f.sender.safe == Numbers{1, 2});
}

TEST_CASE("ledger: where nobody waits to hear, nothing is stored while it is on its way") {
    Fixture f;
    const HoldId id = f.ledger().hold(f.message("a"), {}, f.store_key());
    f.pass_patience();
    CHECK(f.store.commits() == 0);
    CHECK(f.ledger().open() == 1);
    f.ledger().release(id);
    f.settle();
    CHECK(f.rows().size() == 1);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: acknowledged in the turn in which it would have been written") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.ledger().release(id);
    f.ledger().confirm(id);
    f.settle();
    CHECK(f.store.commits() == 0);
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: acknowledged while the store is at it, its row goes when it is there") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.store.hold_commits();
    f.pass_patience();
    f.ledger().confirm(id);
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 1);
    f.store.release_commits();
    f.settle();
    CHECK(f.store.commits() == 1);
    f.pass_erasure();
    CHECK(f.store.commits() == 2);
    CHECK(f.rows().empty());
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: a failed commit of a message on its way is tried again, and nobody is told") {
    Fixture f;
    f.store.fail_next_commits(2);
    const HoldId id = f.hold(1);
    f.pass_patience();
    CHECK(f.sender.safe.empty());
    CHECK(f.sender.bounced.empty());
    CHECK(f.ledger().open() == 1);
    f.pass(Ledger::retry_after + TimerWheel::tick);
    CHECK(f.sender.safe.empty());
    f.pass(Ledger::retry_after + TimerWheel::tick);
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.rows().size() == 1);
    f.ledger().confirm(id);
    f.pass_erasure();
    CHECK(f.rows().empty());
}

TEST_CASE("ledger: acknowledged between a failed commit and the next attempt") {
    Fixture f;
    f.store.fail_next_commits(1);
    const HoldId id = f.hold(1);
    f.pass_patience();
    f.ledger().confirm(id);
    CHECK(f.sender.safe == Numbers{1});
    f.pass(2 * Ledger::retry_after);
    CHECK(f.store.commits() == 1);  // the row is erased, in case that it is there
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: what a commit stored that is said to have failed is not delivered again") {
    Fixture f;
    f.store.doubt_next_commits(1);
    const HoldId id = f.hold(1);
    f.pass_patience();
    f.ledger().confirm(id);
    f.pass(2 * Ledger::retry_after);
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: acknowledged while a commit fails: the recipient has it") {
    Fixture f;
    f.store.hold_commits();
    const HoldId id = f.hold(1);
    f.pass_patience();
    f.ledger().confirm(id);
    f.store.fail_next_commits(1);
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.bounced.empty());
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
}

// ---- what an acknowledgement costs ----

TEST_CASE("ledger: over a path of 50 ms a message to who acknowledges costs no commit") {
    Fixture f;
    for (std::uint32_t number = 1; number <= 100; ++number) {
        const HoldId id = f.hold(number);
        f.pass(Duration(50));
        f.ledger().confirm(id);
    }
    f.pass_longest();
    CHECK(f.sender.safe.size() == 100);
    CHECK(f.store.commits() == 0);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: the same with several messages on their way at once") {
    Fixture f;
    std::vector<HoldId> on_their_way;
    for (std::uint32_t number = 1; number <= 200; ++number) {
        on_their_way.push_back(f.hold(number));
        f.pass(TimerWheel::tick);
        if (on_their_way.size() < 5) continue;
        f.ledger().confirm(on_their_way.front());
        on_their_way.erase(on_their_way.begin());
    }
    for (const HoldId id : on_their_way) f.ledger().confirm(id);
    CHECK(f.store.commits() == 0);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: one who never acknowledges is soon not waited for") {
    Fixture f;
    for (std::uint32_t number = 1; number <= 4; ++number) {
        f.hold(number);
        f.pass_longest();
    }
    CHECK(f.sender.safe.size() == 4);
    f.hold(5);
    f.pass(AcknowledgementPace::shortest + 2 * TimerWheel::tick);
    CHECK(f.sender.safe.size() == 5);
    CHECK(f.rows().size() == 5);
}

TEST_CASE("ledger: rows that are done with are erased with the next commit") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.pass_patience();
    f.ledger().confirm(id);
    f.pass(Ledger::erase_within / 2);
    CHECK(f.store.commits() == 1);
    f.ledger().keep(f.message("b"), {}, f.store_key());
    f.settle();
    CHECK(f.store.commits() == 2);
    REQUIRE(f.rows().size() == 1);
    CHECK(f.rows().front().body == f.message("b")->bytes());
    f.pass_erasure();
    CHECK(f.store.commits() == 2);
}

TEST_CASE("ledger: many rows that are done with are erased at once, and so is all when it ends") {
    Fixture f;
    std::vector<HoldId> held;
    const auto confirm_all = [&] {
        f.pass_longest();
        for (const HoldId id : std::exchange(held, {})) f.ledger().confirm(id);
    };
    for (std::size_t i = 0; i < Ledger::erase_at_once; ++i) held.push_back(f.hold(1));
    confirm_all();
    f.settle();
    CHECK(f.ledger().open() == 0);
    held.push_back(f.hold(1));
    confirm_all();
    f.ledger().erase_now();
    f.settle();
    CHECK(f.ledger().open() == 0);
    held.push_back(f.hold(1));
    confirm_all();
    CHECK(f.ledger().open() == 1);
    f.ledger().finish();
    CHECK(f.rows().empty());
}

}  // namespace causeway::test
