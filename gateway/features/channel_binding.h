// What clients can bind a SASL exchange to (RFC 5802 §6), and how they learn of it (XEP-0440).
#pragma once

#include <string>

#include "gateway/net/channel.h"
#include "gateway/sasl/scram_server.h"

namespace causeway::channel_binding {

/// Nothing can be bound to over WebSocket: no script learns anything of the TLS connection that the
/// browser made for it.
bool possible(const Channel& channel);
/// The types that are announced; empty where nothing can be bound to.
ChannelBindings announced(const Channel& channel);
/// Those, and tls-unique (see TlsEngine).
ChannelBindings accepted(const Channel& channel);
/// Appends the announcement to the features of a stream.
void announce(const Channel& channel, std::string& out);

}  // namespace causeway::channel_binding
