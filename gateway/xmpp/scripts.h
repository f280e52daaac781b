// Scripts of a text, for names that are to be told apart by eye (UTS #39).
#pragma once

#include <string_view>

namespace causeway::unicode {

/// Whether the text mixes scripts that are not written together, such as Latin and Cyrillic: more
/// than one script, but for Latin with those of Japanese, Chinese or Korean (UTS #39 §5.2, highly
/// restrictive). Digits and punctuation go with every script. True for what is not UTF-8.
bool mixes_scripts(std::string_view utf8);

}  // namespace causeway::unicode
