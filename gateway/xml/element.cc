#include "gateway/xml/element.h"

namespace causeway {

std::string_view Element::attribute(std::string_view wanted) const {
    for (const Attribute* a = first_attribute; a != nullptr; a = a->next) {
        if (a->ns.empty() && a->name == wanted) return a->value;
    }
    return {};
}

bool Element::has_attribute(std::string_view wanted) const {
    for (const Attribute* a = first_attribute; a != nullptr; a = a->next) {
        if (a->ns.empty() && a->name == wanted) return true;
    }
    return false;
}

std::string_view Element::attribute(std::string_view wanted_ns, std::string_view wanted) const {
    for (const Attribute* a = first_attribute; a != nullptr; a = a->next) {
        if (a->ns == wanted_ns && a->name == wanted) return a->value;
    }
    return {};
}

Element* Element::child(std::string_view wanted_ns, std::string_view wanted) const {
    for (const Node* n = first_child; n != nullptr; n = n->next) {
        if (n->element != nullptr && n->element->is(wanted_ns, wanted)) return n->element;
    }
    return nullptr;
}

Element* Element::first_element() const {
    for (const Node* n = first_child; n != nullptr; n = n->next) {
        if (n->element != nullptr) return n->element;
    }
    return nullptr;
}

std::size_t Element::element_count() const {
    std::size_t count = 0;
    for (const Node* n = first_child; n != nullptr; n = n->next) count += n->element != nullptr;
    return count;
}

Element* Element::next_element() const {
    if (own_node_ == nullptr) return nullptr;
    for (const Node* n = own_node_->next; n != nullptr; n = n->next) {
        if (n->element != nullptr) return n->element;
    }
    return nullptr;
}

std::string_view Element::text(Arena& arena) const {
    std::string_view all;
    for (const Node* n = first_child; n != nullptr; n = n->next) {
        if (n->element != nullptr || n->text.empty()) continue;
        all = all.empty() ? n->text : arena.append(all, n->text);
    }
    return all;
}

void Element::set_attribute(Arena& arena, std::string_view attribute_name, std::string_view value) {
    set_attribute(arena, {}, attribute_name, value);
}

void Element::set_attribute(Arena& arena, std::string_view attribute_ns,
                            std::string_view attribute_name, std::string_view value) {
    for (Attribute* a = first_attribute; a != nullptr; a = a->next) {
        if (a->ns == attribute_ns && a->name == attribute_name) {
            a->value = value;
            return;
        }
    }
    auto* added = arena.make<Attribute>();
    added->ns = attribute_ns;
    added->name = attribute_name;
    added->value = value;
    (last_attribute_ == nullptr ? first_attribute : last_attribute_->next) = added;
    last_attribute_ = added;
}

void Element::remove_attribute(std::string_view attribute_name) {
    Attribute* previous = nullptr;
    for (Attribute* a = first_attribute; a != nullptr; previous = a, a = a->next) {
        if (!a->ns.empty() || a->name != attribute_name) continue;
        (previous == nullptr ? first_attribute : previous->next) = a->next;
        if (last_attribute_ == a) last_attribute_ = previous;
        return;
    }
}

void Element::append(Node* node) {
    (last_child_ == nullptr ? first_child : last_child_->next) = node;
    last_child_ = node;
}

Element& Element::add_child(Arena& arena, std::string_view child_ns, std::string_view child_name) {
    auto* child = arena.make<Element>(child_ns, child_name);
    auto* node = arena.make<Node>();
    node->element = child;
    child->parent = this;
    child->own_node_ = node;
    append(node);
    return *child;
}

void Element::add_text(Arena& arena, std::string_view text) {
    if (text.empty()) return;
    auto* node = arena.make<Node>();
    node->text = text;
    append(node);
}

void Element::remove_child(const Element& child) {
    Node* previous = nullptr;
    for (Node* n = first_child; n != nullptr; previous = n, n = n->next) {
        if (n->element != &child) continue;
        (previous == nullptr ? first_child : previous->next) = n->next;
        if (last_child_ == n) last_child_ = previous;
        return;
    }
}

}  // namespace causeway
