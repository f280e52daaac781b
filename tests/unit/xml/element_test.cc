#include "gateway/xml/element.h"

#include <doctest/doctest.h>

namespace causeway::test {
namespace {

struct Tree {
    Arena arena;
    Element& root = *arena.make<Element>("urn:a", "root");
};

}  // namespace

TEST_CASE("element: name and namespace together") {
    const Element element("urn:a", "x");
    CHECK(element.is("urn:a", "x"));
    CHECK(!element.is("urn:b", "x"));
    CHECK(!element.is("urn:a", "y"));
}

TEST_CASE("element: attributes are set, replaced, found and removed") {
    Tree tree;
    CHECK(tree.root.attribute("a").empty());
    CHECK(!tree.root.has_attribute("a"));
    tree.root.set_attribute(tree.arena, "a", "1");
    tree.root.set_attribute(tree.arena, "b", "");
    tree.root.set_attribute(tree.arena, "a", "2");
    CHECK(tree.root.attribute("a") == "2");
    CHECK(tree.root.has_attribute("b"));
    CHECK(tree.root.attribute("b").empty());
    CHECK(tree.root.first_attribute->next->next == nullptr);
    tree.root.remove_attribute("a");
    CHECK(!tree.root.has_attribute("a"));
    CHECK(tree.root.has_attribute("b"));
    tree.root.remove_attribute("none");
    tree.root.remove_attribute("b");
    CHECK(tree.root.first_attribute == nullptr);
    tree.root.set_attribute(tree.arena, "c", "3");
    CHECK(tree.root.attribute("c") == "3");
}

TEST_CASE("element: an attribute can be added behind one that was last and is gone") {
    Tree tree;
    tree.root.set_attribute(tree.arena, "a", "1");
    tree.root.set_attribute(tree.arena, "b", "2");
    tree.root.remove_attribute("b");
    tree.root.set_attribute(tree.arena, "c", "3");
    CHECK(tree.root.attribute("a") == "1");
    CHECK(tree.root.attribute("c") == "3");
}

TEST_CASE("element: attributes in a namespace are others") {
    Tree tree;
    auto* foreign = tree.arena.make<Attribute>();
    *foreign = {.ns = "urn:x", .name = "a", .value = "foreign"};
    tree.root.first_attribute = foreign;
    CHECK(!tree.root.has_attribute("a"));
    CHECK(tree.root.attribute("a").empty());
    CHECK(tree.root.attribute("urn:x", "a") == "foreign");
    CHECK(tree.root.attribute("urn:y", "a").empty());
    tree.root.remove_attribute("a");
    CHECK(tree.root.attribute("urn:x", "a") == "foreign");
}

TEST_CASE("element: children in their order, text between them") {
    Tree tree;
    CHECK(tree.root.first_element() == nullptr);
    CHECK(tree.root.element_count() == 0);
    tree.root.add_text(tree.arena, "before");
    Element& one = tree.root.add_child(tree.arena, "urn:a", "one");
    tree.root.add_text(tree.arena, "between");
    Element& two = tree.root.add_child(tree.arena, "urn:b", "two");
    CHECK(tree.root.first_element() == &one);
    CHECK(one.next_element() == &two);
    CHECK(two.next_element() == nullptr);
    CHECK(tree.root.next_element() == nullptr);
    CHECK(tree.root.element_count() == 2);
    CHECK(one.parent == &tree.root);
    CHECK(tree.root.child("urn:b", "two") == &two);
    CHECK(tree.root.child("urn:a", "two") == nullptr);
}

TEST_CASE("element: text is what stands directly inside, joined") {
    Tree tree;
    CHECK(tree.root.text(tree.arena).empty());
    tree.root.add_text(tree.arena, "");
    CHECK(tree.root.first_child == nullptr);
    tree.root.add_text(tree.arena, "a");
    tree.root.add_child(tree.arena, "urn:a", "x").add_text(tree.arena, "not this");
    tree.root.add_text(tree.arena, "b");
    CHECK(tree.root.text(tree.arena) == "ab");
    CHECK(tree.root.text(tree.arena) == "ab");
}

TEST_CASE("element: text of one piece is a view of it") {
    Tree tree;
    const std::string_view text = "as it is";
    tree.root.add_text(tree.arena, text);
    CHECK(tree.root.text(tree.arena).data() == text.data());
}

TEST_CASE("element: a child is removed from the beginning, the middle and the end") {
    for (const int which : {0, 1, 2}) {
        Tree tree;
        Element* children[] = {&tree.root.add_child(tree.arena, "", "a"),
                               &tree.root.add_child(tree.arena, "", "b"),
                               &tree.root.add_child(tree.arena, "", "c")};
        tree.root.remove_child(*children[which]);
        CHECK(tree.root.element_count() == 2);
        CHECK(tree.root.child("", children[which]->name) == nullptr);
        // What is added next comes behind what is left.
        const Element& last = tree.root.add_child(tree.arena, "", "d");
        CHECK(children[which == 2 ? 1 : 2]->next_element() == &last);
    }
    Tree tree;
    const Element& only = tree.root.add_child(tree.arena, "", "a");
    tree.root.remove_child(only);
    tree.root.remove_child(only);
    CHECK(tree.root.first_child == nullptr);
    const Element& next = tree.root.add_child(tree.arena, "", "b");
    CHECK(tree.root.first_element() == &next);
}

}  // namespace causeway::test
