// Endpoints as a person writes them: "127.0.0.1:5222", "[::1]:5222", or a port alone for every
// address. Numbers only; a name would tie the start of the server to DNS.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/endpoint.h"
#include "gateway/base/outcome.h"

namespace causeway {

/// An address with a port. A port alone is `[::]:port`, which stands for every address of both
/// families. With `default_port` > 0 an address alone is enough ("[::1]" or "::1" for IPv6), and a
/// port alone is not. Cause::malformed says what would be right.
Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port = 0);

/// An IPv4 or IPv6 address in numbers, without brackets or a port.
Result<Address> parse_address(std::string_view text);

/// The form that parse_endpoint reads: "127.0.0.1:5222", "[::1]:5222".
std::string to_text(const Endpoint& endpoint);

}  // namespace causeway
