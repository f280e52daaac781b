#include "c2s/client_session.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <openssl/ssl.h>

#include "c2s/client_table.h"
#include "gateway/features/registry.h"
#include "gateway/route/router.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"
#include "tests/support/memory_channel.h"
#include "tests/unit/session/shared_fixture.h"

namespace causeway::test {
namespace {

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos;
         at = text.find(what, at + what.size())) {
        ++found;
    }
    return found;
}

PacketRef presence(std::size_t contact, std::string_view inner = {}) {
    return Packet::make(StanzaKind::presence, StanzaType::available,
                        *Jid::parse(fmt::format("contact{}@a.test/x", contact)),
                        *Jid::parse("romeo@a.test/x"), {}, inner);
}

PacketRef message(std::string_view from, std::size_t size = 1) {
    return Packet::make(StanzaKind::message, StanzaType::chat, *Jid::parse(from),
                        *Jid::parse("romeo@a.test/x"), "m",
                        "<body>" + std::string(size, 'x') + "</body>");
}

PacketRef answer(std::size_t size) {
    return Packet::make(StanzaKind::iq, StanzaType::result, {}, *Jid::parse("romeo@a.test/x"), "a",
                        "<query>" + std::string(size, 'x') + "</query>");
}

std::shared_ptr<Config> make_config() {
    auto config = std::make_shared<Config>();
    config->domains.push_back({"a.test", {}, {}});
    return config;
}

/// One client that is logged in, over a channel that the test can hold up.
class Fixture : public SharedFixture {
public:
    explicit Fixture(bool manages, const std::shared_ptr<Config>& config = make_config(),
                     bool framed = false)
        : SharedFixture(1, *FeatureRegistry::build(all_features())),
          hub(std::make_unique<Hub>(shared, shards[0], net, dns, config, nullptr)),
          router(*hub),
          table(*hub) {
        shared.hubs.push_back(hub.get());
        hub->routing = &router;
        Batch batch;
        account_store::plan(batch, "romeo@a.test", *make_credentials("secret", 4096), clock.wall());
        store.commit(std::move(batch), loop, [](const Outcome& end) { CHECK(end.ok()); });
        loop.run_until_idle();
        MovingClient moving;
        moving.proxy = std::make_unique<MemoryChannel>(shards[0], wire);
        moving.domain = "a.test";
        moving.account = *Jid::parse("romeo@a.test");
        table.adopt(std::move(moving));
        wire->framed = framed;
        receive(
            framed ? "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>"
                   : "<stream:stream xmlns='jabber:client' "
                     "xmlns:stream='http://etherx.jabber.org/streams' "
                     "to='a.test' version='1.0'>");
        receive(
            "<iq xmlns='jabber:client' type='set' id='b'><bind "
            "xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<resource>x</resource></bind></iq>");
        if (manages) receive("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        table.each_session([this](ClientSession& made) { session = &made; });
        REQUIRE(session != nullptr);
        wire->sent.clear();
    }

    void receive(std::string_view bytes) {
        REQUIRE(wire->channel != nullptr);
        wire->channel->receive(bytes);
        settle();
    }
    void pass(std::chrono::seconds time) { SharedFixture::pass(time, Duration{1000}); }
    void acknowledge(std::size_t h) {
        receive(fmt::format("<a xmlns='urn:xmpp:sm:3' h='{}'/>", h));
    }
    [[nodiscard]] bool lives() {
        bool found = false;
        table.each_session([&](ClientSession& one) { found = found || &one == session; });
        return found;
    }

    std::unique_ptr<Hub> hub;
    Router router;
    ClientTable table;
    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
    ClientSession* session = nullptr;
};

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

}  // namespace causeway::test
