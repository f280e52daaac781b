// History: what happened to numbered messages, as those saw it who sent and read them. The judge
// knows nothing else.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gateway/base/clock.h"

namespace causeway::loss {

/// A client.
struct Party {
    std::string name;
    std::size_t server = 0;
    /// It has stream management: it is acknowledged, and resumes.
    bool managed = true;
};

struct NumberedMessage {
    std::size_t sender = 0;
    std::size_t reader = 0;
};

/// Something that happened to a message, a client or a server, by what `which` names.
struct Event {
    enum class Kind : unsigned char {
        // of a message
        sent,
        sent_anew,       ///< once more, in a session that did not go on from the one before
        acknowledged,    ///< to its sender
        refused,         ///< its sender got an error
        read,            ///< by its reader
        left_over,       ///< read in a session that began when everything had been acknowledged
        kept_by_reader,  ///< found in that account's archive
        kept_by_sender,
        // of a client
        connection_lost,
        session_lost,  ///< and could not be resumed
        wrong,         ///< the server did what no server may do
        // of a server
        killed,
        ended,         ///< in good order
        store_failed,  ///< its store refuses, or does not say what it has
    };
    Kind kind = Kind::sent;
    std::size_t which = 0;
    Duration at{0};
    std::string note = {};
};

struct History {
    std::vector<Party> parties = {};
    std::vector<NumberedMessage> messages = {};
    std::vector<Event> events = {};  ///< in the order in which they happened
    bool archives = true;            ///< the servers keep them
    /// They were looked at: kept_by_reader and kept_by_sender are all there is.
    bool archives_known = false;
};

}  // namespace causeway::loss
