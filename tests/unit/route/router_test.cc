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

struct TicketFixture : AccountFixture {
    AcknowledgementTicket ticket() { return {.holder = 7, .shard = 0, .number = ++tickets}; }
    /// A stanza that comes on a stream of another server.
    void comes(const std::string& xml) {
        const Outcome visited = Packet::visit_bytes(
            xml, [&](Stanza& stanza) { hub->routing->from_server(stanza, ticket()); });
        REQUIRE(visited.ok());
    }
    /// Whether all that came is settled, each once and in order.
    bool all_settled() {
        settle();
        std::vector<std::uint32_t> all;
        for (std::uint32_t i = 1; i <= tickets; ++i) all.push_back(i);
        return elsewhere.safe == all;
    }
    std::uint32_t tickets = 0;
};

TEST_CASE_FIXTURE(TicketFixture,
                  "what only a session could take loads no account, and is settled") {
    add_account("romeo@a.test");
    comes("<presence to='romeo@a.test' from='nurse@b.test/x'/>");
    comes("<presence to='romeo@a.test/x' from='nurse@b.test/x' type='unavailable'/>");
    comes("<iq to='romeo@a.test/x' from='nurse@b.test/x' type='result' id='i1'/>");
    comes("<iq to='romeo@a.test' from='nurse@b.test/x' type='result' id='i2'/>");
    comes("<iq to='romeo@a.test' from='nurse@b.test/x' type='error' id='i3'/>");
    CHECK(all_settled());
    CHECK(elsewhere.sent.empty());
    comes("<iq to='romeo@a.test/x' from='nurse@b.test/x' type='get' id='i4'><a xmlns='x'/></iq>");
    CHECK(all_settled());
    REQUIRE(elsewhere.sent.size() == 1);
    CHECK(elsewhere.sent[0].find("service-unavailable") != std::string::npos);
    CHECK(hub->accounts->find("romeo@a.test") == nullptr);
    comes("<iq to='romeo@a.test' from='nurse@b.test/x' type='get' id='i5'><a xmlns='x'/></iq>");
    CHECK(all_settled());
    CHECK(elsewhere.sent.size() == 2);
    comes("<message to='romeo@a.test' from='nurse@b.test/x' type='chat'><body>x</body></message>");
    CHECK(all_settled());
    CHECK(stored("romeo@a.test").size() == 1);
}

TEST_CASE_FIXTURE(TicketFixture, "a domain answers requests and messages with an error, no more") {
    comes("<message to='a.test' from='nurse@b.test/x' id='m1'/>");
    comes("<iq to='a.test' from='nurse@b.test/x' type='set' id='i1'><a xmlns='x'/></iq>");
    comes("<iq to='a.test/x' from='nurse@b.test/x' type='get' id='i2'><a xmlns='x'/></iq>");
    CHECK(all_settled());
    CHECK(elsewhere.sent.size() == 3);
    for (const std::string& sent : elsewhere.sent) {
        CHECK(sent.find("service-unavailable") != std::string::npos);
    }
    comes("<message to='a.test' from='nurse@b.test/x' type='error' id='m2'/>");
    comes("<presence to='a.test' from='nurse@b.test/x'/>");
    comes("<iq to='a.test' from='nurse@b.test/x' type='result' id='i3'/>");
    comes("<iq to='a.test' from='nurse@b.test/x' type='error' id='i4'/>");
    CHECK(all_settled());
    CHECK(elsewhere.sent.size() == 3);
}

TEST_CASE_FIXTURE(TicketFixture,
                  "an iq of another server without an id, or not whole, is refused") {
    comes("<iq to='a.test' from='nurse@b.test/x' type='get'><a xmlns='x'/></iq>");
    comes("<iq to='a.test' from='nurse@b.test/x' type='get' id='none'/>");
    comes(
        "<iq to='a.test' from='nurse@b.test/x' type='set' id='two'><a xmlns='x'/><b "
        "xmlns='x'/></iq>");
    CHECK(all_settled());
    REQUIRE(elsewhere.sent.size() == 3);
    for (const std::string& sent : elsewhere.sent) {
        CHECK(sent.find("bad-request") != std::string::npos);
    }
    comes(
        "<iq to='a.test' from='nurse@b.test/x' type='result' id='two'><a xmlns='x'/><b "
        "xmlns='x'/></iq>");
    CHECK(all_settled());
    CHECK(elsewhere.sent.size() == 3);
}

TEST_CASE_FIXTURE(
    TicketFixture,
    "what a client asks its own account, or the domain, is settled as it is answered") {
    add_account("romeo@a.test");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    settle();
    sends(romeo, "<iq type='get' id='i1'><a xmlns='x'/></iq>", ticket());
    sends(romeo, "<iq type='get' id='i2' to='romeo@a.test'><a xmlns='x'/></iq>", ticket());
    sends(romeo, "<iq type='get' id='i3' to='a.test'><a xmlns='x'/></iq>", ticket());
    sends(romeo, "<iq type='result' id='i4' to='a.test'/>", ticket());
    sends(romeo, "<iq type='result' id='i5'/>", ticket());
    CHECK(all_settled());
    CHECK(romeo.count("service-unavailable") == 3);
    CHECK(romeo.received.size() == 3);
    CHECK(elsewhere.sent.empty());
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
