#include "gateway/config/key_depth.h"

#include <algorithm>

namespace causeway {
namespace {

/// The offset behind the string that opens at `at` with a quote; the end when it never closes.
std::size_t skip_string(std::string_view toml, std::size_t at) {
    const char quote = toml[at];
    const bool escapes = quote == '"';
    const std::string_view three = quote == '"' ? R"(""")" : "'''";
    const bool lines = toml.substr(at).starts_with(three);
    for (at += lines ? 3 : 1; at < toml.size(); ++at) {
        if (escapes && toml[at] == '\\') {
            ++at;
        } else if (!lines && (toml[at] == quote || toml[at] == '\n')) {
            return at + 1;
        } else if (lines && toml.substr(at).starts_with(three)) {
            // Up to two quotes may stand before the three that close.
            at += 3;
            for (int more = 0; more < 2 && at < toml.size() && toml[at] == quote; ++more) ++at;
            return at;
        }
    }
    return toml.size();
}

}  // namespace

std::optional<std::size_t> find_deep_key(std::string_view toml) {
    std::size_t dots = 0;
    for (std::size_t at = 0; at < toml.size();) {
        switch (toml[at]) {
            case '"':
            case '\'': at = skip_string(toml, at); continue;
            case '#': at = std::min(toml.find('\n', at), toml.size()); continue;
            case '.':
                if (++dots >= most_key_parts) return at + 1;
                break;
            case '=':
            case ',':
            case '[':
            case ']':
            case '{':
            case '}':
            case '\n': dots = 0; break;
            default: break;
        }
        ++at;
    }
    return std::nullopt;
}

}  // namespace causeway
