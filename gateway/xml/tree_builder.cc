#include "gateway/xml/tree_builder.h"

#include <algorithm>
#include <iterator>

#include "gateway/xml/expat_names.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/parser.h"

namespace causeway {

/// A prefix of one byte can stand for a name of thousands, in each of thousands of elements: what
/// that comes to has a bound of its own. False beyond it.
bool TreeBuilder::keep_namespace(std::string_view name, std::string_view& kept) {
    if (name == ns::xml) {
        kept = ns::xml;
        return true;
    }
    namespace_bytes_ += name.size();
    if (namespace_bytes_ > limits_.stanza_bytes) {
        refusal_ = too_large;
        return false;
    }
    kept = arena_.copy(name);
    return true;
}

Element* TreeBuilder::element(Element* above, const ExpatName& name, const char** attributes) {
    std::string_view element_ns;
    if (name.ns == content_ns_) {
        element_ns = ns::client;
    } else if (above != nullptr && name.ns == above->ns) {
        element_ns = above->ns;
    } else if (!keep_namespace(name.ns, element_ns)) {
        return nullptr;
    }
    const std::string_view local = arena_.copy(name.local);
    Element* const made = above == nullptr ? arena_.make<Element>(element_ns, local)
                                           : &above->add_child(arena_, element_ns, local);
    std::size_t count = 0;
    for (; attributes[0] != nullptr; attributes += 2) {
        const ExpatName attribute(attributes[0]);
        const std::string_view value = attributes[1];
        if (++count > limits_.attributes || value.size() > limits_.attribute_bytes) {
            refusal_ = "too many attributes, or one too long";
            return nullptr;
        }
        std::string_view attribute_ns;
        if (!keep_namespace(attribute.ns, attribute_ns)) return nullptr;
        add_attribute(*made, attribute_ns, attribute.local, value);
    }
    return made;
}

void TreeBuilder::add_text(Element& element, std::string_view text) {
    Node* last = element.last_child_;
    if (last != nullptr && last->element == nullptr) {
        last->text = arena_.append(last->text, text);
    } else {
        element.add_text(arena_, arena_.copy(text));
    }
}

Element* TreeBuilder::start_tag(const ExpatName& name, const char** attributes) {
    const std::string_view element_ns = name.ns == content_ns_ ? ns::client : arena_.copy(name.ns);
    auto* made = arena_.make<Element>(element_ns, arena_.copy(name.local));
    constexpr std::size_t longest = 3071;  // an address (RFC 7622 §3.1)
    constexpr std::string_view kept[] = {"to", "from", "id", "type"};
    for (; attributes[0] != nullptr; attributes += 2) {
        const ExpatName attribute(attributes[0]);
        const std::string_view value = attributes[1];
        if (!attribute.ns.empty() || value.size() > longest ||
            std::ranges::find(kept, attribute.local) == std::end(kept)) {
            continue;
        }
        add_attribute(*made, {}, attribute.local, value);
    }
    return made;
}

/// expat knows that no two are alike, so nobody looks for one of that name.
void TreeBuilder::add_attribute(Element& element, std::string_view ns, std::string_view name,
                                std::string_view value) {
    auto* added = arena_.make<Attribute>();
    added->ns = ns;
    added->name = arena_.copy(name);
    added->value = arena_.copy(value);
    (element.last_attribute_ == nullptr ? element.first_attribute : element.last_attribute_->next) =
        added;
    element.last_attribute_ = added;
}

}  // namespace causeway
