// SessionRecord: what a client session has beside its stream management so that it can go on in
// another process (gateway/session/stream_records.h). Owner: the session.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gateway/session/kept_stream.h"
#include "gateway/session/stream_records.h"

namespace causeway {

struct SessionRecord {
    /// Of presence, in this turn.
    enum class Came : unsigned char { nothing, undirected, directed };

    /// Waits for its notes to be durable: the client must not have a message of which the next
    /// process does not know that it was sent.
    std::vector<std::string> output;  ///< an element each: WebSocket sends each in its own message
    std::size_t output_bytes = 0;
    StreamRecords::Round output_round = 0;  ///< it waits for that one; 0: nothing waits

    std::uint32_t h = 0;               ///< what is being noted as handled
    StreamRecords::Round h_round = 0;  ///< with that round; 0: nothing is being noted
    /// It is to be noted once what the client changed is done.
    bool h_waits = false;

    // Of the stanzas that may have changed the state, which are all but messages: the first that
    // came since it was written, 0 if none has, and the last.
    std::uint32_t first_change = 0;
    std::uint32_t last_change = 0;

    // Who would have to be told that the session is gone.
    bool shown = false;  ///< as it stands in the record, contacts saw it
    Came came = Came::nothing;

    void drop_output() {
        output.clear();
        output_bytes = 0;
    }
    void changed(std::uint32_t number) {
        if (first_change == 0) first_change = number;
        last_change = number;
    }

    /// Messages that the client may send again although they are safe: number and fingerprint.
    std::map<std::uint32_t, std::uint64_t> repeats;
    /// Of an earlier process, until the session goes on: what the client broadcast.
    std::string presence;
};

}  // namespace causeway
