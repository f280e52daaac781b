#include "s2s/peer_identity.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "gateway/net/tls_store.h"
#include "tests/support/test_certificates.h"

namespace causeway::test {
namespace {

const TestCertificate& authority() {
    static const TestCertificate made = issue({.common_name = "Authority", .authority = true});
    return made;
}

/// a.test, as it accepts another server that shows `shown`; the handshake is over.
class Accepted {
public:
    explicit Accepted(const TestCertificate* shown) {
        const TestCertificate own =
            issue({.common_name = "a.test", .dns = {"a.test"}}, &authority());
        Config config;
        config.tls.trust = files_.write("trust.pem", authority().certificate_pem());
        config.domains.push_back({"a.test", files_.write("a.crt", own.certificate_pem()),
                                  files_.write("a.key", own.key_pem())});
        std::vector<std::string> warnings;
        auto loaded = TlsSnapshot::load(config, warnings);
        REQUIRE(loaded.ok());
        snapshot_ = *loaded;
        context_.reset(SSL_CTX_new(TLS_client_method()));
        if (shown != nullptr) {
            SSL_CTX_use_certificate(context_.get(), shown->certificate.get());
            SSL_CTX_use_PrivateKey(context_.get(), shown->key.get());
        }
        TlsEngine peer(context_.get(), TlsEngine::Role::client, nullptr, "a.test");
        engine = std::make_unique<TlsEngine>(snapshot_->first().peer_facing.get(),
                                             TlsEngine::Role::server, snapshot_);
        std::string to_server, to_peer;
        (void)peer.handshake(to_server);
        while (!to_server.empty() && !engine->established()) {
            const std::string input = std::exchange(to_server, {});
            engine->set_input(input);
            (void)engine->handshake(to_peer);
            const std::string answer = std::exchange(to_peer, {});
            peer.set_input(answer);
            (void)peer.handshake(to_server);
        }
        REQUIRE(engine->established());
    }

    std::unique_ptr<TlsEngine> engine;

private:
    TestDirectory files_;
    std::shared_ptr<const TlsSnapshot> snapshot_;
    SslContextPointer context_;
};

Outcome proves(const CertificateRequest& request, std::string_view domain,
               const TestCertificate* issuer = &authority()) {
    const TestCertificate shown = issue(request, issuer);
    return certificate_proves(Accepted(&shown).engine.get(), domain);
}

}  // namespace

TEST_CASE("peer identity: a certificate proves the domains that it covers, and no other") {
    const TestCertificate shown =
        issue({.common_name = "b.test", .dns = {"b.test", "*.c.test"}}, &authority());
    const Accepted accepted(&shown);
    CHECK(certificate_proves(accepted.engine.get(), "b.test").ok());
    CHECK(certificate_proves(accepted.engine.get(), "x.c.test").ok());
    for (const char* other : {"a.test", "x.b.test", "c.test", "x.y.c.test", "test", ""}) {
        CAPTURE(other);
        CHECK(certificate_proves(accepted.engine.get(), other).cause() == Cause::policy);
    }
    CHECK(certificate_proves(accepted.engine.get(), "d.test").why() ==
          "its certificate is for b.test, *.c.test, not for d.test");
}

TEST_CASE("peer identity: names for XMPP alone, and domains beyond ASCII") {
    CHECK(proves({.services = {"_xmpp-server.b.test"}}, "b.test").ok());
    CHECK(!proves({.services = {"_xmpp-client.b.test"}}, "b.test").ok());
    CHECK(proves({.addresses = {"b.test"}}, "b.test").ok());
    CHECK(proves({.dns = {"xn--bcher-kva.test"}},
                 "b\xc3\xbc"
                 "cher.test")
              .ok());
}

TEST_CASE("peer identity: the common name proves nothing") {
    CHECK(!proves({.common_name = "b.test"}, "b.test").ok());
}

TEST_CASE("peer identity: nothing is proven without TLS, a certificate or trust in it") {
    CHECK(certificate_proves(nullptr, "b.test").why() == "the connection is not encrypted");
    CHECK(certificate_proves(Accepted(nullptr).engine.get(), "b.test").why() ==
          "no certificate was presented");
    const Outcome alone = proves({.common_name = "b.test", .dns = {"b.test"}}, "b.test", nullptr);
    CHECK(alone.cause() == Cause::policy);
    CHECK(alone.why().find("not trusted") != std::string::npos);
    CHECK(!proves({.dns = {"b.test"}, .begins = -7200, .ends = -3600}, "b.test").ok());
}

TEST_CASE(
    "peer identity: a certificate for another use proves nothing, either use of TLS will do") {
    CHECK(proves({.dns = {"b.test"}, .extended_usage = "serverAuth"}, "b.test").ok());
    CHECK(proves({.dns = {"b.test"}, .extended_usage = "clientAuth"}, "b.test").ok());
    CHECK(!proves({.dns = {"b.test"}, .extended_usage = "codeSigning"}, "b.test").ok());
}

}  // namespace causeway::test
