#include "gateway/xml/writer.h"

#include <doctest/doctest.h>

#include "gateway/xml/ns.h"
#include "gateway/xml/parser.h"

namespace causeway::test {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    append_escaped(out, text);
    return out;
}

/// `text`, parsed where jabber:client is the default, and written there again.
std::string rewritten(std::string_view text) {
    XmlStreamParser parser(XmlFraming::message, ns::client);
    std::string framed = "<w xmlns='jabber:client'>";
    framed += text;
    framed += "</w>";
    REQUIRE(parser.feed(framed) == XmlEvent::element);
    std::string out;
    append_element(out, *parser.element().first_element(), ns::client);
    return out;
}

}  // namespace

TEST_CASE("writer: the specials are escaped, everything else is as it was") {
    CHECK(escaped("a<b>c&d'e\"f") == "a&lt;b>c&amp;d'e\"f");
    CHECK(escaped("line\nnext\ttab") == "line\nnext\ttab");
    CHECK(escaped("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80") == "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
    CHECK(escaped("\xef\xbb\xbf\xef\xbf\xbd") == "\xef\xbb\xbf\xef\xbf\xbd");
    CHECK(escaped("").empty());
}

TEST_CASE("writer: a carriage return survives being read") { CHECK(escaped("a\rb") == "a&#13;b"); }

TEST_CASE("writer: characters that XML forbids are replaced") {
    const std::string_view nul("a\0b", 3);
    CHECK(escaped(nul) ==
          "a\xef\xbf\xbd"
          "b");
    CHECK(escaped("\x01\x1f") == "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(escaped("\xef\xbf\xbe\xef\xbf\xbf") == "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(escaped("\xef") == "\xef");
}

TEST_CASE("writer: line ends and tabs in an attribute survive being read") {
    std::string out;
    append_attribute(out, "a", "1\n2\t3\r4'5");
    CHECK(out == " a=\"1&#10;2&#9;3&#13;4'5\"");
    out.clear();
    append_attribute(out, "a", "both ' and \" ");
    CHECK(out == " a='both &apos; and \" '");
    CHECK(rewritten("<x" + out + "/>") == "<x" + out + "/>");
}

TEST_CASE("writer: the namespace is written where it changes") {
    CHECK(rewritten("<a><b xmlns='urn:x'><c/><d xmlns='jabber:client'/></b><e/></a>") ==
          "<a><b xmlns='urn:x'><c/><d xmlns='jabber:client'/></b><e/></a>");
    CHECK(rewritten("<a xmlns='urn:y'/>") == "<a xmlns='urn:y'/>");
    CHECK(rewritten("<a><b xmlns=''><c/></b></a>") == "<a><b xmlns=''><c/></b></a>");
}

TEST_CASE("writer: prefixes of others become ours, and only where they are needed") {
    CHECK(rewritten("<x:a xmlns:x='urn:x' xmlns:y='urn:y'><x:b y:c='1' d='2' x:e='3'/></x:a>") ==
          "<a xmlns='urn:x'><b xmlns:a1='urn:y' a1:c='1' d='2' xmlns:a2='urn:x' a2:e='3'/></a>");
    CHECK(rewritten("<a xml:lang='de'/>") == "<a xml:lang='de'/>");
}

TEST_CASE("writer: empty elements are closed at once, quotes are single") {
    CHECK(rewritten("<a  b=\"1\" ></a >") == "<a b='1'/>");
    CHECK(rewritten("<a>]]&gt;]&gt;&gt;</a>") == "<a>]]&gt;]&gt;></a>");
    CHECK(rewritten("<a><![CDATA[<x>]]> y </a>") == "<a>&lt;x> y </a>");
}

TEST_CASE("writer: all attributes but two, and all children without their parent") {
    Arena arena;
    auto& element = *arena.make<Element>(ns::client, "message");
    for (const std::string_view name : {"to", "id", "from", "type"}) {
        element.set_attribute(arena, name, name);
    }
    element.add_text(arena, "<");
    element.add_child(arena, ns::client, "body").add_text(arena, "x");
    element.add_child(arena, "urn:x", "y");
    std::string attributes;
    append_attributes(attributes, element, "to", "from");
    CHECK(attributes == " id='id' type='type'");
    std::string children;
    append_children(children, element);
    CHECK(children == "&lt;<body>x</body><y xmlns='urn:x'/>");
}

TEST_CASE("writer: a tree as deep as the limits allow is written whole") {
    Arena arena;
    auto& root = *arena.make<Element>(ns::client, "a");
    Element* at = &root;
    std::string expected = "<a>";
    constexpr int depth = 200;
    for (int i = 0; i < depth; ++i) {
        at = &at->add_child(arena, ns::client, "b");
        expected += "<b>";
    }
    at->add_text(arena, "x");
    expected += "x";
    for (int i = 0; i < depth; ++i) expected += "</b>";
    std::string out;
    append_element(out, root, ns::client);
    CHECK(out == expected + "</a>");
}

}  // namespace causeway::test
