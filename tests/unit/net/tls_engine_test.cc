// TlsEngine: two of them, joined by strings, over whatever cuts and faults there are between them.
#include "gateway/net/tls_engine.h"

#include <doctest/doctest.h>
#include <openssl/x509v3.h>

#include <array>
#include <functional>

#include "gateway/net/tls_store.h"
#include "tests/support/test_certificates.h"

using namespace causeway;
using Status = TlsEngine::Status;
using Role = TlsEngine::Role;

namespace {

/// One end: an engine and what it was sent but has not seen whole.
struct End {
    std::unique_ptr<TlsEngine> engine;
    std::string output;
    std::string partial;
    std::string plain;
    Status status = Status::want_input;

    /// What arrives here, handled as StreamChannel does.
    void receive(std::string_view bytes) {
        partial += bytes;
        const std::size_t whole = TlsEngine::whole_records(partial);
        if (whole == 0) return;
        const std::string records = partial.substr(0, whole);
        partial.erase(0, whole);
        engine->set_input(records);
        if (!engine->established()) status = engine->handshake(output);
        if (!engine->established()) return;
        std::array<char, 20000> buffer{};
        std::size_t count = 0;
        while ((status = engine->decrypt(buffer, count, output)) == Status::done) {
            plain.append(buffer.data(), count);
        }
        CHECK(engine->remaining() == 0);
    }
};

SslContextPointer context_of(const SSL_METHOD* method, const TestCertificate* own,
                             const TestCertificate* trusted = nullptr) {
    SslContextPointer context(SSL_CTX_new(method));
    if (own != nullptr) {
        SSL_CTX_use_certificate(context.get(), own->certificate.get());
        SSL_CTX_use_PrivateKey(context.get(), own->key.get());
    }
    if (trusted != nullptr) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), trusted->certificate.get());
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_purpose(context.get(), X509_PURPOSE_ANY);
    return context;
}

struct Pair {
    /// Without `own` the server shows some certificate; without `shown` the client shows none.
    explicit Pair(const TestCertificate* own = nullptr, const TestCertificate* trusted = nullptr,
                  const TestCertificate* shown = nullptr) {
        if (own == nullptr) {
            made = issue({.dns = {"a.test"}});
            own = &made;
        }
        server_context = context_of(TLS_server_method(), own, trusted);
        client_context = context_of(TLS_client_method(), shown, trusted);
    }
    void make_engines() {
        server.engine = std::make_unique<TlsEngine>(server_context.get(), Role::server, nullptr);
        client.engine =
            std::make_unique<TlsEngine>(client_context.get(), Role::client, nullptr, "a.test");
    }
    /// Carries bytes both ways, `piece` at a time, until nobody says anything more.
    void carry(std::size_t piece = 1'000'000) {
        while (!client.output.empty() || !server.output.empty()) {
            move(client, server, piece);
            move(server, client, piece);
        }
    }
    void connect(std::size_t piece = 1'000'000) {
        make_engines();
        client.status = client.engine->handshake(client.output);
        carry(piece);
    }
    static void move(End& from, End& to, std::size_t piece) {
        const std::string bytes = from.output.substr(0, piece);
        from.output.erase(0, bytes.size());
        if (!bytes.empty() && to.status != Status::failed) to.receive(bytes);
    }

    TestCertificate made;
    SslContextPointer server_context;
    SslContextPointer client_context;
    End server;
    End client;
};

}  // namespace

TEST_CASE("a handshake, data both ways, and the end, cut at every size") {
    const std::string large(50000, 'x');
    for (const std::size_t piece : {1UL, 2UL, 5UL, 6UL, 333UL, 1000000UL}) {
        CAPTURE(piece);
        Pair pair;
        pair.connect(piece);
        REQUIRE(pair.client.engine->established());
        REQUIRE(pair.server.engine->established());
        CHECK(pair.client.engine->version() == "TLSv1.3");
        CHECK(pair.server.engine->cipher().starts_with("TLS_"));
        CHECK(pair.server.engine->requested_name() == "a.test");
        CHECK(pair.server.engine->role() == Role::server);

        CHECK(pair.client.engine->encrypt("from the client", pair.client.output) == Status::done);
        CHECK(pair.server.engine->encrypt(large, pair.server.output) == Status::done);
        CHECK(pair.server.engine->encrypt("", pair.server.output) == Status::done);
        pair.carry(piece);
        CHECK(pair.server.plain == "from the client");
        CHECK(pair.client.plain == large);

        pair.server.engine->shut_down(pair.server.output);
        CHECK_FALSE(pair.server.output.empty());
        pair.carry(piece);
        CHECK(pair.client.status == Status::closed);
        // Half closed: this direction still works.
        CHECK(pair.client.engine->encrypt("last", pair.client.output) == Status::done);
        pair.carry(piece);
        CHECK(pair.server.plain == "from the clientlast");
    }
}

