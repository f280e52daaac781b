// The message of PLAIN (RFC 4616): [authzid] NUL authcid NUL passwd.
#pragma once

#include <string>
#include <string_view>

#include "gateway/sasl/sasl_error.h"

namespace causeway {

/// As given: the caller normalises the names, compares authzid with the account that authcid names,
/// and wipes the password (scram_keys.h) when it is verified.
struct PlainRequest {
    std::string authzid;  ///< empty: none
    std::string authcid;
    std::string password;
};

/// malformed-request unless there are exactly two NULs, a name, a password, well-formed UTF-8, and
/// every part is within the length an address or a password may have.
SaslResult<PlainRequest> parse_plain(std::string_view message);

/// The message, for the initiating side.
std::string plain_message(std::string_view authzid, std::string_view authcid,
                          std::string_view password);

}  // namespace causeway
