// The message of EXTERNAL (RFC 4422 appendix A): the authorization identity, or nothing, which
// means the identity that the certificate gives (RFC 6120 §13.9, XEP-0178).
#pragma once

#include <string>
#include <string_view>

#include "gateway/sasl/sasl_error.h"

namespace causeway {

/// The authzid as given; empty for no bytes and for "=", which is how no bytes look when nobody
/// decoded them. malformed-request for NUL, for what is not UTF-8, and beyond an address's length.
/// Whether the certificate entitles to it is the caller's question.
SaslResult<std::string> parse_external(std::string_view message);

}  // namespace causeway
