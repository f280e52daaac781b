#include "gateway/xmpp/jid.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

#include "gateway/xmpp/unicode.h"

namespace causeway {
namespace {

enum CharacterFlag : unsigned char {
    local_normal = 1,     // allowed in a local part and normal as it is
    domain_normal = 2,    // lower-case letter, digit or hyphen
    resource_normal = 4,  // printable ASCII
    letter = 8,           // lower-case letter
};

/// RFC 7622 §3.3.1, besides what the string class excludes.
constexpr std::string_view forbidden_in_local = "\"&'/:<>@";

constexpr std::array<unsigned char, 256> flags = [] {
    std::array<unsigned char, 256> table{};
    for (unsigned c = 0x20; c < 0x7F; ++c) {
        unsigned value = resource_normal;
        const bool lower = c >= 'a' && c <= 'z';
        const bool upper = c >= 'A' && c <= 'Z';
        const bool forbidden = forbidden_in_local.find(static_cast<char>(c)) != std::string::npos;
        if (c != ' ' && !upper && !forbidden) value |= local_normal;
        if (lower || (c >= '0' && c <= '9') || c == '-') value |= domain_normal;
        if (lower) value |= letter;
        table[c] = static_cast<unsigned char>(value);
    }
    return table;
}();

constexpr std::size_t max_domain_ascii = 253;  // RFC 1035 §2.3.4, in text
constexpr std::size_t max_label = 63;

unsigned char flags_of(char c) { return flags[static_cast<unsigned char>(c)]; }

bool all_have(std::string_view text, CharacterFlag flag) {
    unsigned common = flag;
    for (const char c : text) common &= flags_of(c);
    return common != 0;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_normal_local(std::string_view text) {
    return !text.empty() && text.size() <= Jid::max_part && all_have(text, local_normal);
}

bool is_normal_resource(std::string_view text) {
    return !text.empty() && text.size() <= Jid::max_part && all_have(text, resource_normal);
}

/// Whether it is an ASCII host name in normal form beyond doubt; anything else takes the long way.
bool is_normal_domain(std::string_view text) {
    if (text.empty() || text.size() > max_domain_ascii) return false;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && text[i] != '.') {
            if ((flags_of(text[i]) & domain_normal) == 0) return false;
            continue;
        }
        const std::size_t length = i - start;
        if (length == 0 || length > max_label) return false;
        if (text[start] == '-' || text[i - 1] == '-') return false;
        if (length >= 4 && text[start + 2] == '-' && text[start + 3] == '-') return false;
        // A last label that begins with a digit may be part of an address literal.
        if (i == text.size()) return (flags_of(text[start]) & letter) != 0;
        start = i + 1;
    }
    return false;
}

Outcome check_size(std::string_view text, std::string_view what) {
    if (text.empty()) return Outcome::malformed(std::string(what) + " is empty");
    if (text.size() > Jid::max_part) {
        return Outcome::malformed(std::string(what) + " is longer than 1023 bytes");
    }
    return {};
}

/// Whether software that reads addresses leniently would take the host's last label for a number.
bool ends_in_number(std::string_view domain) {
    const std::size_t dot = domain.rfind('.');
    const std::string_view label = dot == std::string_view::npos ? domain : domain.substr(dot + 1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (std::all_of(label.begin(), label.end(), is_digit)) return true;
    return label.starts_with("0x") && std::all_of(label.begin() + 2, label.end(), [&](char c) {
               return is_digit(c) || (c >= 'a' && c <= 'f');
           });
}

/// The canonical text of a literal of `family`, or nothing; inet_pton is strict about both.
std::optional<std::string> canonical_literal(int family, std::string_view text) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return {};
    if (inet_pton(family, std::string(text).c_str(), address.data()) != 1) return {};
    std::array<char, INET6_ADDRSTRLEN> out{};
    if (inet_ntop(family, address.data(), out.data(), out.size()) == nullptr) return {};
    return std::string(out.data());
}

Result<std::string> prepare_ipv6(std::string_view text) {
    if (text.size() > 2 && text.back() == ']') {
        if (auto literal = canonical_literal(AF_INET6, text.substr(1, text.size() - 2))) {
            return "[" + *literal + "]";
        }
    }
    return Outcome::malformed("domain is not an IPv6 literal");
}

/// The checks on a local part's normal form: both preparations must leave it as it is.
bool is_stable_local(std::string_view text) {
    const auto points = unicode::decode(text);
    if (!points || !unicode::in_class(unicode::StringClass::identifier, *points)) return false;
    if (!unicode::satisfies_bidi_rule(*points)) return false;
    if (unicode::lower_and_compose(unicode::map_width(*points)) != *points) return false;
    const auto again = unicode::stringprep(unicode::Profile::node, text, Jid::max_part);
    return again && *again == text;
}

bool is_stable_resource(std::string_view text) {
    const auto points = unicode::decode(text);
    if (!points || !unicode::in_class(unicode::StringClass::freeform, *points)) return false;
    if (unicode::compose(*points) != *points) return false;
    const auto again = unicode::stringprep(unicode::Profile::resource, text, Jid::max_part);
    return again && *again == text;
}

Result<std::string> prepare_ascii_local(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (!is_normal_local(lower)) {
        return Outcome::malformed("local part holds a character that is not allowed");
    }
    return lower;
}

}  // namespace

