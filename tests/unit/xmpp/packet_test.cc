#include "gateway/xmpp/packet.h"

#include <doctest/doctest.h>

#include <string>

#include "gateway/xml/ns.h"

namespace causeway::test {
namespace {

const Jid romeo = *Jid::parse("romeo@a.test/r");
const Jid juliet = *Jid::parse("juliet@b.test");

PacketRef parsed(std::string_view bytes) {
    auto packet = Packet::from_bytes(bytes);
    REQUIRE(packet.ok());
    return *packet;
}

bool storable(const std::string& type, const std::string& inner) {
    return parsed("<message to='juliet@b.test' from='romeo@a.test' type='" + type + "'>" + inner +
                  "</message>")
        ->storable();
}

}  // namespace

TEST_CASE("packet: the address stands first, then the sender") {
    const PacketRef packet =
        Packet::make(StanzaKind::message, StanzaType::chat, romeo, juliet, "1", "<body>x</body>");
    CHECK(packet->bytes() ==
          "<message to='juliet@b.test' from='romeo@a.test/r' id='1' type='chat'>"
          "<body>x</body></message>");
    CHECK(packet->rest() == " from='romeo@a.test/r' id='1' type='chat'><body>x</body></message>");
    CHECK(packet->kind() == StanzaKind::message);
    CHECK(packet->type() == StanzaType::chat);
    CHECK(packet->from() == romeo);
    CHECK(packet->to() == juliet);
    CHECK(packet->id() == "1");
}

TEST_CASE("packet: what a stanza does not have is not written") {
    CHECK(Packet::make(StanzaKind::presence, StanzaType::available, {}, {}, {}, {})->bytes() ==
          "<presence/>");
    CHECK(Packet::make(StanzaKind::message, StanzaType::normal, {}, juliet, {}, {})->bytes() ==
          "<message to='juliet@b.test'/>");
}

TEST_CASE("packet: what a client sends is written canonically, with the addresses of the stanza") {
    Arena arena;
    Element element(ns::client, "message");
    element.set_attribute(arena, "type", "chat");
    element.set_attribute(arena, "to", "JULIET@b.test");
    element.set_attribute(arena, "id", "a'b");
    element.set_attribute(arena, "from", "forged@a.test");
    element.add_child(arena, ns::client, "body").add_text(arena, "<");
    const Stanza stanza{element, arena, StanzaKind::message, StanzaType::chat, romeo, juliet};
    const PacketRef packet = Packet::from_stanza(stanza);
    CHECK(packet->bytes() ==
          "<message to='juliet@b.test' from='romeo@a.test/r' type='chat' "
          "id=\"a'b\"><body>&lt;</body></message>");
    CHECK(packet->id() == "a'b");
    CHECK(packet->from() == romeo);
    CHECK(packet->to() == juliet);
}

TEST_CASE("packet: its own bytes are read back to the same") {
    for (const std::string& bytes :
         {std::string(
              "<message to='juliet@b.test' from='romeo@a.test/r' type='chat' id='1'>"
              "<body>&lt;&amp;</body><x xmlns='urn:x' xmlns:a1='urn:y' a1:z=''/></message>"),
          std::string("<presence to='juliet@b.test' from='romeo@a.test/r' type='unavailable'/>"),
          "<message from='romeo@a.test/r'><body>" + std::string(300'000, 'x') +
              "</body></message>"}) {
        const PacketRef packet = parsed(bytes);
        CHECK(packet->bytes() == bytes);
        CHECK(packet->from() == romeo);
    }
}

TEST_CASE("packet: bytes that are not ours are malformed") {
    for (const char* bytes :
         {"", "x", "<message>", "<odd/>", "<iq/>", "<iq type='odd'/>", "<presence type='odd'/>",
          "<message xmlns='urn:x'/>", "</w><message/>"}) {
        const std::string shown = bytes;
        CAPTURE(shown);
        const auto packet = Packet::from_bytes(bytes);
        REQUIRE(!packet);
        CHECK(packet.error().cause() == Cause::malformed);
    }
}

TEST_CASE("packet: an error goes back where the stanza came from, and keeps its id") {
    const PacketRef packet =
        Packet::make(StanzaKind::iq, StanzaType::get, romeo, juliet, "7", "<x xmlns='urn:x'/>");
    const PacketRef error =
        Packet::error_reply(*packet, {.condition = StanzaCondition::forbidden, .text = {}});
    REQUIRE(error != nullptr);
    CHECK(error->bytes() ==
          "<iq to='romeo@a.test/r' from='juliet@b.test' id='7' type='error'><error type='auth'>"
          "<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    CHECK(error->type() == StanzaType::error);
}

TEST_CASE("packet: an error, a result and a stanza of nobody are not answered by an error") {
    const StanzaError why{.condition = StanzaCondition::forbidden, .text = {}};
    const auto answer = [&](StanzaKind kind, StanzaType type, const Jid& from) {
        return Packet::error_reply(*Packet::make(kind, type, from, juliet, "1", {}), why);
    };
    CHECK(answer(StanzaKind::iq, StanzaType::result, romeo) == nullptr);
    CHECK(answer(StanzaKind::iq, StanzaType::error, romeo) == nullptr);
    CHECK(answer(StanzaKind::message, StanzaType::error, romeo) == nullptr);
    CHECK(answer(StanzaKind::message, StanzaType::chat, {}) == nullptr);
    CHECK(answer(StanzaKind::message, StanzaType::chat, romeo) != nullptr);
}

TEST_CASE("packet: which errors tell what became of a message, and which are worth keeping") {
    const StanzaError why{.condition = StanzaCondition::forbidden, .text = {}};
    const auto read = [](const std::string& attributes) {
        return *Packet::from_bytes("<message to='juliet@b.test' from='romeo@a.test/r'" +
                                   attributes + "><body>x</body></message>");
    };
    const PacketRef message = read(" type='chat' id='1'");
    const PacketRef made_here = Packet::error_reply(*message, why);
    CHECK(made_here->tells_outcome());
    CHECK(made_here->lasting_error());
    const PacketRef from_elsewhere = read(" type='error' id='1'");
    CHECK(from_elsewhere->tells_outcome());
    CHECK_FALSE(from_elsewhere->lasting_error());
    const PacketRef about_nothing = Packet::error_reply(*read(" type='chat'"), why);
    CHECK_FALSE(about_nothing->tells_outcome());
    CHECK_FALSE(about_nothing->lasting_error());
    CHECK_FALSE(message->tells_outcome());
    CHECK_FALSE(message->lasting_error());
}

TEST_CASE("packet: to another address, as a packet of its own or appended") {
    const PacketRef packet =
        Packet::make(StanzaKind::message, StanzaType::chat, romeo, juliet, "1", "<body>x</body>");
    const Jid other = *Jid::parse("nurse@b.test/n");
    const PacketRef moved = packet->readdressed(other);
    CHECK(moved->to() == other);
    CHECK(moved->bytes() ==
          "<message to='nurse@b.test/n' from='romeo@a.test/r' id='1' type='chat'>"
          "<body>x</body></message>");
    CHECK(moved->rest() == packet->rest());
    std::string out = "before";
    packet->append_to(out, other);
    CHECK(out == "before" + std::string(moved->bytes()));
    const PacketRef back = moved->readdressed(juliet);
    CHECK(back->bytes() == packet->bytes());
    CHECK(back->id() == "1");
    CHECK(back->from() == romeo);
}

TEST_CASE("packet: a child is appended to one that has children and to one that has none") {
    const PacketRef empty =
        Packet::make(StanzaKind::presence, StanzaType::available, romeo, juliet, {}, {});
    const PacketRef first = empty->with_child("<a xmlns='urn:a'/>");
    CHECK(first->bytes() ==
          "<presence to='juliet@b.test' from='romeo@a.test/r'><a xmlns='urn:a'/></presence>");
    const PacketRef second = first->with_child("<b xmlns='urn:b'/>");
    CHECK(second->bytes() ==
          "<presence to='juliet@b.test' from='romeo@a.test/r'>"
          "<a xmlns='urn:a'/><b xmlns='urn:b'/></presence>");
    CHECK(second->to() == juliet);
    CHECK(second->rest() ==
          " from='romeo@a.test/r'><a xmlns='urn:a'/><b xmlns='urn:b'/></presence>");
    CHECK(parsed(second->bytes())->bytes() == second->bytes());
}

TEST_CASE("packet: messages that are worth keeping (XEP-0160)") {
    const std::string body = "<body>x</body>";
    CHECK(storable("chat", body));
    CHECK(storable("normal", body));
    CHECK(storable("odd", body));
    CHECK(!storable("headline", body));
    CHECK(!storable("groupchat", body));
    CHECK(!storable("error", body));
    CHECK(storable("chat", "<x xmlns='urn:extension'/>"));
    CHECK(!parsed("<message from='romeo@a.test' to='juliet@b.test'/>")->storable());
    CHECK(!parsed("<presence from='romeo@a.test'><show>away</show></presence>")->storable());
}

TEST_CASE("packet: what has no substance of its own is not worth keeping") {
    CHECK(!storable("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"));
    CHECK(!storable("chat", "<thread>1</thread>"));
    CHECK(!storable("chat", "<subject>s</subject>"));
    CHECK(storable("normal", "<subject>s</subject>"));
    CHECK(!storable("chat", "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='b.test'/>"));
    CHECK(
        storable("chat", "<active xmlns='http://jabber.org/protocol/chatstates'/><body>x</body>"));
}

TEST_CASE("packet: the sender's hints decide (XEP-0334)") {
    CHECK(!storable("chat", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>"));
    CHECK(storable("chat", "<no-permanent-store xmlns='urn:xmpp:hints'/><body>x</body>"));
    CHECK(storable("chat", "<thread>1</thread><store xmlns='urn:xmpp:hints'/>"));
    CHECK(!storable("headline", "<body>x</body><store xmlns='urn:xmpp:hints'/>"));
    CHECK(!storable("chat", "<no-copy xmlns='urn:xmpp:hints'/>"));
}

TEST_CASE("packet: whether it is worth keeping stays with it when it is changed") {
    const PacketRef packet =
        parsed("<message from='romeo@a.test' to='juliet@b.test'><body>x</body></message>");
    CHECK(packet->readdressed(romeo)->storable());
    CHECK(packet->with_child("<delay xmlns='urn:xmpp:delay'/>")->storable());
}

TEST_CASE("packet: the id is as the sender wrote it, though the bytes escape it") {
    const PacketRef packet = Packet::make(StanzaKind::iq, StanzaType::get, romeo, juliet, "a'&<b",
                                          "<ping xmlns='urn:xmpp:ping'/>");
    CHECK(packet->id() == "a'&<b");
    CHECK(packet->readdressed(romeo)->id() == "a'&<b");
    CHECK(packet->with_child("<x xmlns='y'/>")->id() == "a'&<b");
}

TEST_CASE("packet: a message that one alone holds is stamped in place") {
    PacketRef packet = parsed("<message to='juliet@b.test' from='romeo@a.test'><body/></message>");
    const Packet* const before = packet.get();
    packet = Packet::stamped(std::move(packet), juliet, 18'446'744'073'709'551'615U);
    CHECK(packet.get() == before);
    CHECK(packet->stanza_id() == 18'446'744'073'709'551'615U);
    CHECK(packet->bytes() ==
          "<message to='juliet@b.test' from='romeo@a.test'><body/>"
          "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@b.test' id='18446744073709551615'/>"
          "</message>");
}

TEST_CASE("packet: a message that others hold is stamped in a copy") {
    PacketRef packet = parsed("<message to='juliet@b.test' from='romeo@a.test'><body/></message>");
    const PacketRef other = packet;
    packet = Packet::stamped(std::move(packet), juliet, 7);
    CHECK(other->bytes() == "<message to='juliet@b.test' from='romeo@a.test'><body/></message>");
    CHECK(other->stanza_id() == 0);
    CHECK(packet->bytes() ==
          "<message to='juliet@b.test' from='romeo@a.test'><body/>"
          "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@b.test' id='7'/></message>");
    CHECK(packet->storable() == other->storable());
}

TEST_CASE("packet: one without room, or without content, is stamped all the same") {
    PacketRef packet = Packet::make(StanzaKind::message, StanzaType::chat, romeo, juliet, "1", {});
    packet = Packet::stamped(std::move(packet), juliet, 7);
    CHECK(packet->bytes() ==
          "<message to='juliet@b.test' from='romeo@a.test/r' id='1' type='chat'>"
          "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@b.test' id='7'/></message>");
    CHECK(packet->with_child("<a xmlns='b'/>")->stanza_id() == 7);
}

}  // namespace causeway::test
