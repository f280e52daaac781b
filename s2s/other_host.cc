#include "s2s/other_host.h"

#include <charconv>

#include "gateway/xmpp/domain.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

std::optional<OtherHost> read_other_host(std::string_view text) {
    std::string_view name = text;
    OtherHost other;
    if (const std::size_t colon = text.rfind(':');
        colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
        name = text.substr(0, colon);
        const char* const end = text.data() + text.size();
        const auto read = std::from_chars(text.data() + colon + 1, end, other.port);
        if (read.ec != std::errc{} || read.ptr != end || other.port == 0) return std::nullopt;
    }
    other.host = domain_to_ascii(domain_of(name));
    if (other.host.empty()) return std::nullopt;
    return other;
}

std::string without_brackets(const std::string& host) {
    return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

}  // namespace causeway
