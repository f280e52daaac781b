// ALPN on accepted connections (RFC 7301): each port takes one protocol. An offer without it is
// refused with no_application_protocol (§3.2), which keeps clients of other protocols from talking
// to the port by mistake or by design. A client that offers nothing is accepted.
#pragma once

#include <openssl/ssl.h>

#include "gateway/net/tls_engine.h"

namespace causeway {

/// Makes connections of `context` take xmpp-client, unless expect_protocol() says otherwise.
void take_client_protocol(SSL_CTX* context);
/// Makes connections of `context` take xmpp-server.
void take_server_protocol(SSL_CTX* context);
/// Before the handshake, on a context for clients: this connection takes `name`, a constant,
/// instead.
void expect_protocol(TlsEngine& engine, const char* name);
/// Makes connections made with `context` offer xmpp-server.
void offer_server_protocol(SSL_CTX* context);

}  // namespace causeway
