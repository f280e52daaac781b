// What may become of a message in the Ledger: every state it can be in, and one function that says
// where each event leads. Every state leads to an end.
#pragma once

#include <cstddef>

namespace causeway {

enum class LedgerState : unsigned char {
    // On its way: a recipient may still confirm it.
    waiting,     ///< not stored, and to be so when the wait is over or after a failure
    to_archive,  ///< at the end of this turn, in its owner's archive alone
    to_store,  ///< at the end of this turn: listed, and archived where its owner's archive keeps it
    archiving,  ///< the store does what to_archive says
    storing,    ///< the store does what to_store says
    archived,   ///< in its owner's archive, and not listed
    to_list,    ///< archived, and to be listed at the end of this turn
    listing,    ///< archived, and the store lists it
    listed,     ///< in a Log store, where the next session looks
    // Nobody will confirm it: it is kept for the next session.
    keep_to_store,
    keep_storing,
    keep_archiving,  ///< given back while it was being archived: listed by the commit that follows
    keep_to_list,
    keep_listing,
    keep_unlisted,  ///< archived; it could not be listed, which is tried again
    // Its recipient has it.
    had_to_store,  ///< no archive keeps it, and its sender waits for a row that is then erased
    had_storing,   ///< being listed, and the row is then erased
    had_to_archive,
    had_archiving,
    had_unarchived,  ///< it could not be archived, which is tried again
    had_listing,     ///< archived, and being listed; the row is then erased
    // Ends.
    over,     ///< nothing is left to be done
    erased,   ///< the same, once its row is erased
    kept,     ///< its row waits for the next session
    refused,  ///< its sender gets an error, and nothing of it stays in the store
    lost,     ///< its recipient has it, and the archive does not
};
inline constexpr std::size_t ledger_states = static_cast<std::size_t>(LedgerState::lost) + 1;

enum class LedgerEvent : unsigned char {
    archive,   ///< it begins, and need not be listed yet
    store,     ///< it has waited long enough, for its recipient or after a failure
    list,      ///< it has been on its way long enough to be listed
    confirm,   ///< the recipient has it
    written,   ///< the system took it for a recipient that does not confirm, and a sender waits
    release,   ///< nobody will confirm it
    commit,    ///< what is due is given to the store
    stored,    ///< that is durable
    failed,    ///< that failed
    given_up,  ///< the same, and it has been tried often enough
};
inline constexpr std::size_t ledger_events = static_cast<std::size_t>(LedgerEvent::given_up) + 1;

/// Where an event leads, and whether the sender may know now that its message is safe.
struct LedgerStep {
    LedgerState state;
    bool settles = false;
};

/// `archived`: its owner's archive keeps the message. An event that means nothing in a state leaves
/// it as it is.
LedgerStep next(LedgerState state, LedgerEvent event, bool archived);

/// To be given to the store at the end of this turn.
constexpr bool is_due(LedgerState state) {
    using enum LedgerState;
    return state == to_archive || state == to_store || state == to_list || state == keep_to_store ||
           state == keep_to_list || state == had_to_store || state == had_to_archive;
}
/// Tried again by `store` after a while.
constexpr bool is_to_try_again(LedgerState state) {
    using enum LedgerState;
    return state == waiting || state == keep_unlisted || state == had_unarchived;
}
constexpr bool is_end(LedgerState state) { return state >= LedgerState::over; }
/// Kept for the next session, or about to be.
constexpr bool is_kept(LedgerState state) {
    return state >= LedgerState::keep_to_store && state <= LedgerState::keep_unlisted;
}
constexpr bool recipient_has(LedgerState state) {
    return state >= LedgerState::had_to_store && state <= LedgerState::had_listing;
}
/// It is known to stand in the store, under its row.
constexpr bool in_store(LedgerState state) {
    using enum LedgerState;
    return state == archived || state == to_list || state == listing || state == listed ||
           state == keep_to_list || state == keep_listing || state == keep_unlisted ||
           state == had_listing;
}
/// What is due, or under way, gives the message a row in a Log store.
constexpr bool makes_row(LedgerState state) {
    using enum LedgerState;
    return state == to_store || state == storing || state == to_list || state == listing ||
           state == keep_to_store || state == keep_storing || state == keep_to_list ||
           state == keep_listing || state == had_to_store || state == had_storing ||
           state == had_listing;
}

}  // namespace causeway