TEST_CASE("whole_records counts only what is complete, and lets strangers through to be refused") {
    const std::string record("\x16\x03\x01\x00\x02xy", 7);
    CHECK(TlsEngine::whole_records("") == 0);
    for (std::size_t cut = 0; cut < record.size(); ++cut) {
        CHECK(TlsEngine::whole_records(record.substr(0, cut)) == 0);
        CHECK(TlsEngine::whole_records(record + record.substr(0, cut)) == 7);
    }
    CHECK(TlsEngine::whole_records(record + record) == 14);
    CHECK(TlsEngine::whole_records("<") == 1);
    CHECK(TlsEngine::whole_records("<stream:stream>") == 15);
    CHECK(TlsEngine::whole_records(record + "<") == 8);
    CHECK(TlsEngine::whole_records(std::string("\x17\x03\x03\xff\xff", 5)) == 5);
    CHECK(TlsEngine::whole_records(std::string("\x17\x03\x03\x48\x00", 5)) == 0);
}

TEST_CASE("what is no TLS fails with a reason") {
    Pair pair;
    pair.make_engines();
    pair.server.receive("<?xml version='1.0'?>");
    CHECK(pair.server.status == Status::failed);
    CHECK(pair.server.engine->error().starts_with("TLS: "));

    Pair broken;
    broken.connect();
    REQUIRE(broken.client.engine->encrypt("secret", broken.client.output) == Status::done);
    broken.client.output.back() = static_cast<char>(broken.client.output.back() ^ 1);
    broken.carry();
    CHECK(broken.server.status == Status::failed);
    CHECK(broken.server.plain.empty());
}

