#include "gateway/base/escape.h"

#include <fmt/format.h>

#include <boost/locale/utf.hpp>
#include <cstddef>
#include <iterator>

namespace causeway {
namespace {

using Utf8 = boost::locale::utf::utf_traits<char>;
using CodePoint = boost::locale::utf::code_point;

/// Characters that could end a line, move the cursor or reorder what a person reads.
bool is_dangerous(CodePoint c) {
    const bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
    const bool separator = c == 0x2028 || c == 0x2029;
    const bool bidi = c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                      (c >= 0x2066 && c <= 0x2069);
    return control || separator || bidi;
}

void append_escape_of(std::string& out, CodePoint c) {
    switch (c) {
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    }
}

}  // namespace

bool append_escaped(std::string& out, std::string_view text, Escape escape) {
    bool escaped = false;
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at != end;) {
        const char* const start = at;
        const CodePoint c = Utf8::decode(at, end);
        const bool valid = boost::locale::utf::is_valid_codepoint(c);
        if (valid && !is_dangerous(c) && (escape == Escape::plain || (c != '"' && c != '\\'))) {
            out.append(start, at);
            continue;
        }
        escaped = true;
        if (valid) {
            append_escape_of(out, c);
            continue;
        }
        // A broken sequence is told byte by byte: decoding goes on behind its first.
        at = start + 1;
        if (escape == Escape::json) {
            out += "\\ufffd";
        } else {
            fmt::format_to(std::back_inserter(out), "\\x{:02X}",
                           static_cast<unsigned char>(*start));
        }
    }
    return escaped;
}

std::string_view cut_text(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    std::size_t end = bytes;
    // Bounded, since a run of trail bytes is not UTF-8 and has no character to keep whole.
    while (end > 0 && end + Utf8::max_width > bytes && Utf8::is_trail(text[end])) --end;
    return text.substr(0, end);
}

}  // namespace causeway
