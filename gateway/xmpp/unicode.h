// The Unicode rules behind addresses and passwords: strict UTF-8, the stringprep profiles of ICU,
// and the string classes of PRECIS (RFC 8264), which ICU does not have. Pure functions, callable
// from any thread; ICU's profiles are loaded once and never change.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway::unicode {

/// Code points of `utf8`; malformed if it is not well-formed UTF-8 (RFC 3629: no surrogates, no
/// overlong forms).
Result<std::u32string> decode(std::string_view utf8);

/// UTF-8 of `points`, which must hold no surrogates.
std::string encode(std::u32string_view points);

// --- stringprep (RFC 3454) ---

enum class Profile : unsigned char {
    node,      ///< nodeprep, RFC 6122 appendix A
    resource,  ///< resourceprep, RFC 6122 appendix B
    sasl,      ///< SASLprep, RFC 4013
};

/// Applies the profile as for a query (unassigned code points of Unicode 3.2 are kept); malformed
/// if it prohibits the text. Output longer than `limit` UTF-16 units is refused.
Result<std::string> stringprep(Profile profile, std::string_view utf8, std::size_t limit);

// --- PRECIS ---

enum class StringClass : unsigned char { identifier, freeform };

/// Whether every code point belongs to the class, contextual rules included (RFC 8264 §4, §8, §9;
/// RFC 5892 appendix A).
bool in_class(StringClass string_class, std::u32string_view points);

/// The Bidi Rule of RFC 5893 §2; satisfied by text without right-to-left characters.
bool satisfies_bidi_rule(std::u32string_view points);

/// Width mapping (RFC 8265 §3.2): fullwidth and halfwidth forms become what they decompose to.
std::u32string map_width(std::u32string_view points);

/// The rules UsernameCaseMapped applies after the class check: lower case, then NFC (RFC 8265
/// §3.3).
std::u32string lower_and_compose(std::u32string_view points);

/// NFC alone, as in OpaqueString (RFC 8265 §4.2).
std::u32string compose(std::u32string_view points);

// --- IDNA ---

/// UTS #46, non-transitional, to U-labels, with every check of IDNA2008 that ICU offers, and the
/// derived property of RFC 5892 on each label. A final dot is kept.
Result<std::string> domain_to_unicode(std::string_view utf8);

/// The same to A-labels, with the length limits of DNS (63 a label, 253 in all).
Result<std::string> domain_to_ascii(std::string_view utf8);

}  // namespace causeway::unicode
