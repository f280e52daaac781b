// Every state of a message in the Ledger, and every event in it.
#include "gateway/session/ledger_state.h"

#include <doctest/doctest.h>

#include <set>
#include <vector>

namespace causeway::test {
namespace {

using Events = std::vector<LedgerEvent>;

std::vector<LedgerState> all_states() {
    std::vector<LedgerState> all;
    for (std::size_t i = 0; i < ledger_states; ++i) all.push_back(static_cast<LedgerState>(i));
    return all;
}

/// What can be reached from a message that begins, by any events in any order.
std::set<LedgerState> reachable(LedgerState from, bool archived, const Events& events) {
    std::set<LedgerState> found{from};
    std::vector<LedgerState> left{from};
    while (!left.empty()) {
        const LedgerState state = left.back();
        left.pop_back();
        for (const LedgerEvent event : events) {
            const LedgerState to = next(state, event, archived).state;
            if (found.insert(to).second) left.push_back(to);
        }
    }
    return found;
}

Events all_events() {
    Events all;
    for (std::size_t i = 0; i < ledger_events; ++i) all.push_back(static_cast<LedgerEvent>(i));
    return all;
}

}  // namespace

TEST_CASE("ledger states: nothing stays open once its recipient has it or is gone") {
    const Events store_works{LedgerEvent::store, LedgerEvent::commit, LedgerEvent::stored};
    const Events store_gives_up{LedgerEvent::store, LedgerEvent::commit, LedgerEvent::given_up};
    for (const bool archived : {false, true}) {
        for (const LedgerState state : reachable(LedgerState::waiting, archived, all_events())) {
            for (const LedgerEvent last : {LedgerEvent::confirm, LedgerEvent::release}) {
                CAPTURE(static_cast<int>(state));
                LedgerState now = next(state, last, archived).state;
                for (int round = 0; round < 3 && !is_end(now); ++round) {
                    for (const LedgerEvent event : store_works) {
                        now = next(now, event, archived).state;
                    }
                }
                CHECK(is_end(now));
                now = next(state, LedgerEvent::confirm, archived).state;
                for (int round = 0; round < 3 && !is_end(now); ++round) {
                    for (const LedgerEvent event : store_gives_up) {
                        now = next(now, event, archived).state;
                    }
                }
                CHECK(is_end(now));
            }
        }
    }
}

TEST_CASE("ledger states: an end is an end, and what is under way waits for its answer") {
    for (const bool archived : {false, true}) {
        for (const LedgerState state : all_states()) {
            CAPTURE(static_cast<int>(state));
            for (const LedgerEvent event : all_events()) {
                if (is_end(state)) CHECK(next(state, event, archived).state == state);
            }
            if (!is_due(state)) {
                CHECK(next(state, LedgerEvent::commit, archived).state == state);
                continue;
            }
            const LedgerState under_way = next(state, LedgerEvent::commit, archived).state;
            CHECK_FALSE(is_due(under_way));
            CHECK_FALSE(is_end(under_way));
            CHECK(makes_row(under_way) == makes_row(state));
            CHECK(in_store(under_way) == in_store(state));
            // Nothing but the answer makes it due again: a second commit of the same row fails.
            for (const LedgerEvent event :
                 {LedgerEvent::store, LedgerEvent::list, LedgerEvent::confirm, LedgerEvent::written,
                  LedgerEvent::release, LedgerEvent::archive}) {
                const LedgerState to = next(under_way, event, archived).state;
                CHECK_FALSE(is_due(to));
                CHECK_FALSE(is_end(to));
            }
        }
    }
}

TEST_CASE("ledger states: a sender hears that an archived message is safe when the disk has it") {
    using enum LedgerState;
    for (const LedgerState state :
         {waiting, to_archive, to_store, archiving, storing, had_to_archive, had_archiving}) {
        CAPTURE(static_cast<int>(state));
        CHECK_FALSE(next(state, LedgerEvent::confirm, true).settles);
        CHECK_FALSE(next(state, LedgerEvent::written, true).settles);
        CHECK_FALSE(next(state, LedgerEvent::release, true).settles);
    }
    // Without an archive the recipient's word is enough.
    for (const LedgerState state : {waiting, to_store, storing, had_to_store}) {
        CHECK(next(state, LedgerEvent::confirm, false).settles);
        CHECK_FALSE(next(state, LedgerEvent::written, false).settles);
    }
}

TEST_CASE("ledger states: the rows that a message leaves") {
    using enum LedgerState;
    const auto end_of = [](LedgerState state, const Events& events, bool archived) {
        for (const LedgerEvent event : events) state = next(state, event, archived).state;
        return state;
    };
    using enum LedgerEvent;
    CHECK(end_of(waiting, {archive, LedgerEvent::commit, confirm, stored}, true) == over);
    CHECK(end_of(waiting,
                 {archive, LedgerEvent::commit, stored, list, LedgerEvent::commit, confirm, stored},
                 true) == erased);
    CHECK(end_of(waiting,
                 {archive, LedgerEvent::commit, release, stored, LedgerEvent::commit, stored},
                 true) == kept);
    CHECK(end_of(waiting, {store, LedgerEvent::commit, confirm, failed}, true) == had_unarchived);
    CHECK(end_of(waiting, {store, LedgerEvent::commit, confirm, failed}, false) == over);
    CHECK(end_of(waiting, {release, LedgerEvent::commit, failed}, true) == refused);
    CHECK(end_of(archived,
                 {release, LedgerEvent::commit, failed, store, LedgerEvent::commit, stored},
                 true) == kept);
    CHECK(end_of(listed, {confirm}, false) == erased);
    CHECK(end_of(listed, {release}, false) == kept);
    CHECK(end_of(had_archiving, {given_up}, true) == lost);
}

}  // namespace causeway::test
