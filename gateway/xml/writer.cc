#include "gateway/xml/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/xml/ns.h"

namespace causeway {
namespace {

enum : unsigned char { plain = 0, special = 1 };

// Bytes that need a look: the five specials, controls, and the lead bytes of U+FFFE and U+FFFF.
constexpr std::array<unsigned char, 256> escape_class = [] {
    std::array<unsigned char, 256> table{};
    for (unsigned i = 0; i < 0x20; ++i) table[i] = special;
    for (const char c : {'<', '>', '&', '\'', '"'}) table[static_cast<unsigned char>(c)] = special;
    table['\n'] = plain;
    table['\t'] = special;
    table[0xef] = special;
    return table;
}();

std::string_view replacement(std::string_view text, std::size_t at, std::size_t& length) {
    length = 1;
    switch (text[at]) {
        case '<': return "&lt;";
        case '>': return "&gt;";
        case '&': return "&amp;";
        case '\'': return "&apos;";
        case '\t': return "&#9;";
        case '\r': return "&#13;";
        case '\xef':
            if (text.substr(at, 3) == "\xef\xbf\xbe" || text.substr(at, 3) == "\xef\xbf\xbf") {
                length = 3;
                return "\xef\xbf\xbd";
            }
            return "\xef";
        default: return "\xef\xbf\xbd";
    }
}

template <bool attribute, bool keep_apostrophe = !attribute>
void escape(std::string& out, std::string_view text) {
    std::size_t start = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // A line end inside an attribute would be read back as a space (XML 1.0 §3.3.3).
        if (escape_class[byte] == plain && !(attribute && byte == '\n')) continue;
        out.append(text, start, i - start);
        if (byte == '>' && (attribute || (i >= 2 && text[i - 1] != ']'))) {
            out += '>';  // only ]]> needs it
        } else if (byte == '\n') {
            out += "&#10;";
        } else if (byte == '"' || (!attribute && byte == '\t') ||
                   (keep_apostrophe && byte == '\'')) {
            out += text[i];
        } else {
            std::size_t length = 1;
            out += replacement(text, i, length);
            i += length - 1;
        }
        start = i + 1;
    }
    out.append(text, start);
}

void open_tag(std::string& out, const Element& element, std::string_view scope) {
    out += '<';
    out += element.name;
    if (element.ns != scope) {
        out += " xmlns='";
        escape<true>(out, element.ns);
        out += '\'';
    }
    append_attributes(out, element);
}

void close_tag(std::string& out, const Element& element) {
    out += "</";
    out += element.name;
    out += '>';
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) { escape<false>(out, text); }

void append_attribute(std::string& out, std::string_view name, std::string_view value) {
    out += ' ';
    out += name;
    // An apostrophe takes six bytes where it must be escaped: a value of many would grow beyond
    // what another server takes.
    if (value.find('\'') != std::string_view::npos && value.find('"') == std::string_view::npos) {
        out += "=\"";
        escape<true, true>(out, value);
        out += '"';
        return;
    }
    out += "='";
    escape<true>(out, value);
    out += '\'';
}

void append_attributes(std::string& out, const Element& element, std::string_view without_one,
                       std::string_view without_two) {
    std::array<std::string_view, 8> declared{};  // those beyond are declared again
    unsigned prefixes = 0;
    for (const Attribute* a = element.first_attribute; a != nullptr; a = a->next) {
        if (a->ns.empty()) {
            if (a->name != without_one && a->name != without_two) {
                append_attribute(out, a->name, a->value);
            }
        } else if (a->ns == ns::xml) {
            append_attribute(out, fmt::format("xml:{}", a->name), a->value);
        } else {
            unsigned known = 0;
            while (known < std::min<std::size_t>(prefixes, declared.size()) &&
                   declared[known] != a->ns) {
                ++known;
            }
            if (known == std::min<std::size_t>(prefixes, declared.size())) {
                known = prefixes++;
                if (known < declared.size()) declared[known] = a->ns;
                append_attribute(out, fmt::format("xmlns:a{}", known + 1), a->ns);
            }
            append_attribute(out, fmt::format("a{}:{}", known + 1, a->name), a->value);
        }
    }
}

void append_children(std::string& out, const Element& element) {
    const Element* inside = &element;
    const Node* at = element.first_child;
    // The parent's chain replaces a stack; `resume` remembers where each open element stands.
    std::array<const Node*, 256> resume{};
    std::size_t depth = 0;
    while (true) {
        if (at == nullptr) {
            if (depth == 0) return;
            close_tag(out, *inside);
            inside = inside->parent;
            at = resume[--depth];
            continue;
        }
        if (at->element == nullptr) {
            escape<false>(out, at->text);
            at = at->next;
            continue;
        }
        const Element& child = *at->element;
        open_tag(out, child, inside->ns);
        if (child.first_child == nullptr || depth == resume.size()) {
            out += "/>";
            at = at->next;
            continue;
        }
        out += '>';
        resume[depth++] = at->next;
        inside = &child;
        at = child.first_child;
    }
}

void append_element(std::string& out, const Element& element, std::string_view scope) {
    open_tag(out, element, scope);
    if (element.first_child == nullptr) {
        out += "/>";
        return;
    }
    out += '>';
    append_children(out, element);
    close_tag(out, element);
}

}  // namespace causeway
