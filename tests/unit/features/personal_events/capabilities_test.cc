#include "gateway/features/personal_events/capabilities.h"

#include <doctest/doctest.h>

#include "gateway/xmpp/packet.h"

using namespace causeway;
using namespace causeway::personal_events;

namespace {

void with_query(std::string_view children,
                const std::function<void(const Element& query, Arena& arena)>& visit) {
    const std::string iq =
        "<iq type='result' id='x'><query xmlns='http://jabber.org/protocol/disco#info'>" +
        std::string(children) + "</query></iq>";
    const Outcome visited =
        Packet::visit_bytes(iq, [&](Stanza& stanza) { visit(*stanza.payload(), stanza.arena); });
    CHECK(visited.ok());
}

std::optional<std::string> verification(std::string_view children,
                                        std::string_view hash = "sha-1") {
    std::optional<std::string> found;
    with_query(children, [&](const Element& query, Arena& arena) {
        found = verification_of(query, hash, arena);
    });
    return found;
}

constexpr std::string_view simple =
    "<identity category='client' name='Exodus 0.9.1' type='pc'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/disco#items'/>"
    "<feature var='http://jabber.org/protocol/muc'/>"
    "<feature var='http://jabber.org/protocol/caps'/>";

std::string form(std::string_view type, std::string_view fields) {
    return "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>" +
           std::string(type) + "</value></field>" + std::string(fields) + "</x>";
}

}  // namespace

TEST_CASE("capabilities: the hashes of XEP-0115 §5.2 and §5.3") {
    CHECK(verification(simple) == "QgayPKawpkPSDYmwT/WM94uAlu0=");
    const std::string complex =
        "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"
        "<identity xml:lang='el' category='client' name='\xce\xa8 0.11' type='pc'/>"
        "<feature var='http://jabber.org/protocol/caps'/>"
        "<feature var='http://jabber.org/protocol/disco#info'/>"
        "<feature var='http://jabber.org/protocol/disco#items'/>"
        "<feature var='http://jabber.org/protocol/muc'/>" +
        form("urn:xmpp:dataforms:softwareinfo",
             "<field var='ip_version'><value>ipv4</value><value>ipv6</value></field>"
             "<field var='os'><value>Mac</value></field>"
             "<field var='os_version'><value>10.5.1</value></field>"
             "<field var='software'><value>Psi</value></field>"
             "<field var='software_version'><value>0.11</value></field>");
    CHECK(verification(complex) == "q07IKJEyjvHSyhy//CH0CxmKi8w=");
}

TEST_CASE("capabilities: other hashes, and one that is not known") {
    const auto longer = verification(simple, "sha-256");
    REQUIRE(longer.has_value());
    CHECK(longer->size() == 44);
    CHECK_FALSE(verification(simple, "md5").has_value());
}

TEST_CASE("capabilities: ill-formed answers have no hash (XEP-0115 §5.4)") {
    const std::string all(simple);
    CHECK_FALSE(verification(all + "<feature var='http://jabber.org/protocol/muc'/>").has_value());
    CHECK_FALSE(verification(all + "<identity category='client' name='Exodus 0.9.1' type='pc'/>")
                    .has_value());
    CHECK_FALSE(verification(all + form("urn:example", {}) + form("urn:example", {})).has_value());
    CHECK_FALSE(verification(all + "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' "
                                   "type='hidden'><value>a</value><value>b</value></field></x>")
                    .has_value());
    // A part that holds the mark between two parts could stand for others.
    CHECK_FALSE(
        verification("<identity category='client' type='pc'/><feature var='a&lt;b'/>").has_value());
    CHECK_FALSE(verification("<identity category='client' type='pc&lt;a'/>").has_value());
    CHECK_FALSE(
        verification(all + form("urn:example", "<field var='a'><value>&lt;</value></field>"))
            .has_value());
}

TEST_CASE("capabilities: features that are moved elsewhere are not believed") {
    // The same string as with <feature var='z+notify'/>, which the answer leaves out.
    const std::string all(simple);
    CHECK(verification(all + "<feature var='z+notify'/>").has_value());
    CHECK_FALSE(verification(all + form("z+notify", {})).has_value());
    CHECK_FALSE(verification(all + form("urn:example", "<field var='z+notify'/>")).has_value());
    CHECK_FALSE(
        verification(all + form("urn:example", "<field var='a'><value>z+notify</value></field>"))
            .has_value());
    CHECK_FALSE(verification("<identity category='http:' type='' xml:lang='z' name='n+notify'/>")
                    .has_value());
    // A part that holds the mark between the parts of an identity; its name may.
    CHECK_FALSE(verification("<identity category='client/pc' type=''/>").has_value());
    CHECK_FALSE(verification("<identity category='client' type='pc/'/>").has_value());
    CHECK(verification("<identity category='client' type='pc' name='a/b'/>").has_value());
}

TEST_CASE("capabilities: a form without a hidden FORM_TYPE counts for nothing") {
    const std::string all(simple);
    const std::string usual = "QgayPKawpkPSDYmwT/WM94uAlu0=";
    CHECK(verification(all + "<x xmlns='jabber:x:data' type='result'><field var='a'/></x>") ==
          usual);
    CHECK(verification(all + "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'>"
                             "<value>urn:example</value></field></x>") == usual);
}

TEST_CASE("capabilities: which nodes a client wants to hear of") {
    with_query(
        "<feature var='b+notify'/><feature var='a+notify'/><feature var='c'/>"
        "<feature var='+notify'/><feature var='d+notify+'/>",
        [](const Element& query, Arena&) {
            const Interests interests(query);
            CHECK(interests.has("a"));
            CHECK(interests.has("b"));
            CHECK_FALSE(interests.has("c"));
            CHECK_FALSE(interests.has("d"));
            CHECK_FALSE(interests.has("b+notify"));
            CHECK_FALSE(interests.empty());
        });
    CHECK(Interests().empty());
}

TEST_CASE("capabilities: what is announced, by a hash that is known or not") {
    const auto announced = [](std::string_view c) {
        std::optional<AnnouncedCapabilities> found;
        const Outcome visited =
            Packet::visit_bytes("<presence>" + std::string(c) + "</presence>",
                                [&](Stanza& stanza) { found = announced_in(stanza.element); });
        CHECK(visited.ok());
        return found;
    };
    const auto usual = announced(
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:n' ver='v='/>");
    REQUIRE(usual.has_value());
    CHECK(usual->key() == "sha-1 v=");
    CHECK_FALSE(announced("").has_value());
    // The form of old, without a hash.
    CHECK_FALSE(announced("<c xmlns='http://jabber.org/protocol/caps' node='urn:n' ver='1.0' "
                          "ext='a b'/>")
                    .has_value());
    CHECK(announced("<c xmlns='http://jabber.org/protocol/caps' hash='md5' node='urn:n' ver='v='/>")
              .has_value());
    CHECK_FALSE(is_known_hash("md5"));
    CHECK(is_known_hash("sha-1"));
    CHECK_FALSE(announced("<c xmlns='http://jabber.org/protocol/caps' hash='a b' node='urn:n' "
                          "ver='v='/>")
                    .has_value());
    CHECK_FALSE(announced("<c xmlns='http://jabber.org/protocol/caps' hash='" +
                          std::string(33, 'h') + "' node='urn:n' ver='v='/>")
                    .has_value());
    CHECK_FALSE(
        announced("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:n' ver='" +
                  std::string(129, 'v') + "'/>")
            .has_value());
}
