// Looks into raw XML without a parse tree.
#include "tools/bench/xml_text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway::bench;

TEST_CASE("an attribute is found in either quotes, and only in the element's own start tag") {
    const std::string_view stanza =
        "<message to='a@b' id = \"7\" type='chat'><x id='inner' from='c@d'/></message>";
    CHECK(attribute_of(stanza, "to") == "a@b");
    CHECK(attribute_of(stanza, "id") == "7");
    CHECK(attribute_of(stanza, "type") == "chat");
    CHECK(attribute_of(stanza, "from").empty());
    CHECK(attribute_of("<a/>", "id").empty());
    CHECK(attribute_of("<a b='x=1 id=2' id='3'/>", "id") == "3");
    CHECK(attribute_of("<a xid='1' id='2'/>", "id") == "2");
    CHECK(attribute_of("<a id='unfinished", "id").empty());
}

TEST_CASE("names are compared whole") {
    CHECK(is_named("<a xmlns='x'/>", "a"));
    CHECK(is_named("<a/>", "a"));
    CHECK(is_named("<a>", "a"));
    CHECK_FALSE(is_named("<ab/>", "a"));
    CHECK_FALSE(is_named("<a", "a"));
    CHECK_FALSE(is_named("</a>", "a"));
    CHECK(is_named("<stream:error>", "stream:error"));
}

TEST_CASE("text is what stands before the next tag") {
    CHECK(text_of("<iq><bind><jid>a@b/c</jid></bind></iq>", "jid") == "a@b/c");
    CHECK(text_of("<success xmlns='x'>djE=</success>", "success") == "djE=");
    CHECK(text_of("<success xmlns='x'/>", "success").empty());
    CHECK(text_of("<m><bodyguard>no</bodyguard><body>yes</body></m>", "body") == "yes");
}

TEST_CASE("each tag of a name is visited with its attributes") {
    std::vector<std::string> seen;
    for_each_tag("<iq><query><item jid='a' x='>'/><item jid='b'>t</item><items/></query></iq>",
                 "item",
                 [&](std::string_view tag) { seen.emplace_back(attribute_of(tag, "jid")); });
    CHECK(seen == std::vector<std::string>{"a", "b"});
}

TEST_CASE("text is escaped for attributes and character data") {
    CHECK(escape_xml("a<b>&'\"") == "a&lt;b&gt;&amp;&apos;&quot;");
}

TEST_CASE("patterns take the number wherever they name it") {
    CHECK(expand_pattern("user%d", 7) == "user7");
    CHECK(expand_pattern("%d-%d", 12) == "12-12");
    CHECK(expand_pattern("fixed", 3) == "fixed");
    CHECK(expand_pattern("", 3).empty());
}
