// What became of a stanza, in sentences: from the events of the trace and from what the store and
// the links know at this moment. Pure: the same story gives the same words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/trace/event.h"

namespace causeway {

/// What is known of one stanza.
struct StanzaStory {
    /// It stands in the store.
    struct Stored {
        UnixMillis since = 0;
        UnixMillis until = 0;  ///< by the clock on the wall; 0: no end
    };
    /// What this server has to say to another domain.
    struct Link {
        std::string state;  ///< as PairReport has it
        std::string last_error;
        UnixMillis next_retry = 0;  ///< 0: none planned
    };
    /// It stands in the archive of an account here.
    struct Archived {
        std::string owner;
        std::uint64_t id = 0;
        UnixMillis at = 0;
    };

    std::string from, to;
    std::vector<TraceLine> events;  ///< in their order; errors that answer it among them
    std::optional<Stored> offline;  ///< for the recipient
    std::optional<Stored> queued;   ///< for the recipient's domain
    std::optional<Link> link;       ///< to it
    std::vector<Archived> archived;
    UnixMillis now = 0;
};

/// One sentence or two: what happened, and what happens next.
std::string explain(const StanzaStory& story);

/// "12:03:05" of today, else with the date, both UTC.
std::string words_for_time(UnixMillis at, UnixMillis now);

}  // namespace causeway
