// Where clients connect, over a simulated network: each kind of port, and WebSocket from its first
// byte to a session on another shard.
#include "c2s/client_listeners.h"

#include <openssl/ssl.h>

#include "gateway/base/encoding.h"
#include "gateway/net/tls_store.h"
#include "tests/support/websocket_frames.h"
#include "tests/unit/c2s/client_fixture.h"
#include "tests/unit/net/channel_rig.h"

namespace causeway::test {
namespace {

constexpr std::uint16_t starttls_port = 5222, direct_port = 5223, https_port = 5281,
                        http_port = 5280;

/// A client by hand, in the clear or in TLS.
class Caller {
public:
    Caller(SharedFixture& fixture, std::uint16_t port, std::string_view protocol = {},
           bool tls = true)
        : fixture_(fixture) {
        connecting_ = fixture.net.connect(
            sim_endpoint("10.0.0.1", port), std::nullopt,
            [this](Result<std::unique_ptr<Socket>> made) { socket_ = std::move(*made); });
        run();
        REQUIRE(socket_ != nullptr);
        channel_ = std::make_unique<StreamChannel>(fixture.shards[0], std::move(socket_));
        channel_->set_handler(&heard);
        run();
        if (!tls) return;
        auto engine = client_engine();
        if (!protocol.empty()) {
            const std::string offer = static_cast<char>(protocol.size()) + std::string(protocol);
            SSL_set_alpn_protos(engine->native(),
                                reinterpret_cast<const unsigned char*>(offer.data()),
                                static_cast<unsigned>(offer.size()));
        }
        channel_->start_tls(std::move(engine), TransportKind::direct_tls);
        run();
    }

    /// What the server answers.
    std::string ask(std::string_view bytes) {
        channel_->write(bytes);
        run();
        return std::exchange(heard.received, {});
    }
    bool upgrades(std::string_view more = {}) {
        const std::string answer =
            ask("GET /xmpp-websocket HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Version: 13\r\n" +
                std::string(more) + "\r\n");
        return answer.starts_with("HTTP/1.1 101 ");
    }
    /// What comes back for one message, one behind the other.
    std::string say(std::string_view message) {
        frames_ += ask(client_frame(FrameKind::text, message));
        const auto frames = take_server_frames(frames_);
        REQUIRE(frames.has_value());
        std::string all;
        for (const Frame& frame : *frames) all += frame.payload;
        return all;
    }
    [[nodiscard]] std::string protocol() const {
        return channel_->tls() == nullptr ? "" : channel_->tls()->alpn();
    }
    void leave() {
        channel_->close();
        run();
    }
    Recorder heard;

private:
    /// A turn in which something was only flushed does not count as one, so there are some more.
    void run() {
        for (int i = 0; i < 10; ++i) fixture_.settle();
    }

    SharedFixture& fixture_;
    std::unique_ptr<Connecting> connecting_;
    std::unique_ptr<Socket> socket_;
    std::unique_ptr<StreamChannel> channel_;
    std::string frames_;
};

/// A server of two shards; connections arrive on the first.
class Fixture : public SharedFixture {
public:
    Fixture() : SharedFixture(2, std::move(*FeatureRegistry::build(all_features()))) {
        auto made = std::make_shared<Config>();
        const TestCertificate certificate = issue({.dns = {"a.test"}});
        made->domains.push_back({"a.test", directory.write("a.crt", certificate.certificate_pem()),
                                 directory.write("a.key", certificate.key_pem())});
        made->c2s = {.listen = {at(starttls_port)}, .listen_tls = {at(direct_port)}};
        made->http = {.listen_tls = {at(https_port)}, .listen = {at(http_port)}};
        made->limits.unauthenticated_connections = 8;
        made->limits.unauthenticated_connections_per_prefix = 2;
        std::vector<std::string> warnings;
        auto snapshot = TlsSnapshot::load(*made, warnings);
        REQUIRE(snapshot.ok());
        config = made;
        for (unsigned i = 0; i < 2; ++i) {
            hubs.push_back(std::make_unique<Hub>(shared, shards[i], net, dns, config, *snapshot));
            shared.hubs.push_back(hubs.back().get());
            routers.push_back(std::make_unique<Router>(*hubs.back()));
            tables.push_back(std::make_unique<ClientTable>(*hubs.back()));
            all.add(*tables.back());
        }
        all.connect();
        listeners = std::make_unique<ClientListeners>(*hubs[0], *tables[0]);
        REQUIRE(listeners->open().ok());
    }
    static Endpoint at(std::uint16_t port) { return sim_endpoint("10.0.0.1", port); }

    /// An account that lives on that shard.
    std::string account_on(unsigned shard) {
        for (int i = 0;; ++i) {
            const std::string bare = fmt::format("user{}@a.test", i);
            if (shards.home_of(bare) != shard) continue;
            Batch batch;
            account_store::plan(batch, bare, *make_credentials("secret", 4096), 1);
            store.commit(std::move(batch), loop, {});
            settle();
            return bare;
        }
    }
    std::size_t sessions(unsigned shard) {
        std::size_t found = 0;
        tables[shard]->each_session([&](ClientSession&) { ++found; });
        return found;
    }

