// TLS streams against an OpenSSL server in the same process, bytes passed by hand.
#include "tools/bench/tls_engine.h"

#include <doctest/doctest.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <memory>
#include <string>

using namespace causeway::bench;

namespace {

/// A server with a fresh self-signed certificate, over memory BIOs.
class Server {
public:
    Server() : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
        const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                      EVP_PKEY_free);
        const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
        X509_set_version(certificate.get(), X509_VERSION_3);
        X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
        constexpr long one_hour = 3600;
        X509_gmtime_adj(X509_getm_notAfter(certificate.get()), one_hour);
        X509_set_pubkey(certificate.get(), key.get());
        X509_sign(certificate.get(), key.get(), EVP_sha256());
        SSL_CTX_use_certificate(context_.get(), certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), key.get());
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(ssl_.get());
    }

    /// Takes the client's bytes; returns what was decrypted. Answers wait in `take_output`.
    std::string receive(std::string_view bytes) {
        BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
        std::string plaintext;
        std::array<char, 4096> buffer{};
        for (;;) {
            const int size = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
            if (size <= 0) {
                return plaintext;
            }
            plaintext.append(buffer.data(), static_cast<std::size_t>(size));
        }
    }

    void send(std::string_view plaintext) {
        SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size()));
    }
    void close() { SSL_shutdown(ssl_.get()); }

    std::string take_output() {
        std::string bytes;
        std::array<char, 4096> buffer{};
        int size = 0;
        while ((size = BIO_read(SSL_get_wbio(ssl_.get()), buffer.data(),
                                static_cast<int>(buffer.size()))) > 0) {
            bytes.append(buffer.data(), static_cast<std::size_t>(size));
        }
        return bytes;
    }

private:
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

/// A client stream whose input arrives one byte at a time.
class Bytewise {
public:
    explicit Bytewise(TlsEngine& engine) : stream_(engine, "a.test", "xmpp-client") {
        status_ = stream_.feed({}, output_, [](std::string_view) {});
    }

    void receive(const std::string& bytes) {
        for (const char& byte : bytes) {
            status_ = stream_.feed({&byte, 1}, output_,
                                   [this](std::string_view text) { received_.append(text); });
        }
    }

    /// Exchanges bytes until neither side has more to say.
    void shake_hands(Server& server) {
        for (std::string bytes; !output_.empty();) {
            bytes.swap(output_);
            server.receive(bytes);
            bytes.clear();
            receive(server.take_output());
        }
    }

    TlsStream stream_;
    TlsStream::Status status_;
    std::string output_;
    std::string received_;
};

}  // namespace

TEST_CASE("a handshake and data pass whatever the pieces they arrive in") {
    TlsEngine engine;
    REQUIRE_FALSE(engine.open({}));
    Server server;
    Bytewise client(engine);
    CHECK(client.status_ == TlsStream::Status::handshaking);
    client.shake_hands(server);
    CHECK(client.status_ == TlsStream::Status::open);
    CHECK(client.stream_.description().starts_with("TLSv1.3 "));

    const std::string sent(40'000, 'x');  // several records
    REQUIRE(client.stream_.encrypt(sent, client.output_));
    CHECK(client.output_.find("xxxx") == std::string::npos);
    CHECK(server.receive(client.output_) == sent);
    server.send("hello");
    client.receive(server.take_output());
    CHECK(client.received_ == "hello");
}

TEST_CASE("streams of one engine do not disturb each other") {
    TlsEngine engine;
    REQUIRE_FALSE(engine.open({}));
    Server first_server;
    Server second_server;
    Bytewise first(engine);
    Bytewise second(engine);
    second.shake_hands(second_server);
    first.shake_hands(first_server);
    first_server.send("one");
    second_server.send("two");
    const std::string to_first = first_server.take_output();
    const std::string to_second = second_server.take_output();
    const std::size_t half = to_first.size() / 2;
    first.receive(to_first.substr(0, half));
    second.receive(to_second);
    first.receive(to_first.substr(half));
    CHECK(first.received_ == "one");
    CHECK(second.received_ == "two");
}

TEST_CASE("a close alert and broken bytes are told apart") {
    TlsEngine engine;
    REQUIRE_FALSE(engine.open({}));
    Server server;
    Bytewise closed(engine);
    closed.shake_hands(server);
    server.close();
    closed.receive(server.take_output());
    CHECK(closed.status_ == TlsStream::Status::closed);

    Bytewise broken(engine);
    broken.receive("HTTP/1.1 400 Bad Request\r\n");
    CHECK(broken.status_ == TlsStream::Status::failed);
    CHECK_FALSE(broken.stream_.failure_reason().empty());
}

TEST_CASE("a bundle that cannot be loaded is a failure with its name") {
    TlsEngine engine;
    TlsSettings settings;
    settings.authorities = "/no/such/bundle.pem";
    const Failure failure = engine.open(settings);
    REQUIRE(failure);
    CHECK(failure->find("/no/such/bundle.pem") != std::string::npos);
    CHECK_FALSE(engine.verifies());
}
