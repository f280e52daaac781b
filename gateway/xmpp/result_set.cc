#include "gateway/xmpp/result_set.h"

#include <charconv>

#include "gateway/xml/ns.h"

namespace causeway {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

Result<ResultSetRequest> read_result_set(const Element& request, Arena& arena) {
    ResultSetRequest wanted;
    const Element* set = request.child(ns::result_set, "set");
    if (set == nullptr) return wanted;
    if (const Element* max = set->child(ns::result_set, "max")) {
        wanted.max = number(max->text(arena));
        if (!wanted.max) return Outcome::malformed("<max/> is not a number from 0 to 4294967295.");
    }
    if (set->child(ns::result_set, "index") != nullptr) {
        return Outcome::malformed("Pages are not given by index here; use <after/> or <before/>.");
    }
    if (const Element* after = set->child(ns::result_set, "after")) {
        // XEP-0059 §2.1 has no empty <after/>; clients that send it mean the beginning.
        const std::string_view id = after->text(arena);
        if (!id.empty()) wanted.after = std::string(id);
    }
    if (const Element* before = set->child(ns::result_set, "before")) {
        wanted.before = std::string(before->text(arena));
    }
    return wanted;
}

void append_result_set(XmlBuilder& xml, const ResultSetPage& page) {
    xml.open("set", ns::result_set);
    if (!page.first.empty()) {
        xml.open("first");
        if (page.index) xml.attribute("index", std::to_string(*page.index));
        xml.text(page.first).close().element("last", page.last);
    }
    if (page.count) xml.element("count", std::to_string(*page.count));
    xml.close();
}

}  // namespace causeway
