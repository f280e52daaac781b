// Messages whose outcome is open when their recipient is gone, or does not acknowledge; rows that
// were stored before.
#include "tests/unit/session/ledger_fixture.h"

namespace causeway::test {
namespace {

using Fixture = LedgerFixture;

/// A message whose recipient was not quick enough: the store is being told of it.
struct Committing : LedgerFixture {
    Committing() {
        id = hold(1);
        store.hold_commits();
        pass_patience();
    }
    HoldId id = 0;
};

/// A message that waits in the store for somebody who takes it.
struct Stored : LedgerFixture {
    explicit Stored(std::size_t doubtful_commits = 0) {
        store.doubt_next_commits(doubtful_commits);
        ledger().keep(message("a"), {}, store_key());
        settle();
        REQUIRE(rows().size() == 1);
        row = rows().front().id;
    }
    HoldId adopt() { return ledger().adopt(message("a"), store_key(), row); }
    std::uint64_t row = 0;
};

}  // namespace

// ---- the recipient is gone ----

TEST_CASE("ledger: released before it was stored, it is stored and whoever asked hears the row") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.ledger().release_to(id, f.hear());
    CHECK(f.kept.empty());
    f.settle();
    REQUIRE(f.kept.size() == 1);
    const auto rows = f.rows();
    REQUIRE(rows.size() == 1);
    CHECK(*f.kept.front() == rows.front().id);
    CHECK(f.sender.safe == Numbers{1});
    CHECK(f.ledger().open() == 0);
    CHECK(!f.ledger().in_flight(rows.front().id));
}

TEST_CASE("ledger: released while the store is at it, the row is told when it is there") {
    Committing f;
    f.ledger().release_to(f.id, f.hear());
    f.settle();
    CHECK(f.kept.empty());
    f.store.release_commits();
    f.settle();
    REQUIRE(f.kept.size() == 1);
    CHECK(f.kept.front().ok());
    CHECK(f.rows().size() == 1);
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: released when it is stored, the row stays and is told at once") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.pass_patience();
    f.ledger().release_to(id, f.hear());
    REQUIRE(f.kept.size() == 1);
    f.settle();
    const auto rows = f.rows();
    REQUIRE(rows.size() == 1);
    CHECK(*f.kept.front() == rows.front().id);
    CHECK(!f.ledger().in_flight(rows.front().id));
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: released while the commit fails, the message comes back") {
    Committing f;
    f.ledger().release_to(f.id, f.hear());
    f.store.fail_next_commits(1);
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.bounced == std::vector<std::string>{"1"});
    CHECK(f.sender.safe == Numbers{1});
    REQUIRE(f.kept.size() == 1);
    CHECK(!f.kept.front().ok());
    CHECK(f.ledger().open() == 0);
}

// ---- a recipient that does not acknowledge ----

TEST_CASE("ledger: written where nobody waits to hear is the end of it") {
    Fixture f;
    const HoldId id = f.ledger().hold(f.message("a"), {}, f.store_key());
    f.ledger().written(id);
    CHECK(f.ledger().open() == 0);
    f.settle();
    CHECK(f.store.commits() == 0);
}

TEST_CASE("ledger: written, the message is stored before anybody is told, and then the row goes") {
    Fixture f;
    f.store.hold_commits();
    const HoldId id = f.hold(1);
    f.ledger().written(id);
    f.settle();
    CHECK(f.sender.safe.empty());
    CHECK(f.ledger().open() == 1);
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.safe == Numbers{1});
    f.pass_erasure();
    CHECK(f.store.commits() == 2);
    CHECK(f.rows().empty());
    CHECK(f.ledger().open() == 0);
}

TEST_CASE("ledger: written while the store is at it, or when it is stored") {
    Committing f;
    f.ledger().written(f.id);
    CHECK(f.sender.safe.empty());
    f.store.release_commits();
    f.settle();
    CHECK(f.sender.safe == Numbers{1});
    const HoldId stored = f.hold(2);
    f.pass_longest();
    REQUIRE(f.rows().size() == 1);
    f.ledger().written(stored);
    f.pass_erasure();
    CHECK(f.rows().empty());
    CHECK(f.sender.safe == Numbers{1, 2});
    CHECK(f.ledger().open() == 0);
}

// ---- a row of the store ----

TEST_CASE("ledger: a row that is adopted is on its way until it is acknowledged or released") {
    Stored f;
    const HoldId first = f.adopt();
    CHECK(f.ledger().in_flight(f.row));
    f.ledger().release_to(first, f.hear());
    REQUIRE(f.kept.size() == 1);
    CHECK(*f.kept.front() == f.row);
    CHECK(!f.ledger().in_flight(f.row));
    f.settle();
    CHECK(f.rows().size() == 1);
    f.ledger().confirm(f.adopt());
    // Until the row is gone it must not be sent to anybody else, nor then: who asked the store
    // before may be told of it now.
    CHECK(f.ledger().in_flight(f.row));
    f.pass_erasure();
    CHECK(f.ledger().in_flight(f.row));
    CHECK(f.rows().empty());
}

TEST_CASE("ledger: rows that were erased are remembered for as long as a question may take") {
    DoneRows rows;
    const TimePoint start{Duration{1'000'000}};
    rows.add(1, start);
    rows.add(2, start + DoneRows::remembered_for);
    CHECK(rows.contains(1));
    rows.add(3, start + DoneRows::remembered_for + Duration{1});
    CHECK_FALSE(rows.contains(1));
    CHECK(rows.contains(2));
    for (std::uint64_t row = 4; row < 4 + DoneRows::at_most; ++row) {
        rows.add(row, start + DoneRows::remembered_for);
    }
    CHECK_FALSE(rows.contains(3));
    CHECK(rows.contains(4));
}

TEST_CASE("ledger: a row that cannot be erased is not free before it could") {
    Stored f;
    f.store.fail_next_commits(1);
    f.ledger().confirm(f.adopt());
    f.pass_erasure();
    CHECK(f.ledger().in_flight(f.row));
    CHECK(f.rows().size() == 1);
    f.pass(Ledger::retry_after + 2 * TimerWheel::tick);
    CHECK(f.ledger().in_flight(f.row));
    CHECK(f.rows().empty());
}

TEST_CASE("ledger: a message that was refused is not sent although the store may have it") {
    Stored f(1);
    CHECK(f.ledger().in_flight(f.row));
    f.pass_erasure();
    CHECK(f.ledger().in_flight(f.row));
    CHECK(f.rows().empty());
}

TEST_CASE("ledger: an entry has one end, and what comes later is nothing") {
    Fixture f;
    const HoldId id = f.hold(1);
    f.ledger().confirm(id);
    f.ledger().confirm(id);
    f.ledger().written(id);
    f.ledger().release_to(id, f.hear());
    f.ledger().confirm(12345);
    f.pass_patience();
    CHECK(f.sender.safe == Numbers{1});
    REQUIRE(f.kept.size() == 1);
    CHECK(f.kept.front().error().cause() == Cause::absent);
    CHECK(f.store.commits() == 0);
}

}  // namespace causeway::test
