#include "c2s/client_session.h"

#include <openssl/ssl.h>

#include "tests/unit/c2s/client_fixture.h"

namespace causeway::test {
namespace {

using Fixture = ClientFixture;

}  // namespace

TEST_CASE("client session: a burst of presence is no fault; the rest comes as it is acknowledged") {
    Fixture f(true);
    for (std::size_t i = 0; i < 2600; ++i) f.session->deliver(presence(i), 0);
    f.settle();
    REQUIRE(f.lives());
    CHECK(count(f.wire->sent, "<presence") == 2000);
    CHECK(count(f.wire->sent, "<r ") == 1);
    f.acknowledge(2000);
    CHECK(f.lives());
    CHECK(count(f.wire->sent, "<presence") == 2600);
    f.acknowledge(2600);
    CHECK(f.session->unacked() == 0);
}

TEST_CASE("client session: of presence that waits only the latest of each sender is sent") {
    Fixture f(true);
    for (std::size_t i = 0; i < 2000; ++i) f.session->deliver(presence(i), 0);
    f.session->deliver(presence(1, "<status>old</status>"), 0);
    f.session->deliver(presence(2, "<status>other</status>"), 0);
    f.session->deliver(presence(1, "<status>new</status>"), 0);
    f.settle();
    CHECK(count(f.wire->sent, "<status>") == 0);
    f.acknowledge(2000);
    CHECK(count(f.wire->sent, "<status>") == 2);
    CHECK(f.wire->sent.find("old") == std::string::npos);
    CHECK(f.wire->sent.find("other") < f.wire->sent.find("new"));
}

TEST_CASE("client session: a message does not overtake presence of its sender") {
    Fixture f(true);
    for (std::size_t i = 0; i < 2000; ++i) f.session->deliver(presence(i), 0);
    f.session->deliver(presence(5000), 0);
    f.session->deliver(presence(5001), 0);
    f.session->deliver(message("contact5000@a.test/y"), 0);
    f.settle();
    CHECK(count(f.wire->sent, "contact5000@a.test/x") == 1);
    CHECK(count(f.wire->sent, "contact5001@a.test/x") == 0);
    CHECK(f.wire->sent.find("contact5000@a.test/x") < f.wire->sent.find("<message"));
}

TEST_CASE("client session: an answer is sent whatever its size") {
    bool manages = false;
    SUBCASE("without stream management") {}
    SUBCASE("with stream management") { manages = true; }
    Fixture f(manages);
    f.wire->stalled = !manages;
    f.session->deliver(answer(6 << 20), 0);
    f.session->deliver(message("contact@a.test/x"), 0);
    for (std::size_t i = 0; i < 2000; ++i) f.session->deliver(presence(i), 0);
    f.settle();
    REQUIRE(f.lives());
    // What it asks for next is refused until it has taken that.
    f.session->deliver(answer(1000), 0);
    f.settle();
    REQUIRE(f.lives());
    if (f.wire->stalled) f.wire->channel->unstall();
    f.settle();
    CHECK(count(f.wire->sent, "<query>") == 1);
    CHECK(count(f.wire->sent, "<resource-constraint") == 1);
    CHECK(count(f.wire->sent, "<message") == 1);
    if (manages) f.acknowledge(f.session->unacked());
    f.session->deliver(answer(1000), 0);
    f.settle();
    CHECK(count(f.wire->sent, "<query>") == 2);
    CHECK(count(f.wire->sent, "<presence") == 2000);
}

TEST_CASE("client session: what others send has a bound, and the session ends beyond it") {
    Fixture f(true);
    for (int i = 0; i < 5; ++i) f.session->deliver(message("contact@a.test/x", 1 << 20), 0);
    f.settle();
    CHECK_FALSE(f.lives());
    CHECK(f.wire->sent.find("<resource-constraint") != std::string::npos);
}

TEST_CASE("client session: what comes in the turn in which it ends is stored") {
    Fixture f(true);
    for (std::size_t i = 0; i < 2600; ++i) f.session->deliver(message("other@a.test/x", 4096), 0);
    const PacketRef last = message("contact@a.test/x");
    f.session->deliver(last, f.hub->ledger.hold(last, {}, {"offline", "romeo@a.test", 0}));
    f.settle();
    REQUIRE_FALSE(f.lives());
    std::size_t rows = 0;
    f.store.log_list("offline", "romeo@a.test", 0, 100, f.loop,
                     [&](const Result<std::vector<LogRow>>& found) { rows = found->size(); });
    f.settle();
    CHECK(rows == 1);
}

TEST_CASE("client session: one that acknowledges nothing for a while ends") {
    Fixture f(true);
    for (std::size_t i = 0; i < 2100; ++i) f.session->deliver(presence(i), 0);
    f.settle();
    SUBCASE("in silence") {
        f.pass(std::chrono::seconds{100});
        CHECK(f.lives());
        f.pass(std::chrono::seconds{100});
        CHECK_FALSE(f.lives());
    }
    SUBCASE("a little at a time is enough") {
        for (std::size_t h = 1; h <= 10; ++h) {
            f.pass(std::chrono::seconds{60});
            f.acknowledge(h);
        }
        CHECK(f.lives());
    }
}

TEST_CASE("client session: one that reads nothing for a while ends, and is not read meanwhile") {
    Fixture f(false);
    f.wire->stalled = true;
    f.session->deliver(answer(2 << 20), 0);
    f.settle();
    CHECK(f.wire->paused);
    SUBCASE("it goes on reading") {
        f.pass(std::chrono::seconds{50});
        f.wire->channel->unstall();
        f.settle();
        CHECK_FALSE(f.wire->paused);
        f.pass(std::chrono::seconds{30});
        CHECK(f.lives());
    }
    SUBCASE("it does not") {
        f.pass(std::chrono::seconds{130});
        CHECK_FALSE(f.lives());
    }
}

TEST_CASE(
    "client session: an older acknowledgement changes nothing, one too high ends the stream") {
    Fixture f(true);
    for (std::size_t i = 0; i < 6; ++i) f.session->deliver(presence(i), 0);
    f.acknowledge(6);
    f.acknowledge(4);
    CHECK(f.wire->sent.find("<stream:error") == std::string::npos);
    f.acknowledge(7);
    CHECK(f.wire->sent.find("h='7' send-count='6'") != std::string::npos);
}

TEST_CASE("client stream: no script can bind to the TLS connection under its WebSocket") {
    Fixture f(false);
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
        SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
    const TlsEngine tls(context.get(), TlsEngine::Role::server, nullptr);
    const auto wire = std::make_shared<MemoryChannel::Wire>();
    wire->tls = &tls;
    wire->framed = true;
    f.table.accept(std::make_unique<MemoryChannel>(f.shards[0], wire));
    wire->channel->receive(
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>");
    f.settle();
    CHECK(wire->sent.find("<mechanism>SCRAM-SHA-256</mechanism>") != std::string::npos);
    CHECK(wire->sent.find("-PLUS") == std::string::npos);
    CHECK(wire->sent.find("channel-binding") == std::string::npos);
    wire->channel->receive(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256-PLUS'>=</auth>");
    f.settle();
    CHECK(wire->sent.find("<invalid-mechanism") != std::string::npos);
}

TEST_CASE("client session: a stanza too large is passed over, as a message of WebSocket as well") {
    bool framed = false;
    SUBCASE("over TCP") {}
    SUBCASE("over WebSocket") { framed = true; }
    Fixture f(false, make_config(), framed);
    const std::string large(300'000, 'x');
    f.receive("<message xmlns='jabber:client' to='romeo@a.test' id='m'><body>" + large +
              "</body></message>");
    CHECK(f.wire->sent.find("<policy-violation") != std::string::npos);
    CHECK(f.lives());
    f.receive("<iq xmlns='jabber:client' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    CHECK(f.wire->sent.find("type='result'") != std::string::npos);
}

TEST_CASE("client session: what waited for a commit goes out in a message each over WebSocket") {
    Fixture f(true, make_config(), true);
    const auto archived = [&](const std::string& id) {
        return Packet::for_archive(Packet::stamped(
            Packet::make(StanzaKind::message, StanzaType::chat, *Jid::parse("juliet@b.test/r"),
                         *Jid::parse("romeo@a.test"), id, "<body>hello</body>"),
            *Jid::parse("romeo@a.test"), f.shared.ids.next_id()));
    };
    for (const char* id : {"m1", "m2"}) {
        const PacketRef packet = archived(id);
        f.session->deliver(packet, f.hold(packet));
    }
    CHECK(count(f.wire->sent, "<message") == 0);
    f.settle();
    CHECK(count(f.wire->sent, "<message") == 2);
    CHECK(count(f.wire->sent, "<message xmlns='jabber:client'") == 2);
}

TEST_CASE("client session: a client that answers no more is noticed") {
    Fixture f(false);
    f.pass(std::chrono::seconds{46});
    const std::size_t at = f.wire->sent.find("id='alive-");
    REQUIRE(at != std::string::npos);
    const std::string id = f.wire->sent.substr(at + 4, 22);
    f.receive("<iq type='result' id='" + id + "'/>");
    f.wire->sent.clear();
    f.pass(std::chrono::seconds{46});
    CHECK(count(f.wire->sent, "urn:xmpp:ping") == 1);
    CHECK(f.wire->sent.find(id) == std::string::npos);
    CHECK(f.lives());
    f.pass(std::chrono::seconds{46});
    CHECK_FALSE(f.lives());
    CHECK(f.wire->sent.find("<connection-timeout") != std::string::npos);
}

TEST_CASE(
    "client session: one that is over its limit may lose its stream before the turn is over") {
    Fixture f(false);
    f.clock.advance(Duration(45'000));  // when it would be asked whether it is there
    for (int i = 0; i < 5; ++i) f.session->deliver(message("contact@a.test/x", 1 << 20), 0);
    const PacketRef late = message("contact@a.test/x");
    f.session->deliver(late, f.hold(late));
    f.wire->channel->end();
    f.settle();
    CHECK_FALSE(f.lives());
    CHECK(f.stored() == 1);
}

TEST_CASE(
    "client session: the transport is to notice a silent client, but for one that may sleep") {
    using Management = Fixture::Management;
    CHECK(Fixture(Management::none).wire->life == std::chrono::seconds{90});
    CHECK(Fixture(Management::counts).wire->life == std::chrono::seconds{90});
    CHECK(Fixture(Management::resumes).wire->life == std::chrono::seconds{0});
    auto config = make_config();
    config->limits.client_silence_seconds = std::chrono::seconds{0};
    Fixture asks_nobody(Management::none, config);
    CHECK_FALSE(asks_nobody.wire->life.has_value());
    asks_nobody.pass(std::chrono::seconds{300});
    CHECK(asks_nobody.wire->sent.empty());
}

TEST_CASE("client session: a client is asked after half of the time, counted from its last word") {
    Fixture f(false);
    f.pass(std::chrono::seconds{44});
    CHECK(f.wire->sent.empty());
    f.receive(" ");
    f.pass(std::chrono::seconds{44});
    CHECK(f.wire->sent.empty());
    f.pass(std::chrono::seconds{2});
    CHECK(count(f.wire->sent, "urn:xmpp:ping") == 1);
    f.receive(" ");  // a sign of life, if no answer
    f.pass(std::chrono::seconds{44});
    CHECK(count(f.wire->sent, "urn:xmpp:ping") == 1);
    f.pass(std::chrono::seconds{3});
    CHECK(count(f.wire->sent, "urn:xmpp:ping") == 2);
    CHECK(f.lives());
}

namespace {

std::vector<LifeEvent>& heard() {
    static std::vector<LifeEvent> events;
    return events;
}
void note(const Life& life) { heard().push_back(life.event); }
constexpr std::array life_hooks{
    LifeHook{LifeEvent::session_bound, note},
    LifeHook{LifeEvent::session_hibernates, note},
    LifeHook{LifeEvent::session_gone, note},
};
const Feature listening{.name = "listening", .points = {.life = life_hooks}};

}  // namespace

TEST_CASE("client session: features hear that it is bound, hibernates and is gone, each once") {
    heard().clear();
    std::vector<const Feature*> features(all_features().begin(), all_features().end());
    features.push_back(&listening);
    Fixture f(Fixture::Management::resumes, make_config(), false, features);
    CHECK(heard() == std::vector{LifeEvent::session_bound});
    f.wire->channel->end();
    f.settle();
    CHECK(f.lives());
    CHECK(f.session->detached());
    CHECK(heard() == std::vector{LifeEvent::session_bound, LifeEvent::session_hibernates});
    f.pass(std::chrono::seconds{299});
    CHECK(f.lives());
    f.pass(std::chrono::seconds{2});
    CHECK_FALSE(f.lives());
    CHECK(heard() == std::vector{LifeEvent::session_bound, LifeEvent::session_hibernates,
                                 LifeEvent::session_gone});
}

TEST_CASE("client session: what comes while its account is being read waits, all of it in order") {
    ClientFixture f(ClientFixture::Management::counts);
    f.hub->accounts->get("romeo@a.test").reload();
    f.wire->channel->receive(
        "<message to='romeo@a.test/x' id='one'><body>x</body></message><r xmlns='urn:xmpp:sm:3'/>"
        "<iq type='get' id='two' to='a.test'><ping xmlns='urn:xmpp:ping'/></iq>"
        "<message to='romeo@a.test/x' id='three'><body>x</body></message>");
    CHECK(f.session->stream()->stream().is_held());
    CHECK(f.wire->paused);
    f.settle();
    CHECK(!f.wire->paused);
    const std::string& sent = f.wire->sent;
    CHECK(count(sent, "<message") == 2);
    CHECK(sent.find("id='one'") < sent.find("id='two'"));
    CHECK(sent.find("id='two'") < sent.find("id='three'"));
}

TEST_CASE("client session: a connection that breaks meanwhile takes back nothing that had come") {
    ClientFixture f(ClientFixture::Management::none);
    f.hub->accounts->get("romeo@a.test").reload();
    f.wire->channel->receive("<message to='romeo@a.test' id='one'><body>x</body></message>");
    f.wire->channel->end(Outcome::retry("it broke"));
    CHECK(f.lives());
    f.settle();
    CHECK(!f.lives());
    CHECK(f.stored() == 1);
}

TEST_CASE("client session: an error, a ping and held presence hold no message in the ledger") {
    auto config = make_config();
    config->limits.unacked_stanzas = 100;
    Fixture f(true, config);
    const HoldId first = f.hold(message("contact@a.test/x"));  // on its way to somebody else
    REQUIRE(first == 1);
    f.receive("<iq type='shout' id='i1'/>");
    f.receive("<message to='@@' id='m1'/>");
    f.receive("<message to='romeo@a.test' id='m2'><body>" + std::string(300'000, 'x') +
              "</body></message>");
    CHECK(count(f.wire->sent, "type='error'") == 3);
    for (std::size_t i = 0; i < 120; ++i) f.session->deliver(presence(i), 0);
    f.session->deliver(message("contact119@a.test/y"), 0);
    f.settle();
    f.acknowledge(f.session->unacked());
    f.wire->channel->end();
    f.pass(std::chrono::seconds{400});
    CHECK_FALSE(f.lives());
    CHECK(f.hub->ledger.packet(first) != nullptr);
}

TEST_CASE("client session: a client without stream management is asked by a ping that holds none") {
    Fixture f(false);
    const HoldId first = f.hold(message("contact@a.test/x"));
    REQUIRE(first == 1);
    f.pass(std::chrono::seconds{50});
    CHECK(count(f.wire->sent, "urn:xmpp:ping") == 1);
    CHECK(f.hub->ledger.packet(first) != nullptr);
}

}  // namespace causeway::test
