#include "gateway/xml/builder.h"

#include <doctest/doctest.h>

using causeway::XmlBuilder;

TEST_CASE("elements, attributes and text are written and escaped") {
    XmlBuilder xml;
    xml.open("query", "jabber:iq:version").attribute("node", "a'b<c");
    xml.element("name", "R & D").empty("os");
    CHECK(xml.take() ==
          "<query xmlns='jabber:iq:version' node=\"a'b&lt;c\"><name>R &amp; D</name><os/></query>");
    CHECK(xml.take().empty());
}

TEST_CASE("what is left open is closed in the right order, and an empty element is short") {
    XmlBuilder xml;
    xml.open("a").open("b").text("x").open("c", "n");
    CHECK(xml.take() == "<a><b>x<c xmlns='n'/></b></a>");
    xml.open("a").attribute_if("left-out", "").close().close();
    CHECK(xml.take() == "<a/>");
}

TEST_CASE("raw XML stands as it is, and an attribute behind content is not written") {
    XmlBuilder xml;
    xml.open("forwarded").raw("<message/>").attribute("late", "1");
    CHECK(xml.take() == "<forwarded><message/></forwarded>");
}
