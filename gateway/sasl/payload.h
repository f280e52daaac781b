// The text of <auth/>, <challenge/>, <response/> and <success/>: strict base64 without white space,
// with "=" for data of no length (RFC 6120 §6.4.2 to 6.4.6).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/sasl/sasl_error.h"

namespace causeway {

/// Text of <auth/>: nothing when there is no initial response, which calls for an empty challenge;
/// incorrect-encoding when it is not base64.
SaslResult<std::optional<std::string>> decode_initial_response(std::string_view text);

/// Text of any later element: empty text and "=" both mean no bytes.
SaslResult<std::string> decode_sasl_payload(std::string_view text);

/// What to put into an element; "=" for no bytes.
std::string encode_sasl_payload(std::string_view bytes);

}  // namespace causeway