Result<std::string> prepare_local(std::string_view text) {
    if (is_normal_local(text)) return std::string(text);
    if (auto size = check_size(text, "local part"); !size) return size;
    if (is_ascii(text)) return prepare_ascii_local(text);

    const auto points = unicode::decode(text);
    if (!points) return Outcome::malformed("local part is not well-formed UTF-8");
    // The characters as given count as well: stringprep would silently drop soft hyphens and the like.
    if (!unicode::in_class(unicode::StringClass::identifier, unicode::map_width(*points))) {
        return Outcome::malformed("local part holds a character that is not allowed");
    }
    auto normal = unicode::stringprep(unicode::Profile::node, text, Jid::max_part);
    if (!normal) return Outcome::malformed("local part: " + normal.error().why());
    if (auto size = check_size(*normal, "local part"); !size) return size;
    if (normal->find_first_of(forbidden_in_local) != std::string::npos ||
        !is_stable_local(*normal)) {
        return Outcome::malformed("local part has no normal form that all peers share");
    }
    return normal;
}

Result<std::string> prepare_domain(std::string_view text) {
    if (is_normal_domain(text)) return std::string(text);
    if (auto size = check_size(text, "domain"); !size) return size;
    if (text.front() == '[') return prepare_ipv6(text);

    auto normal = unicode::domain_to_unicode(text);
    if (!normal) return normal;
    if (normal->ends_with('.')) normal->pop_back();
    if (auto size = check_size(*normal, "domain"); !size) return size;
    if (ends_in_number(*normal)) {
        if (auto literal = canonical_literal(AF_INET, *normal)) return *literal;
        return Outcome::malformed("domain ends in a number without being an IPv4 address");
    }
    // The A-labels are what DNS limits, and converting back must give what is stored.
    const auto ascii = unicode::domain_to_ascii(*normal);
    if (!ascii || ascii->size() > max_domain_ascii) {
        return Outcome::malformed("domain is not an internationalized host name");
    }
    return normal;
}

Result<std::string> prepare_resource(std::string_view text) {
    if (is_normal_resource(text)) return std::string(text);
    if (auto size = check_size(text, "resource"); !size) return size;
    const auto points = unicode::decode(text);
    if (!points) return Outcome::malformed("resource is not well-formed UTF-8");
    if (!unicode::in_class(unicode::StringClass::freeform, *points)) {
        return Outcome::malformed("resource holds a character that is not allowed");
    }
    auto normal = unicode::stringprep(unicode::Profile::resource, text, Jid::max_part);
    if (!normal) return Outcome::malformed("resource: " + normal.error().why());
    if (auto size = check_size(*normal, "resource"); !size) return size;
    if (!is_stable_resource(*normal)) {
        return Outcome::malformed("resource has no normal form that all peers share");
    }
    return normal;
}

std::string domain_to_ascii(std::string_view domain) {
    if (is_ascii(domain)) return std::string(domain);
    auto ascii = unicode::domain_to_ascii(domain);
    return ascii ? std::move(*ascii) : std::string{};
}

Result<Jid> Jid::parse(std::string_view text) {
    if (text.size() > max_size) return Outcome::malformed("address is too long");
    const std::size_t slash = text.find('/');
    const std::string_view bare = text.substr(0, slash);
    const std::size_t at = bare.find('@');
    const bool with_local = at != std::string_view::npos;
    const bool with_resource = slash != std::string_view::npos;
    const std::string_view local = with_local ? bare.substr(0, at) : std::string_view{};
    const std::string_view domain = with_local ? bare.substr(at + 1) : bare;
    const std::string_view resource = with_resource ? text.substr(slash + 1) : std::string_view{};

    if (is_normal_domain(domain) && (!with_local || is_normal_local(local)) &&
        (!with_resource || is_normal_resource(resource))) {
        return join(local, domain, resource);
    }
    if (with_local && local.empty()) return Outcome::malformed("local part is empty");
    if (with_resource && resource.empty()) return Outcome::malformed("resource is empty");
    return make(local, domain, resource);
}

Result<Jid> Jid::make(std::string_view local, std::string_view domain, std::string_view resource) {
    auto normal_domain = prepare_domain(domain);
    if (!normal_domain) return normal_domain.error();
    Result<std::string> normal_local = std::string{};
    if (!local.empty()) normal_local = prepare_local(local);
    if (!normal_local) return normal_local.error();
    Result<std::string> normal_resource = std::string{};
    if (!resource.empty()) normal_resource = prepare_resource(resource);
    if (!normal_resource) return normal_resource.error();
    return trusted(*normal_local, *normal_domain, *normal_resource);
}

Jid Jid::join(std::string_view local, std::string_view domain, std::string_view resource) {
    const std::size_t size = (local.empty() ? 0 : local.size() + 1) + domain.size() +
                             (resource.empty() ? 0 : resource.size() + 1);
    if (size == 0) return {};
    void* const memory = ::operator new(sizeof(Text) + size);
    auto* const text =
        new (memory) Text{.references = 0,
                          .size = static_cast<std::uint16_t>(size),
                          .local_length = static_cast<std::uint16_t>(local.size()),
                          .domain_length = static_cast<std::uint16_t>(domain.size())};
    char* at = static_cast<char*>(memory) + sizeof(Text);
    const auto put = [&at](std::string_view part) { at = std::copy(part.begin(), part.end(), at); };
    put(local);
    if (!local.empty()) put("@");
    put(domain);
    if (!resource.empty()) put("/");
    put(resource);
    return Jid(TextRef(text));
}

void Jid::Text::destroy(const Text* text) noexcept {
    text->~Text();
    ::operator delete(const_cast<Text*>(text));
}

Jid Jid::trusted(std::string_view local, std::string_view domain, std::string_view resource) {
    return join(local, domain, resource);
}

Jid Jid::bare_jid() const { return has_resource() ? join(local(), domain(), {}) : *this; }

Jid Jid::with_resource(std::string_view already_prepared) const {
    return join(local(), domain(), already_prepared);
}

Jid Jid::domain_jid() const { return join({}, domain(), {}); }

}  // namespace causeway
