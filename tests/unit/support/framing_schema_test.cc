// What the server says around the stanzas of a WebSocket (RFC 7395) is valid by the schemas: no
// scene speaks WebSocket, so that schemas/xml/framing.xsd would be tried by nobody.
#include <cstdlib>

#include "tests/support/scene_schemas.h"
#include "tests/unit/c2s/client_fixture.h"

namespace causeway::test {
namespace {

using scene::XmlNode;

constexpr std::string_view framing = "urn:ietf:params:xml:ns:xmpp-framing";

/// Empty if it is valid.
std::string fault(const XmlNode& element) {
    const char* const root = std::getenv("CAUSEWAY_SOURCE_ROOT");
    static scene::SceneSchemas all(std::string(root == nullptr ? "." : root) + "/schemas/xml");
    scene::SentElements nothing;
    return all.fault(element, nothing);
}

std::string fault(std::string_view text) { return fault(scene::parse_fragment(text, {}).at(0)); }

/// A second connection of a server that has a client already, from its first byte.
struct WebSocket {
    WebSocket() {
        wire->framed = true;
        server.table.accept(std::make_unique<MemoryChannel>(server.shards[0], wire));
    }
    void receive(std::string_view message) {
        wire->channel->receive(message);
        server.settle();
    }
    /// All that came since, whose names are told; each is valid, without a default
    /// namespace around it.
    std::vector<std::string> heard() {
        std::vector<std::string> names;
        for (const XmlNode& element : scene::parse_fragment(std::exchange(wire->sent, {}), {})) {
            CHECK(fault(element) == "");
            names.push_back((element.ns == framing ? "framing " : "") + element.name);
        }
        return names;
    }

    ClientFixture server{false, make_config(), true};
    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
};

using Names = std::vector<std::string>;

std::string open_to(std::string_view domain) {
    return fmt::format("<open xmlns='{}' to='{}' version='1.0'/>", framing, domain);
}

}  // namespace

TEST_CASE("framing schema: a stream that opens and closes in good order") {
    WebSocket socket;
    socket.receive(open_to("a.test"));
    CHECK(socket.heard() == Names{"framing open", "features"});
    socket.receive(fmt::format("<close xmlns='{}'/>", framing));
    CHECK(socket.heard() == Names{"framing close"});
}

TEST_CASE("framing schema: a stream that ends with an error, before it is open and behind that") {
    WebSocket socket;
    SUBCASE("to a domain that is not served") {
        socket.receive(open_to("elsewhere.test"));
        CHECK(socket.heard() == Names{"framing open", "error", "framing close"});
    }
    SUBCASE("with another element in the place of the header") {
        socket.receive("<presence xmlns='jabber:client'/>");
        CHECK(socket.heard() == Names{"framing open", "error", "framing close"});
    }
    SUBCASE("with a second header") {
        socket.receive(open_to("a.test"));
        CHECK(socket.heard() == Names{"framing open", "features"});
        socket.receive(open_to("a.test"));
        CHECK(socket.heard() == Names{"error", "framing close"});
    }
    SUBCASE("because the server shuts down") {
        socket.receive(open_to("a.test"));
        CHECK(socket.heard() == Names{"framing open", "features"});
        socket.server.table.shut_down();
        socket.server.settle();
        CHECK(socket.heard() == Names{"error", "framing close"});
    }
}

TEST_CASE("framing schema: what has no place in it is a fault") {
    CHECK(fault("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' "
                "see-other-uri='wss://b.test/xmpp-websocket'/>") == "");
    for (const std::string_view wrong :
         {"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://b.test/'/>",
          "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='no address'/>",
          "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'>text</close>",
          "<shut xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "<open/>"}) {
        CAPTURE(wrong);
        CHECK(fault(wrong) != "");
    }
}

}  // namespace causeway::test
