#include "c2s/held_presence.h"

#include <doctest/doctest.h>

namespace causeway::test {
namespace {

PacketRef presence(std::string_view from, std::string_view id, std::string_view inner = {},
                   StanzaType type = StanzaType::available) {
    return Packet::make(StanzaKind::presence, type, *Jid::parse(from), *Jid::parse("me@a.test/x"),
                        id, inner);
}

std::string id_of(const PacketRef& packet) {
    return packet == nullptr ? "none" : std::string(packet->id());
}

}  // namespace

TEST_CASE("held presence: the latest of each sender, in the order of their coming") {
    HeldPresence held;
    held.put(presence("a@a.test/1", "1"));
    held.put(presence("b@a.test/1", "2"));
    held.put(presence("a@a.test/2", "3"));
    held.put(presence("a@a.test/1", "4", {}, StanzaType::unavailable));
    CHECK(held.size() == 3);
    CHECK(id_of(held.take_oldest()) == "2");
    CHECK(id_of(held.take_oldest()) == "3");
    CHECK(id_of(held.take_oldest()) == "4");
    CHECK(id_of(held.take_oldest()) == "none");
    CHECK(held.empty());
    CHECK(held.bytes() == 0);
}

TEST_CASE("held presence: all of one bare address") {
    HeldPresence held;
    held.put(presence("a@a.test/2", "1"));
    held.put(presence("aa@a.test/1", "2"));
    held.put(presence("a@a.test/1", "3"));
    held.put(presence("a@a.test", "4"));
    held.put(presence("a@a.test.x/1", "5"));
    const auto taken = held.take_from(*Jid::parse("a@a.test/other"));
    REQUIRE(taken.size() == 3);
    CHECK(taken[0]->id() == "1");
    CHECK(taken[1]->id() == "3");
    CHECK(taken[2]->id() == "4");
    CHECK(held.size() == 2);
    CHECK(held.take_from(*Jid::parse("c@a.test")).empty());
}

TEST_CASE("held presence: what can wait") {
    CHECK(HeldPresence::can_wait(*presence("a@a.test/1", "1")));
    CHECK(HeldPresence::can_wait(*presence("a@a.test/1", "1", {}, StanzaType::unavailable)));
    CHECK_FALSE(HeldPresence::can_wait(*presence("a@a.test", "1", {}, StanzaType::subscribe)));
    CHECK_FALSE(HeldPresence::can_wait(*presence("a@a.test/1", "1", {}, StanzaType::error)));
    CHECK_FALSE(HeldPresence::can_wait(
        *presence("r@a.test/1", "1", "<x xmlns='http://jabber.org/protocol/muc#user'/>")));
    CHECK_FALSE(HeldPresence::can_wait(*Packet::make(StanzaKind::message, StanzaType::chat,
                                                     *Jid::parse("a@a.test/1"),
                                                     *Jid::parse("me@a.test/x"), "1", {})));
}

}  // namespace causeway::test
