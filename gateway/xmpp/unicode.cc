#include "gateway/xmpp/unicode.h"

#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace causeway::unicode {
namespace {

/// Never legal in any profile and cheap to test for, so that ICU's int32_t lengths cannot overflow.
constexpr std::size_t max_input = 65536;

Outcome no_tables() { return Outcome::policy("Unicode tables are not available"); }

Result<std::u16string> to_utf16(std::string_view utf8) {
    if (utf8.size() > max_input) return Outcome::malformed("text is too long");
    std::u16string out(utf8.size(), u'\0');  // never more units than bytes
    UErrorCode status = U_ZERO_ERROR;
    std::int32_t length = 0;
    u_strFromUTF8(out.data(), static_cast<std::int32_t>(out.size()), &length, utf8.data(),
                  static_cast<std::int32_t>(utf8.size()), &status);
    if (U_FAILURE(status)) return Outcome::malformed("text is not well-formed UTF-8");
    out.resize(static_cast<std::size_t>(length));
    return out;
}

std::u16string to_utf16(std::u32string_view points) {
    std::u16string out(points.size() * 2, u'\0');
    UErrorCode status = U_ZERO_ERROR;
    std::int32_t length = 0;
    u_strFromUTF32(out.data(), static_cast<std::int32_t>(out.size()), &length,
                   reinterpret_cast<const UChar32*>(points.data()),
                   static_cast<std::int32_t>(points.size()), &status);
    out.resize(U_FAILURE(status) ? 0U : static_cast<std::size_t>(length));
    return out;
}

std::u32string to_utf32(std::u16string_view units) {
    std::u32string out(units.size(), U'\0');
    UErrorCode status = U_ZERO_ERROR;
    std::int32_t length = 0;
    u_strToUTF32(reinterpret_cast<UChar32*>(out.data()), static_cast<std::int32_t>(out.size()),
                 &length, units.data(), static_cast<std::int32_t>(units.size()), &status);
    out.resize(U_FAILURE(status) ? 0U : static_cast<std::size_t>(length));
    return out;
}

std::string to_utf8(std::u16string_view units) {
    std::string out(units.size() * 3, '\0');
    UErrorCode status = U_ZERO_ERROR;
    std::int32_t length = 0;
    u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &length, units.data(),
                static_cast<std::int32_t>(units.size()), &status);
    out.resize(U_FAILURE(status) ? 0U : static_cast<std::size_t>(length));
    return out;
}

/// Profiles are opened on first use and live as long as the process; ICU only reads them.
const UStringPrepProfile* profile_data(Profile profile) {
    static const std::array<UStringPrepProfile*, 3> profiles = [] {
        constexpr std::array types{USPREP_RFC3920_NODEPREP, USPREP_RFC3920_RESOURCEPREP,
                                   USPREP_RFC4013_SASLPREP};
        std::array<UStringPrepProfile*, types.size()> opened{};
        for (std::size_t i = 0; i < types.size(); ++i) {
            UErrorCode status = U_ZERO_ERROR;
            opened[i] = usprep_openByType(types[i], &status);
            if (U_FAILURE(status)) opened[i] = nullptr;
        }
        return opened;
    }();
    return profiles[static_cast<std::size_t>(profile)];
}

const UIDNA* idna() {
    static const UIDNA* const instance = [] {
        UErrorCode status = U_ZERO_ERROR;
        const std::uint32_t options =
            UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_CHECK_CONTEXTO |
            UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE;
        const UIDNA* opened = uidna_openUTS46(options, &status);
        return U_SUCCESS(status) ? opened : nullptr;
    }();
    return instance;
}

using IdnaFunction = std::int32_t (*)(const UIDNA*, const char*, std::int32_t, char*, std::int32_t,
                                      UIDNAInfo*, UErrorCode*);