    TestDirectory directory;
    std::shared_ptr<const Config> config;
    std::vector<std::unique_ptr<Hub>> hubs;
    std::vector<std::unique_ptr<Router>> routers;
    std::vector<std::unique_ptr<ClientTable>> tables;
    ClientTables all;
    std::unique_ptr<ClientListeners> listeners;
};

constexpr std::string_view open_frame =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>";

std::string login(const std::string& bare) {
    const std::string plain =
        std::string(1, '\0') + bare.substr(0, bare.find('@')) + std::string(1, '\0') + "secret";
    return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
           base64_encode(plain) + "</auth>";
}

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "client listeners: a client logs in over WebSocket, wherever its account is") {
    unsigned home = 0;
    SUBCASE("here") {}
    SUBCASE("on another shard") { home = 1; }
    const std::string bare = account_on(home);
    const std::weak_ptr<const Config> before = config;
    {
        Caller web(*this, https_port, "http/1.1");
        CHECK(web.protocol() == "http/1.1");
        REQUIRE(web.upgrades());
        CHECK(web.say(open_frame).find("<mechanism>PLAIN</mechanism>") != std::string::npos);
        CHECK(web.say(login(bare)).find("<success ") != std::string::npos);
        CHECK(tables[0]->negotiating() == 0);
        CHECK(web.say(open_frame).find("urn:ietf:params:xml:ns:xmpp-bind") != std::string::npos);
        web.say(
            "<iq xmlns='jabber:client' type='set' id='b'><bind "
            "xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>web</resource></bind></iq>");
        CHECK(sessions(home) == 1);
        CHECK(sessions(1 - home) == 0);
        const std::string heard = web.say("<message xmlns='jabber:client' type='chat' to='" + bare +
                                          "/web' id='m1'><body>x</body></message>");
        CHECK(heard.starts_with("<message xmlns='jabber:client'"));
        CHECK(heard.find("id='m1'") != std::string::npos);
        // RFC 7395 §3.6: our <close/>, and then the frame that closes.
        CHECK(web.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
                  .starts_with("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"));
        web.leave();
        CHECK(sessions(home) == 0);
    }
    pass(Duration(10'000), Duration(1000));
    // Nothing of it is left that holds on to the configuration it began with.
    config = std::make_shared<Config>(*config);
    for (const auto& hub : hubs) hub->adopt(config, hub->tls);
    settle();
    CHECK(before.expired());
}

TEST_CASE_FIXTURE(Fixture,
                  "client listeners: an account of another shard over STARTTLS's port and TLS") {
    const std::string bare = account_on(1);
    Caller client(*this, direct_port, "xmpp-client");
    CHECK(client.protocol() == "xmpp-client");
    const std::string header =
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
        "to='a.test' version='1.0'>";
    CHECK(client.ask(header).find("<mechanism>PLAIN</mechanism>") != std::string::npos);
    CHECK(client.ask(login(bare)).find("<success ") != std::string::npos);
    CHECK(client.ask(header).find("urn:ietf:params:xml:ns:xmpp-bind") != std::string::npos);
    CHECK(client.ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
              .find("type='result'") != std::string::npos);
    CHECK(sessions(1) == 1);
}

TEST_CASE_FIXTURE(Fixture, "client listeners: each port takes its own protocol (RFC 7301)") {
    Caller https(*this, https_port, "xmpp-client");
    CHECK(https.heard.closed == 1);
    Caller direct(*this, direct_port, "http/1.1");
    CHECK(direct.heard.closed == 1);
    Caller silent(*this, https_port);
    CHECK(silent.heard.secured == 1);
    CHECK(silent.protocol().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "client listeners: host-meta names the domain, and the port that was asked") {
    Caller web(*this, https_port);
    const std::string answer =
        web.ask("GET /.well-known/host-meta.json HTTP/1.1\r\nHost: a.test:5281\r\n\r\n");
    CHECK(answer.find("wss://a.test:5281/xmpp-websocket") != std::string::npos);
    // A host that is not served is told the first that is.
    CHECK(web.ask("GET /.well-known/host-meta.json HTTP/1.1\r\nHost: b.test:5281\r\n\r\n")
              .find("wss://a.test:5281/xmpp-websocket") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "client listeners: behind a proxy the client is who the proxy says") {
    std::vector<std::unique_ptr<Caller>> callers;
    const auto stays = [&](std::uint16_t port, const std::string& forwarded) {
        callers.push_back(
            std::make_unique<Caller>(*this, port, std::string_view{}, port == https_port));
        Caller& caller = *callers.back();
        REQUIRE(caller.upgrades("X-Forwarded-For: " + forwarded + "\r\n"));
        return !caller.say(open_frame).empty();
    };
    SUBCASE("in the clear, from a proxy") {
        CHECK(stays(http_port, "192.0.2.1"));
        CHECK(stays(http_port, "198.51.100.1"));
    }
    SUBCASE("in TLS a client cannot say that it is another") {
        CHECK(stays(https_port, "192.0.2.1"));
        CHECK_FALSE(stays(https_port, "198.51.100.1"));
    }
}

TEST_CASE_FIXTURE(Fixture, "client listeners: so many HTTP connections, each for so long") {
    std::vector<std::unique_ptr<Caller>> callers;
    for (int i = 0; i < 4; ++i) {
        callers.push_back(std::make_unique<Caller>(*this, http_port, std::string_view{}, false));
        CHECK(callers.back()->heard.closed == 0);
    }
    Caller fifth(*this, http_port, {}, false);
    CHECK(fifth.heard.closed == 1);
    pass(Duration(29'000), Duration(1000));
    CHECK(callers.front()->heard.closed == 0);
    pass(Duration(7'000), Duration(1000));
    CHECK(callers.front()->heard.closed == 1);
    Caller sixth(*this, http_port, {}, false);
    CHECK(sixth.heard.closed == 0);
    listeners->close();
    pass(Duration(7'000), Duration(1000));
    CHECK(sixth.heard.closed == 1);
}

TEST_CASE_FIXTURE(Fixture, "client listeners: a port that is taken is named") {
    listeners->close();
    ClientListeners again(*hubs[0], *tables[0]);
    CHECK(again.open().ok());
}

}  // namespace causeway::test
