#include "gateway/xmpp/scripts.h"

#include <unicode/uscript.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "gateway/xmpp/unicode.h"

namespace causeway::unicode {
namespace {

constexpr std::array japanese{USCRIPT_LATIN, USCRIPT_HAN, USCRIPT_HIRAGANA, USCRIPT_KATAKANA};
constexpr std::array chinese{USCRIPT_LATIN, USCRIPT_HAN, USCRIPT_BOPOMOFO};
constexpr std::array korean{USCRIPT_LATIN, USCRIPT_HAN, USCRIPT_HANGUL};

/// The scripts in which a character is used.
std::vector<UScriptCode> scripts_of(char32_t point) {
    std::array<UScriptCode, 32> found{};
    UErrorCode status = U_ZERO_ERROR;
    const std::int32_t count =
        uscript_getScriptExtensions(static_cast<UChar32>(point), found.data(),
                                    static_cast<std::int32_t>(found.size()), &status);
    if (U_FAILURE(status) || count < 0) return {};
    return {found.begin(), found.begin() + count};
}

bool goes_with_all(const std::vector<UScriptCode>& scripts) {
    return scripts.size() == 1 &&
           (scripts.front() == USCRIPT_COMMON || scripts.front() == USCRIPT_INHERITED);
}

/// Whether each character is used in one of those scripts.
bool within(const std::vector<std::vector<UScriptCode>>& text,
            std::span<const UScriptCode> scripts) {
    return std::ranges::all_of(text, [&](const std::vector<UScriptCode>& of) {
        return std::ranges::find_first_of(of, scripts) != of.end();
    });
}

}  // namespace

bool mixes_scripts(std::string_view utf8) {
    const auto points = decode(utf8);
    if (!points) return true;
    std::vector<std::vector<UScriptCode>> text;
    for (const char32_t point : *points) {
        auto scripts = scripts_of(point);
        if (!goes_with_all(scripts)) text.push_back(std::move(scripts));
    }
    if (text.empty() || within(text, japanese) || within(text, chinese) || within(text, korean)) {
        return false;
    }
    return std::ranges::none_of(
        text.front(), [&](UScriptCode script) { return within(text, std::span(&script, 1)); });
}

}  // namespace causeway::unicode
