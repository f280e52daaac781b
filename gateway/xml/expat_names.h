// How expat writes a name with its namespace: parts behind one another, between them a byte that no
// XML 1.0 document can hold, so that no namespace name can forge a boundary.
#pragma once

#include <string_view>

namespace causeway {

struct ExpatName {
    static constexpr char separator = '\x0c';

    explicit ExpatName(std::string_view raw) : local(raw) {
        const std::size_t first = raw.find(separator);
        if (first == std::string_view::npos) return;
        ns = raw.substr(0, first);
        local = raw.substr(first + 1);
        const std::size_t second = local.find(separator);
        if (second == std::string_view::npos) return;
        prefix = local.substr(second + 1);
        local = local.substr(0, second);
    }

    std::string_view ns, local, prefix;
};

}  // namespace causeway
