// The beginning of a text in UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace causeway {

/// At most `most` bytes of it, cut where a character ends.
inline std::string_view cut_text(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text;
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
    return text.substr(0, end);
}

}  // namespace causeway
