// Base64 (RFC 4648 §4, strict), hexadecimal, and comparison in constant time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace causeway {

/// With padding, on one line.
std::string base64_encode(std::string_view bytes);

/// Strict: padding required, no white space, no bits left over; nullopt otherwise.
std::optional<std::string> base64_decode(std::string_view text);

/// In lower case.
std::string hex_encode(std::string_view bytes);

/// Equal, in a time that depends on the lengths alone; for proofs, keys and tokens.
bool equal_in_constant_time(std::string_view a, std::string_view b);

/// ASCII lower case; other bytes are kept.
std::string ascii_lower(std::string_view text);

}  // namespace causeway
