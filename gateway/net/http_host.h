// The Host header of an HTTP request: its form, and which requests must have one.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway {

/// uri-host and port of a Host header (RFC 9110 §7.2).
struct HttpAuthority {
    std::string host;  ///< in lower case, without a dot at the end; may be empty
    std::optional<std::uint16_t> port;
};

/// Malformed unless `text` is `uri-host [":" port]` with the host as RFC 3986 §3.2.2 has it.
Result<HttpAuthority> parse_http_authority(std::string_view text);

/// The authority that a request names. Malformed, to be answered with 400 (RFC 9112 §3.2): no Host
/// in HTTP/1.1, more than one, or one of another form. HTTP/1.0 may do without; its authority is
/// empty.
Result<HttpAuthority> http_host(const boost::beast::http::fields& fields, unsigned version);

}  // namespace causeway
