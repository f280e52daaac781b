// Text from elsewhere made harmless for a line that a person reads: no control character, no line
// separator, no character that reorders what follows, no byte that is not UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace causeway {

enum class Escape : unsigned char {
    plain,   ///< only what is dangerous
    quoted,  ///< also `"` and `\`, so that it can stand between quotes
    json,    ///< quoted, with U+FFFD for bytes that are not UTF-8, which JSON has no way to say
};

/// Appends `text` to `out`; C0, C1 and bidi controls become \n or \u001b, other bytes \xFF. True
/// when anything had to be escaped.
bool append_escaped(std::string& out, std::string_view text, Escape escape);

/// The first `bytes` of `text`, less where that would cut a UTF-8 character.
std::string_view cut_text(std::string_view text, std::size_t bytes);

}  // namespace causeway
