#include "tests/support/scene_schemas.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>

using namespace causeway::scene;

namespace {

constexpr std::string_view client_ns = "jabber:client";
constexpr std::string_view push =
    "<iq type='set' id='p' to='a@a.test/1'><query xmlns='jabber:iq:roster'>"
    "<item jid='b@b.test' subscription='several'/></query></iq>";

SceneSchemas& schemas() {
    const char* const root = std::getenv("CAUSEWAY_SOURCE_ROOT");
    static SceneSchemas all(std::string(root == nullptr ? "." : root) + "/schemas/xml");
    return all;
}

std::string fault(std::string_view text, SentElements sent = {}) {
    return schemas().fault(parse_fragment(text, client_ns).at(0), sent);
}

SentElements sent(std::string_view text, std::string_view content_ns = client_ns) {
    SentElements all;
    all.note(text, content_ns);
    return all;
}

bool says(const std::string& fault, std::string_view file, std::string_view what) {
    return fault.starts_with(file) && fault.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("scene schemas: what is valid has no fault") {
    CHECK(fault("<message to='a@a.test' from='b@b.test/2' id='m' type='chat'><body>x</body>"
                "<stanza-id xmlns='urn:xmpp:sid:0' by='a@a.test' id='1'/></message>") == "");
    CHECK(fault("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
                "<required/></starttls></stream:features>") == "");
}

TEST_CASE("scene schemas: a fault names the schema, and what is wrong") {
    CHECK(says(fault(push), "schemas/xml/roster.xsd: ", "several"));
    CHECK(says(fault("<message to='no address'/>"), "schemas/xml/client.xsd: ", "no address"));
    CHECK(says(fault("<r xmlns='urn:xmpp:sm:3' h='1'/>"),
               "schemas/xml/stream_management.xsd: ", "attribute 'h'"));
    CHECK(says(fault("<note/>"), "schemas/xml/client.xsd: ", "no <note"));
}

TEST_CASE("scene schemas: an element of an extension must have a declaration") {
    CHECK(says(fault("<message><x xmlns='urn:example:none'/></message>"),
               "no schema: ", "no <x xmlns='urn:example:none'>"));
    CHECK(says(fault("<message><item xmlns='jabber:iq:roster' jid='b@b.test'/></message>"),
               "schemas/xml/roster.xsd: ", "no <item"));
}

TEST_CASE("scene schemas: what somebody sent so is not the server's") {
    CHECK(fault(push, sent("<iq type='get' id='q'><query xmlns='jabber:iq:roster'>"
                           "<item subscription='several' jid='b@b.test'/></query></iq>")) == "");
    CHECK(fault("<message><x xmlns='urn:example:none'/></message>",
                sent("<message><x xmlns='urn:example:none'/></message>")) == "");
    // Not well-formed behind it, and on a stream of servers.
    CHECK(fault("<message type='strange'><body><b/></body></message>",
                sent("<message to='a@a.test' type='strange'><body><b/></body></message></x>",
                     "jabber:server")) == "");
}

TEST_CASE("scene schemas: what differs from what was sent is the server's") {
    CHECK(fault(push, sent("<iq type='get'><query xmlns='jabber:iq:roster'>"
                           "<item jid='c@b.test' subscription='several'/></query></iq>")) != "");
    CHECK(fault("<message to='no address'/>", sent("<message to='no address'/>")) != "");
    CHECK(fault("<r xmlns='urn:xmpp:sm:3'><x/></r>", sent("<r xmlns='urn:xmpp:sm:3'/>")) != "");
}
