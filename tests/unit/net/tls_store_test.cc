// TlsSnapshot: what is loaded, what is refused with which words, and what a handshake then gets.
#include "gateway/net/tls_store.h"

#include <doctest/doctest.h>

#include <functional>

#include "gateway/net/certificate.h"
#include "gateway/net/tls_alpn.h"
#include "tests/support/test_certificates.h"

using namespace causeway;
using Status = TlsEngine::Status;
using Role = TlsEngine::Role;

namespace {

struct Files {
    Files() {
        root = issue({.common_name = "root", .authority = true});
        add("a.test", {"a.test"});
        add("b\xc3\xbc"
            "cher.test",
            {"xn--bcher-kva.test"});
        config.tls.trust = directory.write("root.pem", root.certificate_pem());
    }
    void add(const std::string& domain, const std::vector<std::string>& names,
             long ends = 90L * 86400) {
        const auto made = issue({.dns = names, .ends = ends}, &root);
        config.domains.push_back({domain, directory.write(domain + ".crt", made.certificate_pem()),
                                  directory.write(domain + ".key", made.key_pem())});
    }
    std::shared_ptr<const TlsSnapshot> load() {
        auto loaded = TlsSnapshot::load(config, warnings);
        if (!loaded) FAIL(loaded.error().why());
        return *loaded;
    }
    std::string refusal() {
        auto loaded = TlsSnapshot::load(config, warnings);
        REQUIRE_FALSE(loaded.ok());
        return loaded.error().why();
    }

    TestDirectory directory;
    TestCertificate root;
    Config config;
    std::vector<std::string> warnings;
};

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

struct Shaken {
    std::unique_ptr<TlsEngine> server;
    std::unique_ptr<TlsEngine> client;
    std::string names;  ///< what the client was shown
};

/// A handshake with the context `server`; `prepare` may change the client's SSL, `prepare_server`
/// what the server expects.
Shaken shake(const std::shared_ptr<const TlsSnapshot>& snapshot, SSL_CTX* server, SSL_CTX* client,
             const std::string& server_name, const std::function<void(SSL*)>& prepare = {},
             const std::function<void(TlsEngine&)>& prepare_server = {}) {
    Shaken ends;
    ends.server = std::make_unique<TlsEngine>(server, Role::server, snapshot);
    if (prepare_server) prepare_server(*ends.server);
    ends.client = std::make_unique<TlsEngine>(client, Role::client, snapshot, server_name);
    if (prepare) prepare(ends.client->native());
    std::string to_server;
    std::string to_client;
    Status status = ends.client->handshake(to_server);
    for (int i = 0; i < 5 && status == Status::want_input; ++i) {
        ends.server->set_input(to_server);
        static_cast<void>(ends.server->handshake(to_client));
        to_server.clear();
        ends.client->set_input(to_client);
        status = ends.client->handshake(to_server);
        to_client.clear();
    }
    if (status == Status::done) {
        ends.server->set_input(to_server);
        static_cast<void>(ends.server->handshake(to_client));
        const auto shown = ends.client->peer_certificate();
        ends.names = describe(names_of(shown.get()));
    }
    return ends;
}

void offer(SSL* ssl, std::string_view protocols) {
    CHECK(SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(protocols.data()),
                              static_cast<unsigned>(protocols.size())) == 0);
}

}  // namespace