TEST_CASE("a client of an older version is refused with an alert") {
    Pair pair;
    SSL_CTX_set_min_proto_version(pair.server_context.get(), TLS1_2_VERSION);
    SSL_CTX_set_security_level(pair.client_context.get(), 0);
    SSL_CTX_set_cipher_list(pair.client_context.get(), "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(pair.client_context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(pair.client_context.get(), TLS1_1_VERSION);
    pair.connect();
    CHECK(pair.server.status == Status::failed);
    CHECK(pair.client.status == Status::failed);
    CHECK(pair.client.engine->error().find("protocol version") != std::string::npos);
}

TEST_CASE("channel bindings agree on both sides, and differ between connections") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Pair one;
        Pair two;
        for (Pair* pair : {&one, &two}) {
            SSL_CTX_set_max_proto_version(pair->client_context.get(), version);
            pair->connect();
            const std::string exporter = pair->client.engine->exporter_binding();
            CHECK(exporter.size() == 32);
            CHECK(exporter == pair->server.engine->exporter_binding());
            const std::string end_point = pair->client.engine->server_end_point_binding();
            CHECK(end_point.size() == 32);
            CHECK(end_point == pair->server.engine->server_end_point_binding());
        }
        CHECK(one.client.engine->exporter_binding() != two.client.engine->exporter_binding());
    }
    // Without the extended master secret the exporter is not unique (RFC 9266 §3).
    Pair old;
    SSL_CTX_set_max_proto_version(old.client_context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(old.client_context.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
    old.connect();
    REQUIRE(old.server.engine->established());
    CHECK(old.server.engine->exporter_binding().empty());
}

TEST_CASE("tls-server-end-point uses the hash of the certificate's signature, if it has one") {
    const auto pss = issue({.dns = {"a.test"}, .key = CertificateRequest::Key::rsa_pss});
    Pair with_pss(&pss);
    with_pss.connect();
    CHECK(with_pss.server.engine->server_end_point_binding().size() == 48);
    CHECK(with_pss.server.engine->server_end_point_binding() ==
          with_pss.client.engine->server_end_point_binding());

    const auto edwards = issue({.dns = {"a.test"}, .key = CertificateRequest::Key::ed25519});
    Pair with_edwards(&edwards);
    with_edwards.connect();
    REQUIRE(with_edwards.server.engine->established());
    CHECK(with_edwards.server.engine->server_end_point_binding().empty());
    CHECK(with_edwards.client.engine->server_end_point_binding().empty());
}

TEST_CASE("peer_chain tells whether, and why not, a peer's certificate is trusted") {
    const auto root = issue({.common_name = "root", .authority = true});
    const auto stranger = issue({.common_name = "root", .authority = true});
    const auto server = issue({.dns = {"a.test"}}, &root);
    const auto judged = [&](const TestCertificate* client) {
        Pair pair(&server, &root, client);
        pair.connect();
        REQUIRE(pair.server.engine->established());
        return pair.server.engine->peer_chain();
    };
    const auto good = issue({.dns = {"b.test"}, .extended_usage = "serverAuth"}, &root);
    CHECK(judged(&good).ok());
    const auto plain = issue({.dns = {"b.test"}}, &root);
    CHECK(judged(&plain).ok());

    CHECK(judged(nullptr).cause() == Cause::absent);
    const auto self_signed = issue({.dns = {"b.test"}});
    CHECK(judged(&self_signed).cause() == Cause::policy);
    CHECK(judged(&self_signed).why().find("self-signed") != std::string::npos);
    const auto expired = issue({.dns = {"b.test"}, .begins = -7200, .ends = -3600}, &root);
    CHECK(judged(&expired).why().find("expired") != std::string::npos);
    const auto early = issue({.dns = {"b.test"}, .begins = 3600}, &root);
    CHECK(judged(&early).why().find("not yet valid") != std::string::npos);
    const auto foreign = issue({.dns = {"b.test"}}, &stranger);
    CHECK(judged(&foreign).cause() == Cause::policy);
    const auto mail = issue({.dns = {"b.test"}, .extended_usage = "emailProtection"}, &root);
    CHECK(judged(&mail).why().find("another use") != std::string::npos);

    // The client's side of the same.
    Pair pair(&server, &root, &good);
    pair.connect();
    CHECK(pair.client.engine->peer_chain().ok());
    CHECK(pair.client.engine->peer_certificate() != nullptr);
}

TEST_CASE("a certificate that is no authority vouches for nobody, nor one for another use") {
    const auto root = issue({.common_name = "root", .authority = true});
    const auto judged = [&](const CertificateRequest& between) {
        const auto middle = issue(between, &root);
        const auto leaf = issue({.dns = {"b.test"}}, &middle);
        const auto server = issue({.dns = {"a.test"}}, &root);
        Pair pair(&server, &root, &leaf);
        SSL_CTX_add1_chain_cert(pair.client_context.get(), middle.certificate.get());
        pair.connect();
        REQUIRE(pair.server.engine->established());
        return pair.server.engine->peer_chain();
    };
    CHECK(judged({.common_name = "middle", .authority = true}).ok());
    CHECK(judged({.common_name = "middle", .dns = {"a.test"}}).cause() == Cause::policy);
    CHECK(judged({.common_name = "middle", .extended_usage = "emailProtection", .authority = true})
              .cause() == Cause::policy);
}

TEST_CASE("the owner of the callbacks is kept until the handshake is over, and no longer") {
    Pair pair;
    const auto owner = std::make_shared<const int>(1);
    pair.make_engines();
    pair.server.engine =
        std::make_unique<TlsEngine>(pair.server_context.get(), Role::server, owner);
    CHECK(owner.use_count() == 2);
    pair.client.status = pair.client.engine->handshake(pair.client.output);
    CHECK(owner.use_count() == 2);
    pair.carry();
    CHECK(owner.use_count() == 1);
}

TEST_CASE("input that is not consumed can be taken back and set again") {
    Pair pair;
    pair.connect();
    CHECK(pair.client.engine->encrypt("one", pair.client.output) == Status::done);
    CHECK(pair.client.engine->encrypt("two", pair.client.output) == Status::done);
    TlsEngine& server = *pair.server.engine;
    server.set_input(pair.client.output);
    std::array<char, 100> buffer{};
    std::size_t count = 0;
    CHECK(server.decrypt(buffer, count, pair.server.output) == Status::done);
    CHECK(std::string_view(buffer.data(), count) == "one");
    CHECK(server.remaining() > 0);
    const std::string rest = server.take_input();
    CHECK(server.remaining() == 0);
    CHECK(server.decrypt(buffer, count, pair.server.output) == Status::want_input);
    server.set_input(rest);
    CHECK(server.decrypt(buffer, count, pair.server.output) == Status::done);
    CHECK(std::string_view(buffer.data(), count) == "two");
}
