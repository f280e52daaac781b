// STARTTLS where a reload has taken the domain away in the middle of it, and the other ends that no
// whole server shows.
#include <doctest/doctest.h>

#include "gateway/features/registry.h"
#include "gateway/net/tls_store.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/ns.h"
#include "tests/support/memory_channel.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/session/shared_fixture.h"

namespace causeway::test {
namespace {

/// A server with certificates for b.test alone.
struct Serving : SharedFixture {
    Serving() : SharedFixture(1, std::move(*FeatureRegistry::build(all_features()))) {
        auto config = std::make_shared<Config>();
        const TestCertificate certificate = issue({.dns = {"b.test"}});
        config->domains.push_back({"b.test",
                                   directory.write("b.crt", certificate.certificate_pem()),
                                   directory.write("b.key", certificate.key_pem())});
        std::vector<std::string> warnings;
        auto snapshot = TlsSnapshot::load(*config, warnings);
        REQUIRE(snapshot.ok());
        own_hub = std::make_unique<Hub>(shared, shards[0], net, dns, config, *snapshot);
    }
    TestDirectory directory;
    std::unique_ptr<Hub> own_hub;
};

/// A stream of a.test's, and what the step made of it.
class Fixture : public Serving, private StreamHandler, private Negotiation {
public:
    explicit Fixture(StreamRole role, StreamSide side = StreamSide::server)
        : Negotiation(*own_hub, side, role),
          role_(role),
          stream_(shards[0], std::make_unique<MemoryChannel>(shards[0], wire),
                  side == StreamSide::client ? ns::client : ns::server, *this) {
        domain_ = "a.test";
    }

    /// The peer's header and features, or its elements.
    void receive(std::string_view bytes) {
        wire->channel->receive(bytes);
        settle();
    }
    void open(std::string_view offer = {}) {
        receive(std::string("<stream:stream xmlns='jabber:") +
                (side() == StreamSide::client ? "client" : "server") +
                "' xmlns:stream='http://etherx.jabber.org/streams' from='a.test' version='1.0'>");
        if (!offer.empty()) receive(offer);
    }

    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
    std::vector<Outcome> given_up;

private:
    XmppStream& stream() override { return stream_; }
    void authenticated(const Jid&, std::string_view, std::string_view) override {}
    void give_up(const Outcome& why) override { given_up.push_back(why); }
    void bind(std::string_view, std::string_view) override {}
    void manage(const Element&) override {}
    void dialback(const Element&, Arena&) override {}
    [[nodiscard]] Outcome peer_proves(std::string_view) const override { return {}; }
    [[nodiscard]] std::string_view peer_domain() const override { return "c.test"; }

    void on_stream_opened(const StreamHeader&) override {
        if (role_ == StreamRole::initiating) return;
        stream_.send_header({.from = "a.test", .id = "id"});
        offer_features();
    }
    void on_element(Element& element, Arena& arena) override {
        if (element.is(ns::stream, "features")) {
            CHECK(begin_step(&element));
        } else {
            CHECK(dispatch(element.ns, element, arena));
        }
    }
    void on_stream_secured() override {}
    [[nodiscard]] std::string_view own_name() const override { return "a.test"; }
    void on_stream_closed(const Outcome&) override {}

    StreamRole role_;
    XmppStream stream_;
};

constexpr std::string_view with_tls =
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    "</stream:features>";

}  // namespace

TEST_CASE("starttls: a domain that a reload took away is given up at once") {
    Fixture f(StreamRole::initiating);
    f.open(with_tls);
    CHECK(f.wire->sent.find("<starttls ") != std::string::npos);
    CHECK(f.given_up.empty());
    f.receive("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    REQUIRE(f.given_up.size() == 1);
    CHECK(f.given_up.front().cause() == Cause::policy);
    CHECK(f.given_up.front().why() == "a.test is no longer served here");
}

TEST_CASE("starttls: a peer that offers none, or then refuses, is given up") {
    Fixture f(StreamRole::initiating);
    SUBCASE("no TLS") {
        f.open("<stream:features><x xmlns='urn:example:x'/></stream:features>");
        REQUIRE(f.given_up.size() == 1);
        CHECK(f.given_up.front().cause() == Cause::policy);
        CHECK(f.given_up.front().why() == "c.test offers no TLS");
        CHECK(f.wire->sent.find("starttls") == std::string::npos);
    }
    SUBCASE("a failure") {
        f.open(with_tls);
        f.receive("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        REQUIRE(f.given_up.size() == 1);
        CHECK(f.given_up.front().cause() == Cause::retry);
    }
}

TEST_CASE("starttls: who asks for TLS with a domain that is gone, or wrongly, gets a failure") {
    StreamSide side = StreamSide::client;
    std::string_view asked = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    SUBCASE("a client") {}
    SUBCASE("a server") { side = StreamSide::server; }
    SUBCASE("another element") { asked = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"; }
    Fixture f(StreamRole::receiving, side);
    f.open();
    CHECK(f.wire->sent.find("<required/>") != std::string::npos);
    f.receive(asked);
    CHECK(f.wire->sent.ends_with(
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"));
    CHECK(f.wire->closing);
}

}  // namespace causeway::test
