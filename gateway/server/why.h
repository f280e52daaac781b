// why(): what became of one stanza: asks the trace of every shard, the archive, the store of those
// who were offline, the queue for other domains and the link to its domain, and puts the answer
// into words (gateway/trace/explain.h).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "gateway/session/hub.h"
#include "gateway/trace/explain.h"

namespace causeway {

struct WhyQuestion {
    std::string id;        ///< that its client gave it, or a stanza-id
    std::string from, to;  ///< addresses; empty: any
};

struct WhyAnswer {
    std::string id;               ///< that its client gave it; may be empty
    std::uint64_t stanza_id = 0;  ///< 0: none is known
    StanzaStory story;
    std::string sentence;
    /// Other stanzas of that id, between other addresses: this is the latest.
    std::size_t others = 0;
};

/// Called on the thread of `home`, on which `answer` is given, once. Absent: nothing is known of
/// such a stanza; malformed: not an address. Everything outlives the answer.
void why(Shared& shared, Executor& home, WhyQuestion question,
         std::function<void(Result<WhyAnswer>)> answer);

}  // namespace causeway
