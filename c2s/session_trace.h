// What ClientSession tells the trace.
#pragma once

#include "gateway/session/hub.h"
#include "gateway/stream/stream_management.h"

namespace causeway::session_trace {

/// The client has these.
void acknowledged(Hub& hub, const Jid& session, const std::vector<StreamManagement::Sent>& done);
/// The connection broke before the client acknowledged these; the session may be resumed.
void interrupted(Hub& hub, const Jid& session, const StreamManagement& management);
/// It was not: another session gets it, or the store.
void given_back(Hub& hub, const Jid& session, const Packet& packet);
/// The connection is gone, and the stanza waits for the session to be resumed.
void no_connection(Hub& hub, const Jid& session, const Packet& packet);
/// The session is resumed, and its client gets once more what it did not acknowledge.
void sent_again(Hub& hub, const Jid& session, const Packet& packet);
/// Its `from` is not an address of the session, which is ended.
void not_its_address(Hub& hub, const Jid& session, const Element& element, StanzaKind kind);
/// It is no stanza that can be routed.
void refused(Hub& hub, const Jid& session, const Element& element, StanzaKind kind,
             const StanzaError& error);

}  // namespace causeway::session_trace
