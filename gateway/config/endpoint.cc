#include "gateway/config/endpoint.h"

#include <fmt/format.h>

#include <boost/system/error_code.hpp>
#include <charconv>
#include <optional>

namespace causeway {
namespace {

namespace ip = boost::asio::ip;

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc{} || stop != end || port == 0) return std::nullopt;
    return port;
}

/// The address and the text after its colon; no port leaves `port` empty.
struct Split {
    std::string_view address, port;
    bool bracketed = false, has_port = false;
};

std::optional<Split> split(std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        const std::string_view rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return std::nullopt;
        return Split{.address = text.substr(1, close - 1),
                     .port = rest.empty() ? rest : rest.substr(1),
                     .bracketed = true,
                     .has_port = !rest.empty()};
    }
    const std::size_t colon = text.find(':');
    // Several colons without brackets are an IPv6 address with no port.
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
        return Split{.address = text, .port = {}, .bracketed = false, .has_port = false};
    }
    return Split{.address = text.substr(0, colon),
                 .port = text.substr(colon + 1),
                 .bracketed = false,
                 .has_port = true};
}

/// "::1:5222" reads as an address, and was hardly meant as one.
Endpoint likely_meant(std::string_view text, const ip::address& address) {
    const std::size_t colon = text.rfind(':');
    if (!text.starts_with('[') && colon != std::string_view::npos) {
        const auto before = parse_address(text.substr(0, colon));
        const auto port = parse_port(text.substr(colon + 1));
        if (before && port) return {*before, *port};
    }
    return {address, 5222};
}

}  // namespace

Result<ip::address> parse_address(std::string_view text) {
    boost::system::error_code error;
    // The longest form, IPv6 with a scope, is far below this; it keeps the copy small.
    constexpr std::size_t longest = 64;
    if (text.size() <= longest) {
        const ip::address address = ip::make_address(std::string(text), error);
        if (!error) return address;
    }
    return Outcome::malformed("is not an address in numbers");
}

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    if (default_port == 0) {
        if (const auto port = parse_port(text)) return Endpoint(StreamProtocol::v6(), *port);
    }
    const auto parts = split(text);
    const auto address = parse_address(parts ? parts->address : std::string_view{});
    if (!address || (parts->bracketed && !address->is_v6())) {
        return Outcome::malformed("is not an address in numbers with a port");
    }
    if (!parts->has_port) {
        if (default_port == 0) {
            return Outcome::malformed(
                fmt::format("has no port; write \"{}\"", to_text(likely_meant(text, *address))));
        }
        return Endpoint(*address, default_port);
    }
    const auto port = parse_port(parts->port);
    if (!port) return Outcome::malformed("has a port that is not a number from 1 to 65535");
    return Endpoint(*address, *port);
}

std::string to_text(const Endpoint& endpoint) {
    const ip::address address = endpoint.address();
    return fmt::format(fmt::runtime(address.is_v6() ? "[{}]:{}" : "{}:{}"), address.to_string(),
                       endpoint.port());
}

}  // namespace causeway
