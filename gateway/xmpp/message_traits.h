// What a message is, as far as the server treats messages differently: seen once, when it is
// routed, so that nobody has to read it again.
#pragma once

#include "gateway/xmpp/stanza.h"

namespace causeway {

struct MessageTraits {
    /// Worth keeping for somebody offline (XEP-0160), as far as the sender lets it (XEP-0334).
    bool storable = false;
    /// Worth a place in the archives of both sides (XEP-0313 §5.1.1, XEP-0334). Such a message is
    /// storable as well.
    bool archivable = false;
    bool has_body = false;
    /// A chat state and nothing else (XEP-0085): only the latest of a sender matters.
    bool only_chat_state = false;
    /// A receipt or a marker of another message (XEP-0184, XEP-0333).
    bool answers_message = false;
    /// Takes an earlier message of its sender back (XEP-0424).
    bool retracts = false;
    /// The sender wants no copies on other devices (XEP-0334, XEP-0280).
    bool not_copied = false;
    /// From or to an occupant of a room, in private (XEP-0045 §7.5).
    bool room_private = false;
};

/// All false for what is no message.
MessageTraits traits_of(const Stanza& stanza);

/// Whether a message is part of a conversation though it may have no body: something encrypted, a
/// call (XEP-0353), a reaction (XEP-0444), a retraction.
bool of_conversation(const Stanza& message);

/// Whether a message says something that only its recipient can read; a body beside it is not
/// needed. Keys for what is to be said later say nothing (XEP-0384).
bool says_in_secret(const Stanza& message);

}  // namespace causeway
