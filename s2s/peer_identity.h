// Which domain a peer's certificate proves, if any (RFC 6120 §13.7, XEP-0178).
#pragma once

#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/net/tls_engine.h"

namespace causeway {

/// ok if the certificate that the peer showed leads to a trusted root and covers `domain`
/// (normalised). `engine` may be nullptr: no TLS, nothing proven. The reason is for logs and
/// errors.
Outcome certificate_proves(const TlsEngine* engine, std::string_view domain);

}  // namespace causeway
