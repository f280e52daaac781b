// The PRECIS half of unicode.h: string classes, contextual rules, bidi rule and width mapping,
// computed from the properties of ICU's Unicode version as RFC 8264 §8 lays down.
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <array>
#include <optional>

#include "gateway/xmpp/unicode.h"

namespace causeway::unicode {
namespace {

enum class Property : unsigned char { valid, freeform_only, context, disallowed };

constexpr char32_t zero_width_non_joiner = 0x200C;
constexpr char32_t zero_width_joiner = 0x200D;
constexpr int virama_class = 9;  // canonical combining class of a virama

UChar32 icu(char32_t point) { return static_cast<UChar32>(point); }

bool is_arabic_digit(char32_t point) { return point >= 0x0660 && point <= 0x0669; }

bool is_extended_arabic_digit(char32_t point) { return point >= 0x06F0 && point <= 0x06F9; }

/// RFC 8264 §9.6: code points whose property is given instead of computed.
std::optional<Property> exception_of(char32_t point) {
    if (is_arabic_digit(point) || is_extended_arabic_digit(point)) return Property::context;
    switch (point) {
        case 0x00DF:
        case 0x03C2:
        case 0x06FD:
        case 0x06FE:
        case 0x0F0B:
        case 0x3007: return Property::valid;
        case 0x00B7:
        case 0x0375:
        case 0x05F3:
        case 0x05F4:
        case 0x30FB: return Property::context;
        case 0x0640:
        case 0x07FA:
        case 0x302E:
        case 0x302F:
        case 0x3031:
        case 0x3032:
        case 0x3033:
        case 0x3034:
        case 0x3035:
        case 0x303B: return Property::disallowed;
        default: return std::nullopt;
    }
}

bool is_old_hangul_jamo(char32_t point) {
    switch (u_getIntPropertyValue(icu(point), UCHAR_HANGUL_SYLLABLE_TYPE)) {
        case U_HST_LEADING_JAMO:
        case U_HST_VOWEL_JAMO:
        case U_HST_TRAILING_JAMO: return true;
        default: return false;
    }
}

/// Whether NFKC changes the code point on its own (RFC 8264 §9.17).
bool has_compatibility_form(char32_t point) {
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2* nfkc = unorm2_getNFKCInstance(&status);
    std::array<UChar, 2> text{};
    int length = 1;
    if (point < 0x10000) {
        text[0] = static_cast<UChar>(point);
    } else {
        text[0] = static_cast<UChar>(0xD800 + ((point - 0x10000) >> 10));
        text[1] = static_cast<UChar>(0xDC00 + ((point - 0x10000) & 0x3FF));
        length = 2;
    }
    const bool normal = unorm2_isNormalized(nfkc, text.data(), length, &status) != 0;
    return U_FAILURE(status) || !normal;
}

/// The algorithm of RFC 8264 §8, in its order.
Property property_of(char32_t point) {
    if (const auto exception = exception_of(point)) return *exception;
    const auto category = static_cast<UCharCategory>(u_charType(icu(point)));
    const bool noncharacter = u_hasBinaryProperty(icu(point), UCHAR_NONCHARACTER_CODE_POINT) != 0;
    if (category == U_UNASSIGNED && !noncharacter) return Property::disallowed;
    if (point >= 0x21 && point <= 0x7E) return Property::valid;
    if (point == zero_width_joiner || point == zero_width_non_joiner) return Property::context;
    if (is_old_hangul_jamo(point)) return Property::disallowed;
    if (noncharacter || u_hasBinaryProperty(icu(point), UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0) {
        return Property::disallowed;
    }
    if (category == U_CONTROL_CHAR) return Property::disallowed;
    if (has_compatibility_form(point)) return Property::freeform_only;
    switch (category) {
        case U_LOWERCASE_LETTER:
        case U_UPPERCASE_LETTER:
        case U_OTHER_LETTER:
        case U_DECIMAL_DIGIT_NUMBER:
        case U_MODIFIER_LETTER:
        case U_NON_SPACING_MARK:
        case U_COMBINING_SPACING_MARK: return Property::valid;
        case U_TITLECASE_LETTER:
        case U_LETTER_NUMBER:
        case U_OTHER_NUMBER:
        case U_ENCLOSING_MARK:
        case U_SPACE_SEPARATOR:
        case U_MATH_SYMBOL:
        case U_CURRENCY_SYMBOL:
        case U_MODIFIER_SYMBOL:
        case U_OTHER_SYMBOL:
        case U_CONNECTOR_PUNCTUATION:
        case U_DASH_PUNCTUATION:
        case U_START_PUNCTUATION:
        case U_END_PUNCTUATION:
        case U_INITIAL_PUNCTUATION:
        case U_FINAL_PUNCTUATION:
        case U_OTHER_PUNCTUATION: return Property::freeform_only;
        default: return Property::disallowed;
    }
}

bool follows_virama(std::u32string_view points, std::size_t at) {
    return at > 0 && u_getCombiningClass(icu(points[at - 1])) == virama_class;
}

/// RFC 5892 A.1: between letters that join across it, other than a virama before it.
bool joins_across(std::u32string_view points, std::size_t at) {
    const auto joining = [&](std::size_t i) {
        return u_getIntPropertyValue(icu(points[i]), UCHAR_JOINING_TYPE);
    };
    std::size_t before = at;
    while (before > 0 && joining(before - 1) == U_JT_TRANSPARENT) --before;
    if (before == 0) return false;
    const auto left = joining(before - 1);
    if (left != U_JT_LEFT_JOINING && left != U_JT_DUAL_JOINING) return false;
    std::size_t after = at + 1;
    while (after < points.size() && joining(after) == U_JT_TRANSPARENT) ++after;
    if (after == points.size()) return false;
    const auto right = joining(after);
    return right == U_JT_RIGHT_JOINING || right == U_JT_DUAL_JOINING;
}

bool has_script(char32_t point, std::initializer_list<UScriptCode> scripts) {
    UErrorCode status = U_ZERO_ERROR;
    const UScriptCode script = uscript_getScript(icu(point), &status);
    return U_SUCCESS(status) && std::find(scripts.begin(), scripts.end(), script) != scripts.end();
}

/// The contextual rules of RFC 5892 appendix A, which RFC 8264 §8 adopts.
bool context_allows(std::u32string_view points, std::size_t at) {
    const char32_t point = points[at];
    if (is_arabic_digit(point)) {
        return std::none_of(points.begin(), points.end(), is_extended_arabic_digit);
    }
    if (is_extended_arabic_digit(point)) {
        return std::none_of(points.begin(), points.end(), is_arabic_digit);
    }
    switch (point) {
        case zero_width_joiner: return follows_virama(points, at);
        case zero_width_non_joiner: return follows_virama(points, at) || joins_across(points, at);
        case 0x00B7:  // middle dot: Catalan l·l
            return at > 0 && at + 1 < points.size() && points[at - 1] == U'l' &&
                   points[at + 1] == U'l';
        case 0x0375:  // Greek lower numeral sign
            return at + 1 < points.size() && has_script(points[at + 1], {USCRIPT_GREEK});
        case 0x05F3:  // Hebrew geresh
        case 0x05F4:  // Hebrew gershayim
            return at > 0 && has_script(points[at - 1], {USCRIPT_HEBREW});
        case 0x30FB:  // katakana middle dot
            return std::any_of(points.begin(), points.end(), [](char32_t other) {
                return has_script(other, {USCRIPT_HIRAGANA, USCRIPT_KATAKANA, USCRIPT_HAN});
            });
        default: return false;
    }
}

constexpr unsigned bit(UCharDirection direction) { return 1U << static_cast<unsigned>(direction); }

unsigned direction_bit(char32_t point) { return bit(u_charDirection(icu(point))); }

}  // namespace

bool in_class(StringClass string_class, std::u32string_view points) {
    for (std::size_t i = 0; i < points.size(); ++i) {
        switch (property_of(points[i])) {
            case Property::valid: break;
            case Property::freeform_only:
                if (string_class != StringClass::freeform) return false;
                break;
            case Property::context:
                if (!context_allows(points, i)) return false;
                break;
            case Property::disallowed: return false;
        }
    }
    return true;
}

bool satisfies_bidi_rule(std::u32string_view points) {
    constexpr unsigned right = bit(U_RIGHT_TO_LEFT) | bit(U_RIGHT_TO_LEFT_ARABIC);
    constexpr unsigned neutral = bit(U_EUROPEAN_NUMBER) | bit(U_EUROPEAN_NUMBER_SEPARATOR) |
                                 bit(U_COMMON_NUMBER_SEPARATOR) |
                                 bit(U_EUROPEAN_NUMBER_TERMINATOR) | bit(U_OTHER_NEUTRAL) |
                                 bit(U_BOUNDARY_NEUTRAL) | bit(U_DIR_NON_SPACING_MARK);
    unsigned seen = 0;
    unsigned last = 0;  // of the last character that is no non-spacing mark
    for (const char32_t point : points) {
        const unsigned direction = direction_bit(point);
        seen |= direction;
        if (direction != bit(U_DIR_NON_SPACING_MARK)) last = direction;
    }
    if ((seen & (right | bit(U_ARABIC_NUMBER))) == 0) return true;
    const unsigned first = direction_bit(points.front());
    if ((first & right) != 0) {
        const bool both_numbers =
            (seen & bit(U_EUROPEAN_NUMBER)) != 0 && (seen & bit(U_ARABIC_NUMBER)) != 0;
        return (seen & ~(right | neutral | bit(U_ARABIC_NUMBER))) == 0 && !both_numbers &&
               (last & (right | bit(U_EUROPEAN_NUMBER) | bit(U_ARABIC_NUMBER))) != 0;
    }
    // A text that begins left-to-right may hold nothing of the other direction, and one that begins
    // otherwise has no direction; both fail here because something right-to-left was seen.
    return false;
}

std::u32string map_width(std::u32string_view points) {
    std::u32string out;
    out.reserve(points.size());
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2* nfkc = unorm2_getNFKCInstance(&status);
    for (const char32_t point : points) {
        const auto type = u_getIntPropertyValue(icu(point), UCHAR_DECOMPOSITION_TYPE);
        std::array<UChar, 4> mapped{};
        std::int32_t length = -1;
        if (U_SUCCESS(status) && (type == U_DT_WIDE || type == U_DT_NARROW)) {
            length = unorm2_getRawDecomposition(nfkc, icu(point), mapped.data(),
                                                static_cast<std::int32_t>(mapped.size()), &status);
        }
        // Every width form maps to a single code point of the basic plane.
        out += length == 1 ? static_cast<char32_t>(mapped[0]) : point;
    }
    return out;
}

}  // namespace causeway::unicode
