// Looks into raw XML by searching text.
#include "tools/bench/xml_text.h"

#include <algorithm>
#include <string>

namespace causeway::bench {
namespace {

constexpr std::string_view white_space = " \t\r\n";

}  // namespace

std::string_view start_tag_of(std::string_view element) {
    char quote = '\0';
    for (std::size_t i = 0; i < element.size(); ++i) {
        const char byte = element[i];
        if (quote != '\0') {
            quote = byte == quote ? '\0' : quote;
        } else if (byte == '\'' || byte == '"') {
            quote = byte;
        } else if (byte == '>') {
            return element.substr(0, i + 1);
        }
    }
    return {};
}

bool is_named(std::string_view element, std::string_view name) {
    if (element.size() < name.size() + 2 || element.front() != '<' ||
        element.substr(1, name.size()) != name) {
        return false;
    }
    const char next = element[name.size() + 1];
    return next == '>' || next == '/' || white_space.find(next) != std::string_view::npos;
}

std::string_view attribute_of(std::string_view element, std::string_view name) {
    std::size_t at = std::min(element.find_first_of(" \t\r\n/>"), element.size());
    while (at < element.size()) {
        at = element.find_first_not_of(white_space, at);
        if (at == std::string_view::npos || element[at] == '>' || element[at] == '/') {
            return {};
        }
        const std::size_t equals = element.find('=', at);
        const std::size_t open = element.find_first_of("'\"", at);
        if (equals == std::string_view::npos || open == std::string_view::npos) {
            return {};
        }
        const std::size_t end = element.find(element[open], open + 1);
        if (end == std::string_view::npos) {
            return {};
        }
        const std::string_view found = element.substr(at, equals - at);
        if (found.substr(0, found.find_last_not_of(white_space) + 1) == name) {
            return element.substr(open + 1, end - open - 1);
        }
        at = end + 1;
    }
    return {};
}

std::string_view text_of(std::string_view element, std::string_view name) {
    for (std::size_t at = element.find('<'); at != std::string_view::npos;
         at = element.find('<', at + 1)) {
        const std::string_view rest = element.substr(at);
        if (is_named(rest, name)) {
            const std::string_view tag = start_tag_of(rest);
            if (tag.empty() || tag.ends_with("/>")) {
                return {};
            }
            const std::string_view body = rest.substr(tag.size());
            return body.substr(0, body.find('<'));
        }
    }
    return {};
}

std::string escape_xml(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char byte : text) {
        switch (byte) {
            case '&': escaped += "&amp;"; break;
            case '<': escaped += "&lt;"; break;
            case '>': escaped += "&gt;"; break;
            case '\'': escaped += "&apos;"; break;
            case '"': escaped += "&quot;"; break;
            default: escaped += byte;
        }
    }
    return escaped;
}

std::string expand_pattern(std::string_view pattern, unsigned number) {
    std::string expanded;
    for (;;) {
        const std::size_t at = pattern.find("%d");
        expanded.append(pattern.substr(0, at));
        if (at == std::string_view::npos) {
            return expanded;
        }
        expanded.append(std::to_string(number));
        pattern.remove_prefix(at + 2);
    }
}

}  // namespace causeway::bench