TEST_CASE("domains are found by their names, and a client gets the one that it names") {
    Files files;
    const auto snapshot = files.load();
    CHECK(files.warnings.empty());
    REQUIRE(snapshot->all().size() == 2);
    CHECK(snapshot->first().domain == "a.test");
    REQUIRE(snapshot->find("b\xc3\xbc"
                           "cher.test") != nullptr);
    CHECK(snapshot->find("xn--bcher-kva.test") == nullptr);
    CHECK(snapshot->find("c.test") == nullptr);
    CHECK(contains(snapshot->first().issuer, "root"));
    CHECK(snapshot->first().expires > SystemClock().wall());

    const SslContextPointer plain(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* facing = snapshot->first().client_facing.get();
    CHECK(shake(snapshot, facing, plain.get(), "a.test").names == "a.test");
    CHECK(shake(snapshot, facing, plain.get(), "xn--bcher-kva.test").names == "xn--bcher-kva.test");
    CHECK(shake(snapshot, facing, plain.get(), "XN--Bcher-KVA.test").names == "xn--bcher-kva.test");
    CHECK(shake(snapshot, facing, plain.get(), "unknown.test").names == "a.test");
    CHECK(shake(snapshot, facing, plain.get(), "").names == "a.test");
}

TEST_CASE("servers show each other certificates and judge them; clients are asked for none") {
    Files files;
    const auto snapshot = files.load();
    const DomainTls& ours = snapshot->first();
    const DomainTls& theirs = *snapshot->find(
        "b\xc3\xbc"
        "cher.test");
    // Named by SNI, the domain's own peer-facing context takes over.
    const Shaken link = shake(snapshot, theirs.peer_facing.get(), ours.connecting.get(), "a.test");
    CHECK(link.names == "a.test");
    CHECK(link.client->peer_chain().ok());
    CHECK(link.server->peer_chain().ok());
    CHECK(describe(names_of(link.server->peer_certificate().get())) == "a.test");
    CHECK(link.server->alpn() == "xmpp-server");

    const Shaken to_clients = shake(snapshot, ours.client_facing.get(), theirs.connecting.get(),
                                    "a.test", [](SSL* ssl) { offer(ssl, "\x0bxmpp-client"); });
    CHECK(to_clients.client->established());
    CHECK(to_clients.server->peer_chain().cause() == Cause::absent);

    // A peer whose certificate nobody vouches for is let in, and known for what it is.
    Files others;
    const auto foreign = others.load();
    const Shaken doubtful =
        shake(snapshot, ours.peer_facing.get(), foreign->first().connecting.get(), "a.test");
    CHECK(doubtful.server->established());
    CHECK(doubtful.server->peer_chain().cause() == Cause::policy);
}

TEST_CASE("ALPN: each port takes its own protocol or none, and refuses an offer without it") {
    Files files;
    const auto snapshot = files.load();
    const SslContextPointer plain(SSL_CTX_new(TLS_client_method()));
    const auto agreed = [&](SSL_CTX* server, const char* expected,
                            std::string_view offered) -> std::string {
        // The second domain's context is chosen by SNI: what the port expects must survive that.
        for (const char* domain : {"a.test", "xn--bcher-kva.test"}) {
            const Shaken done = shake(
                snapshot, server, plain.get(), domain,
                [&](SSL* ssl) {
                    if (!offered.empty()) offer(ssl, offered);
                },
                [&](TlsEngine& engine) {
                    if (expected != nullptr) expect_protocol(engine, expected);
                });
            if (!done.client->established()) return done.client->error();
            CHECK(done.names == domain);
            if (domain != std::string_view("a.test")) return "(" + done.client->alpn() + ")";
        }
        return {};
    };
    const auto refused = [&](SSL_CTX* server, const char* expected, std::string_view offered) {
        return contains(agreed(server, expected, offered), "no application protocol");
    };
    SSL_CTX* clients = snapshot->first().client_facing.get();
    SSL_CTX* peers = snapshot->first().peer_facing.get();
    CHECK(agreed(clients, nullptr, "") == "()");
    CHECK(agreed(clients, nullptr, "\x0bxmpp-client") == "(xmpp-client)");
    CHECK(agreed(clients, nullptr, "\x01x\x0bxmpp-client") == "(xmpp-client)");
    CHECK(agreed(clients, nullptr, "\x08http/1.1\x0bxmpp-client") == "(xmpp-client)");
    CHECK(refused(clients, nullptr, "\x08http/1.1"));
    CHECK(refused(clients, nullptr, "\x0bxmpp-server"));
    CHECK(refused(clients, nullptr, "\x02h2"));
    CHECK(agreed(clients, "http/1.1", "") == "()");
    CHECK(agreed(clients, "http/1.1", "\x02h2\x08http/1.1") == "(http/1.1)");
    CHECK(refused(clients, "http/1.1", "\x0bxmpp-client"));
    CHECK(refused(clients, "http/1.1", "\x02h2"));
    CHECK(agreed(peers, nullptr, "") == "()");
    CHECK(agreed(peers, nullptr, "\x0bxmpp-server") == "(xmpp-server)");
    CHECK(refused(peers, nullptr, "\x0bxmpp-client\x08http/1.1"));
}

TEST_CASE("ALPN and SNI together, where the stream has chosen the certificate") {
    Files files;
    const auto snapshot = files.load();
    const SslContextPointer plain(SSL_CTX_new(TLS_client_method()));
    const auto with_offer = [&](std::string_view offered) {
        return shake(
            snapshot, snapshot->first().client_facing.get(), plain.get(), "xn--bcher-kva.test",
            [&](SSL* ssl) { offer(ssl, offered); },
            [](TlsEngine& engine) { engine.fix_certificate(); });
    };
    const Shaken taken = with_offer("\x0bxmpp-client");
    CHECK(taken.client->established());
    CHECK(taken.client->alpn() == "xmpp-client");
    CHECK(taken.names == "a.test");
    CHECK(contains(with_offer("\x08http/1.1").client->error(), "no application protocol"));
}

TEST_CASE("protocols and ciphers are those of RFC 9325") {
    Files files;
    const auto snapshot = files.load();
    const SslContextPointer plain(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(plain.get(), 0);
    SSL_CTX* facing = snapshot->first().client_facing.get();
    const auto cipher_with = [&](int version, const char* ciphers) -> std::string {
        const Shaken done = shake(snapshot, facing, plain.get(), "a.test", [&](SSL* ssl) {
            SSL_set_min_proto_version(ssl, TLS1_VERSION);
            SSL_set_max_proto_version(ssl, version);
            if (ciphers != nullptr) SSL_set_cipher_list(ssl, ciphers);
        });
        return done.client->established() ? done.client->cipher() : "refused";
    };
    CHECK(cipher_with(TLS1_3_VERSION, nullptr).starts_with("TLS_"));
    CHECK(cipher_with(TLS1_2_VERSION, nullptr).starts_with("ECDHE-ECDSA-"));
    CHECK(cipher_with(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA") == "refused");
    CHECK(cipher_with(TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384") == "refused");
    CHECK(cipher_with(TLS1_2_VERSION, "AES256-GCM-SHA384") == "refused");
    CHECK(cipher_with(TLS1_1_VERSION, nullptr) == "refused");
}

TEST_CASE("what cannot be used is refused by file, reason and remedy") {
    {
        Files files;
        files.config.domains[1].certificate = files.directory.path_of("absent.crt");
        const std::string why = files.refusal();
        CHECK(contains(why, "absent.crt"));
        CHECK(contains(why, "No such file"));
        CHECK(contains(why, "PEM"));
    }
    {
        Files files;
        files.config.domains[0].certificate = files.directory.write("junk.crt", "no certificate");
        CHECK(contains(files.refusal(), "no start line"));
    }
    {
        Files files;
        files.config.domains[0].key = files.config.domains[1].key;
        CHECK(contains(files.refusal(), "mismatch"));
    }
    {
        Files files;
        files.config.domains[0].key = files.directory.path_of("absent.key");
        CHECK(contains(files.refusal(), "No such file"));
    }
    {
        // Must not ask the terminal.
        Files files;
        const auto locked = issue({.dns = {"a.test"}}, &files.root);
        files.config.domains[0].certificate =
            files.directory.write("locked.crt", locked.certificate_pem());
        files.config.domains[0].key =
            files.directory.write("locked.key", locked.key_pem("passphrase"));
        const std::string why = files.refusal();
        CHECK(contains(why, "locked.key"));
        CHECK(contains(why, "encrypted"));
    }
    {
        Files files;
        files.config.tls.trust = files.directory.path_of("absent.pem");
        const std::string why = files.refusal();
        CHECK(contains(why, "tls.trust"));
        CHECK(contains(why, "absent.pem"));
    }
    {
        Files files;
        files.config.tls.trust = files.directory.write("junk.pem", "nothing");
        CHECK(contains(files.refusal(), "tls.trust"));
    }
}

TEST_CASE("certificates for other names, expired or about to expire are used, with a warning") {
    Files files;
    files.add("c.test", {"d.test"});
    files.add("e.test", {"e.test"}, -60);
    files.add("f.test", {"f.test"}, 20L * 86400);
    files.add("g.test", {"*.test", "g.test"}, 22L * 86400);
    const auto snapshot = files.load();
    REQUIRE(files.warnings.size() == 3);
    CHECK(contains(files.warnings[0], "not for c.test but for d.test"));
    CHECK(contains(files.warnings[1], "e.test expired on "));
    CHECK(contains(files.warnings[2], "f.test expires on "));

    constexpr UnixMillis day = 86'400'000;
    const UnixMillis now = SystemClock().wall();
    CHECK(snapshot->expiring(now).size() == 2);
    const auto later = snapshot->expiring(now + 21 * day);
    REQUIRE(later.size() == 3);
    CHECK(contains(later[1], "f.test expired on "));
    CHECK(contains(later[2], "g.test expires on "));
}

TEST_CASE("a snapshot that was replaced lives as long as a handshake needs it") {
    Files files;
    auto snapshot = files.load();
    const SslContextPointer plain(SSL_CTX_new(TLS_client_method()));
    TlsEngine server(snapshot->first().client_facing.get(), Role::server, snapshot);
    TlsEngine client(plain.get(), Role::client, nullptr, "xn--bcher-kva.test");
    snapshot.reset();
    std::string to_server;
    std::string to_client;
    CHECK(client.handshake(to_server) == Status::want_input);
    server.set_input(to_server);
    CHECK(server.handshake(to_client) == Status::want_input);
    client.set_input(to_client);
    to_server.clear();
    CHECK(client.handshake(to_server) == Status::done);
    server.set_input(to_server);
    to_client.clear();
    CHECK(server.handshake(to_client) == Status::done);
    CHECK(describe(names_of(client.peer_certificate().get())) == "xn--bcher-kva.test");
}
