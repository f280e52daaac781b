// Element: one stanza as a tree in an Arena. Names, values and text are views into that arena or
// into constants, valid until the arena is reset. Trees are walked without recursion: input decides
// depth.
#pragma once

#include <string_view>

#include "gateway/base/arena.h"

namespace causeway {

struct Attribute {
    std::string_view ns;  ///< empty for the usual unprefixed attribute
    std::string_view name;
    std::string_view value;
    Attribute* next = nullptr;
};

class Element;

/// A child: an element, or text.
struct Node {
    Node* next = nullptr;
    Element* element = nullptr;  ///< nullptr for text
    std::string_view text;
};

class Element {
public:
    Element(std::string_view element_ns, std::string_view element_name)
        : ns(element_ns), name(element_name) {}

    std::string_view ns;
    std::string_view name;
    Element* parent = nullptr;
    Attribute* first_attribute = nullptr;
    Node* first_child = nullptr;

    [[nodiscard]] bool is(std::string_view other_ns, std::string_view other_name) const {
        return name == other_name && ns == other_ns;
    }

    /// Value of an attribute without namespace; empty when absent.
    [[nodiscard]] std::string_view attribute(std::string_view wanted) const;
    [[nodiscard]] bool has_attribute(std::string_view wanted) const;
    [[nodiscard]] std::string_view attribute(std::string_view wanted_ns,
                                             std::string_view wanted) const;

    /// First child element with that name, or nullptr.
    [[nodiscard]] Element* child(std::string_view wanted_ns, std::string_view wanted) const;
    /// First child element, or nullptr.
    [[nodiscard]] Element* first_element() const;
    [[nodiscard]] std::size_t element_count() const;
    /// The next element after `this` under the same parent, or nullptr.
    [[nodiscard]] Element* next_element() const;
    /// All text directly inside, joined; a view when it is one piece (the usual case).
    [[nodiscard]] std::string_view text(Arena& arena) const;

    /// Sets or replaces; the views must outlive the tree.
    void set_attribute(Arena& arena, std::string_view attribute_name, std::string_view value);
    /// The same for an attribute in a namespace.
    void set_attribute(Arena& arena, std::string_view attribute_ns, std::string_view attribute_name,
                       std::string_view value);
    void remove_attribute(std::string_view attribute_name);
    Element& add_child(Arena& arena, std::string_view child_ns, std::string_view child_name);
    void add_text(Arena& arena, std::string_view text);
    /// Unlinks a child element of this one.
    void remove_child(const Element& child);

private:
    friend class TreeBuilder;
    Node* last_child_ = nullptr;
    Attribute* last_attribute_ = nullptr;
    Node* own_node_ = nullptr;  ///< the node in the parent's list that holds this element

    void append(Node* node);
};

}  // namespace causeway
