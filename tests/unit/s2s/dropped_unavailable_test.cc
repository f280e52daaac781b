// Who went away while another domain was out of reach.
#include "s2s/dropped_unavailable.h"

#include <doctest/doctest.h>

#include <string>

namespace causeway {
namespace {

PacketRef presence(const std::string& from, StanzaType type) {
    return Packet::make(StanzaKind::presence, type, *Jid::parse(from), *Jid::parse("romeo@b.test"),
                        {}, {});
}

TEST_CASE("who went away is told once, unless it is back") {
    DroppedUnavailable unavailable;
    unavailable.dropped(*presence("juliet@a.test/balcony", StanzaType::unavailable));
    unavailable.dropped(*presence("juliet@a.test/phone", StanzaType::unavailable));
    unavailable.said(*presence("juliet@a.test/phone", StanzaType::available));
    const auto absences = unavailable.take();
    REQUIRE(absences.size() == 1);
    CHECK(absences.begin()->first.full() == "juliet@a.test/balcony");
    CHECK(absences.begin()->second.full() == "romeo@b.test");
    CHECK(unavailable.take().empty());
}

TEST_CASE("presence that says nothing of a session's end is not remembered") {
    DroppedUnavailable unavailable;
    unavailable.dropped(*presence("juliet@a.test/balcony", StanzaType::available));
    unavailable.dropped(*presence("juliet@a.test/balcony", StanzaType::probe));
    // The answer to a probe: another is given to the next one.
    unavailable.dropped(*presence("juliet@a.test", StanzaType::unavailable));
    CHECK(unavailable.take().empty());
}

TEST_CASE("what was dropped later holds whatever was on its way before") {
    DroppedUnavailable unavailable;
    DroppedUnavailable since;
    since.dropped(*presence("juliet@a.test/balcony", StanzaType::unavailable));
    unavailable.lost(*presence("juliet@a.test/balcony", StanzaType::available));
    unavailable.lost(*presence("juliet@a.test/phone", StanzaType::unavailable));
    unavailable.add(since);
    CHECK(unavailable.take().size() == 2);
}

TEST_CASE("so many are remembered, and no more") {
    DroppedUnavailable unavailable;
    for (std::size_t i = 0; i <= DroppedUnavailable::limit; ++i) {
        unavailable.dropped(
            *presence("juliet@a.test/" + std::to_string(i), StanzaType::unavailable));
    }
    CHECK(unavailable.take().size() == DroppedUnavailable::limit);
}

}  // namespace
}  // namespace causeway
