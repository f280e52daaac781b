#include "gateway/net/http_host.h"

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>
#include <charconv>

#include "gateway/base/encoding.h"

namespace causeway {
namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

/// unreserved and sub-delims (RFC 3986 §2).
bool is_plain(char c) {
    const char lower = static_cast<char>(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos);
}

bool is_reg_name(std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '%') {
            if (text.size() - at < 3 || !is_hex(text[at + 1]) || !is_hex(text[at + 2]))
                return false;
            at += 2;
        } else if (!is_plain(text[at])) {
            return false;
        }
    }
    return true;
}

/// What stands between the brackets: an IPv6 address, or an address of a version yet to come.
bool is_ip_literal(std::string_view text) {
    if (text.starts_with('v') || text.starts_with('V')) {
        const std::size_t dot = text.find('.');
        if (dot == std::string_view::npos || dot < 2 || dot + 1 == text.size()) return false;
        return std::ranges::all_of(text.substr(1, dot - 1), is_hex) &&
               std::ranges::all_of(text.substr(dot + 1),
                                   [](char c) { return c == ':' || is_plain(c); });
    }
    boost::system::error_code error;
    boost::asio::ip::make_address_v6(std::string(text), error);
    return !error && text.find('%') == std::string_view::npos;
}

}  // namespace

Result<HttpAuthority> parse_http_authority(std::string_view text) {
    const Outcome malformed = Outcome::malformed("The Host header is not a host and a port.");
    std::size_t end = 0;
    if (text.starts_with('[')) {
        end = text.find(']');
        if (end == std::string_view::npos || !is_ip_literal(text.substr(1, end - 1))) {
            return malformed;
        }
        ++end;
    } else {
        end = std::min(text.find(':'), text.size());
        if (!is_reg_name(text.substr(0, end))) return malformed;
    }
    std::string_view host = text.substr(0, end);
    std::string_view rest = text.substr(end);
    if (host.ends_with('.')) host.remove_suffix(1);
    HttpAuthority authority{.host = ascii_lower(host), .port = {}};
    if (rest.empty() || rest == ":") return authority;
    std::uint16_t port = 0;
    const auto [stopped, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), port);
    if (rest.front() != ':' || error != std::errc{} || stopped != rest.data() + rest.size()) {
        return malformed;
    }
    authority.port = port;
    return authority;
}

Result<HttpAuthority> http_host(const boost::beast::http::fields& fields, unsigned version) {
    namespace http = boost::beast::http;
    const auto count = fields.count(http::field::host);
    if (count > 1 || (count == 0 && version >= 11)) {
        return Outcome::malformed("One Host header is required.");
    }
    const auto value = fields[http::field::host];
    return parse_http_authority({value.data(), value.size()});
}

}  // namespace causeway
