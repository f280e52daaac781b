#include "gateway/xmpp/message_traits.h"

#include <doctest/doctest.h>

#include "gateway/xmpp/packet.h"

namespace causeway {
namespace {

MessageTraits of(const std::string& inner, const std::string& type = "chat") {
    const auto packet =
        Packet::from_bytes("<message to='a@b' type='" + type + "'>" + inner + "</message>");
    REQUIRE(packet.ok());
    return (*packet)->traits();
}

TEST_CASE("what is worth keeping, and what the sender says of it") {
    CHECK(of("<body>x</body>").storable);
    CHECK(of("<body>x</body>").has_body);
    CHECK_FALSE(of("<body>x</body>", "headline").storable);
    CHECK_FALSE(of("<body>x</body>", "groupchat").storable);
    CHECK_FALSE(of("<thread>t</thread>").storable);
    CHECK_FALSE(of("<subject>s</subject>").storable);
    CHECK(of("<subject>s</subject>", "normal").storable);
    CHECK_FALSE(of("<body>x</body><no-store xmlns='urn:xmpp:hints'/>").storable);
    // XEP-0334 §5.1: kept for as long as the recipient is offline, but in no archive.
    CHECK(of("<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>").storable);
    CHECK_FALSE(of("<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>").archivable);
    CHECK(of("<body>x</body>").archivable);
    CHECK(of("<store xmlns='urn:xmpp:hints'/>").storable);
}

TEST_CASE("what refers to another message is kept as any other; an archive's answer is not") {
    // XEP-0184, 0333, 0308, 0444, 0424: offline as XEP-0160 says, and in archives.
    for (const char* inner :
         {"<received xmlns='urn:xmpp:receipts' id='m1'/>",
          "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>",
          "<body>y</body><replace xmlns='urn:xmpp:message-correct:0' id='m1'/>",
          "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>x</reaction></reactions>",
          "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>"}) {
        CAPTURE(inner);
        CHECK(of(inner).archivable);
        CHECK(of(inner, "normal").storable);
        CHECK_FALSE(of(inner, "headline").storable);
        CHECK_FALSE(of(std::string(inner) + "<no-store xmlns='urn:xmpp:hints'/>").storable);
    }
    CHECK(of("<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>").retracts);
    CHECK_FALSE(of("<retracted xmlns='urn:xmpp:message-retract:1' id='m1'/>").retracts);
    CHECK_FALSE(of("<result xmlns='urn:xmpp:mam:2'/><body>x</body>").storable);
}

TEST_CASE("text while it is typed is of no use later, and each part counts until then") {
    const std::string typed = "<rtt xmlns='urn:xmpp:rtt:0' seq='1'><t>x</t></rtt>";
    CHECK_FALSE(of(typed).storable);
    CHECK_FALSE(of(typed).archivable);
    CHECK(of(typed + "<body>x</body>").archivable);
    CHECK_FALSE(
        of(typed + "<active xmlns='http://jabber.org/protocol/chatstates'/>").only_chat_state);
}

TEST_CASE("a chat state alone, and with something beside it") {
    const std::string state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    CHECK(of(state).only_chat_state);
    CHECK(of(state + "<thread>t</thread>").only_chat_state);
    CHECK_FALSE(of(state + "<body>x</body>").only_chat_state);
    CHECK_FALSE(of("<body>x</body>").only_chat_state);
    CHECK_FALSE(of(state).storable);
}

TEST_CASE("what is not copied, what answers a message, what is private to a room") {
    CHECK(of("<body>x</body><no-copy xmlns='urn:xmpp:hints'/>").not_copied);
    CHECK(of("<body>x</body><private xmlns='urn:xmpp:carbons:2'/>").not_copied);
    CHECK_FALSE(of("<body>x</body>").not_copied);
    CHECK(of("<received xmlns='urn:xmpp:receipts' id='m1'/>").answers_message);
    CHECK(of("<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>").answers_message);
    CHECK(of("<body>x</body><x xmlns='http://jabber.org/protocol/muc#user'/>").room_private);
}

TEST_CASE("what is of a conversation without a body, and what says something in secret") {
    const auto look = [](const std::string& inner, bool (*what)(const Stanza&)) {
        bool found = false;
        const std::string bytes = "<message to='a@b'>" + inner + "</message>";
        REQUIRE(Packet::visit_bytes(bytes, [&](Stanza& stanza) { found = what(stanza); }).ok());
        return found;
    };
    const std::string keys =
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>";
    CHECK(look(keys, of_conversation));
    CHECK_FALSE(look(keys, says_in_secret));
    CHECK(look("<encrypted xmlns='urn:xmpp:omemo:2'><payload>x</payload></encrypted>",
               says_in_secret));
    CHECK(look("<x xmlns='jabber:x:encrypted'>x</x>", says_in_secret));
    CHECK(look("<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>", says_in_secret));
    CHECK(look("<propose xmlns='urn:xmpp:jingle-message:0' id='c1'/>", of_conversation));
    CHECK_FALSE(look("<propose xmlns='urn:xmpp:jingle-message:0' id='c1'/>", says_in_secret));
    CHECK_FALSE(look("<x xmlns='urn:example:x'/><body>x</body>", of_conversation));
    CHECK_FALSE(look("<body>x</body>", says_in_secret));
}

}  // namespace
}  // namespace causeway
