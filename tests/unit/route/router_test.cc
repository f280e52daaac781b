// Targets: accounts, a service, the domain itself, other domains.
#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct Rooms final : Service {
    [[nodiscard]] unsigned home_of(const Jid&) const override { return 0; }
    void receive(Hub& hub, const PacketRef& packet, AcknowledgementTicket ticket) override {
        received.push_back(std::string(packet->bytes()));
        hub.settle(ticket);
        if (packet->kind() != StanzaKind::message) return;
        hub.routing->route(Packet::make(StanzaKind::message, StanzaType::groupchat, packet->to(),
                                        packet->from(), packet->id(), "<body>echo</body>"));
    }
    std::vector<std::string> received;
};

struct ServiceFixture : AccountFixture {
    ServiceFixture() {
        shared.services.emplace("rooms.a.test", &rooms);
        hub->adopt(config, nullptr);
        add_account("romeo@a.test");
    }
    Rooms rooms;
};

TEST_CASE_FIXTURE(ServiceFixture, "a service gets every stanza for its domain and answers") {
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    settle();
    sends(romeo,
          "<message type='groupchat' to='verona@rooms.a.test' id='m1'><body>x</body></message>",
          {.holder = 7, .shard = 0, .number = 1});
    sends(romeo, "<presence to='verona@rooms.a.test/Romeo'/>");
    sends(romeo, "<iq type='get' id='i1' to='rooms.a.test'><ping xmlns='urn:xmpp:ping'/></iq>");
    settle();
    CHECK(rooms.received.size() == 3);
    CHECK(romeo.count("echo") == 1);
    CHECK(elsewhere.safe == std::vector<std::uint32_t>{1});
    CHECK(elsewhere.sent.empty());
    CHECK(hub->serves("rooms.a.test"));
}

TEST_CASE_FIXTURE(ServiceFixture,
                  "presence that goes to many reaches accounts, services and other domains") {
    add_account("juliet@a.test");
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    sends(juliet, "<presence/>");
    settle();
    const Jid near = *Jid::parse("juliet@a.test"), far = *Jid::parse("nurse@b.test"),
              room = *Jid::parse("verona@rooms.a.test");
    const auto packet = Packet::from_bytes("<presence from='romeo@a.test/orchard'/>");
    hub->routing->fan_out(*packet, {&near, &far, &room});
    settle();
    CHECK(juliet.count("from='romeo@a.test/orchard'") == 1);
    CHECK(elsewhere.sent.size() == 1);
    CHECK(rooms.received.size() == 1);
}

TEST_CASE_FIXTURE(AccountFixture, "an iq that is not whole is refused before anybody handles it") {
    add_account("romeo@a.test");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    settle();
    sends(romeo, "<iq type='get' to='a.test'><ping xmlns='urn:xmpp:ping'/></iq>");
    sends(romeo, "<iq type='get' id='two'><a xmlns='x'/><b xmlns='x'/></iq>");
    settle();
    CHECK(romeo.count("bad-request") == 2);
}

}  // namespace
}  // namespace causeway::test
