#include "gateway/xmpp/result_set.h"

#include "gateway/base/number.h"
#include "gateway/xml/ns.h"

namespace causeway {
Result<ResultSetRequest> read_result_set(const Element& request, Arena& arena) {
    ResultSetRequest wanted;
    const Element* set = request.child(ns::result_set, "set");
    if (set == nullptr) return wanted;
    if (const Element* max = set->child(ns::result_set, "max")) {
        wanted.max = read_number<std::uint32_t>(max->text(arena));
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