Result<std::string> run_idna(IdnaFunction function, std::string_view utf8) {
    if (idna() == nullptr) return no_tables();
    if (utf8.size() > max_input) return Outcome::malformed("domain is too long");
    std::string out(1024, '\0');
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UErrorCode status = U_ZERO_ERROR;
    const std::int32_t length =
        function(idna(), utf8.data(), static_cast<std::int32_t>(utf8.size()), out.data(),
                 static_cast<std::int32_t>(out.size()), &info, &status);
    if (status == U_BUFFER_OVERFLOW_ERROR) return Outcome::malformed("domain is too long");
    if (U_FAILURE(status) || info.errors != 0) {
        return Outcome::malformed("domain is not an internationalized host name");
    }
    out.resize(static_cast<std::size_t>(length));
    return out;
}

std::u32string normalise(std::u16string_view units) {
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2* nfc = unorm2_getNFCInstance(&status);
    if (U_FAILURE(status)) return {};
    std::u16string out(units.size() * 3 + 16, u'\0');  // NFC grows a UTF-16 text at most threefold
    const std::int32_t length =
        unorm2_normalize(nfc, units.data(), static_cast<std::int32_t>(units.size()), out.data(),
                         static_cast<std::int32_t>(out.size()), &status);
    if (U_FAILURE(status)) return {};
    out.resize(static_cast<std::size_t>(length));
    return to_utf32(out);
}

Outcome not_idna() {
    return Outcome::malformed("domain holds a character that IDNA2008 does not allow");
}

/// UTS #46 lets symbols through for the sake of old registrations; IDNA2008 does not.
bool labels_in_class(std::u32string_view domain) {
    while (!domain.empty()) {
        const std::u32string_view label = domain.substr(0, domain.find_first_of(U".\u3002"));
        if (!in_class(StringClass::identifier, label)) return false;
        domain.remove_prefix(std::min(domain.size(), label.size() + 1));
    }
    return true;
}

}  // namespace

Result<std::u32string> decode(std::string_view utf8) {
    auto units = to_utf16(utf8);
    if (!units) return units.error();
    return to_utf32(*units);
}

std::string encode(std::u32string_view points) { return to_utf8(to_utf16(points)); }

Result<std::string> stringprep(Profile profile, std::string_view utf8, std::size_t limit) {
    const UStringPrepProfile* data = profile_data(profile);
    if (data == nullptr) return no_tables();
    auto units = to_utf16(utf8);
    if (!units) return units.error();
    std::u16string out(std::min(limit, max_input), u'\0');
    UErrorCode status = U_ZERO_ERROR;
    UParseError where{};
    const std::int32_t length = usprep_prepare(
        data, units->data(), static_cast<std::int32_t>(units->size()), out.data(),
        static_cast<std::int32_t>(out.size()), USPREP_ALLOW_UNASSIGNED, &where, &status);
    if (status == U_BUFFER_OVERFLOW_ERROR) return Outcome::malformed("text is too long");
    if (U_FAILURE(status)) return Outcome::malformed("text holds a prohibited character");
    out.resize(static_cast<std::size_t>(length));
    return to_utf8(out);
}

std::u32string lower_and_compose(std::u32string_view points) {
    const std::u16string units = to_utf16(points);
    std::u16string lower(units.size() * 3 + 16, u'\0');  // no lower case is longer than 3 units
    UErrorCode status = U_ZERO_ERROR;
    const std::int32_t length =
        u_strToLower(lower.data(), static_cast<std::int32_t>(lower.size()), units.data(),
                     static_cast<std::int32_t>(units.size()), "", &status);
    lower.resize(U_FAILURE(status) ? 0U : static_cast<std::size_t>(length));
    return normalise(lower);
}

std::u32string compose(std::u32string_view points) { return normalise(to_utf16(points)); }

Result<std::string> domain_to_unicode(std::string_view utf8) {
    auto given = decode(utf8);
    if (!given) return given.error();
    // Checked before the mapping as well: UTS #46 would silently drop soft hyphens and the like.
    if (!labels_in_class(map_width(*given))) return not_idna();
    auto domain = run_idna(uidna_nameToUnicodeUTF8, utf8);
    if (!domain) return domain;
    auto points = decode(*domain);
    if (!points) return points.error();
    if (!labels_in_class(*points)) return not_idna();
    return domain;
}

Result<std::string> domain_to_ascii(std::string_view utf8) {
    return run_idna(uidna_nameToASCII_UTF8, utf8);
}

}  // namespace causeway::unicode
