// Two StreamChannels at the ends of a simulated connection, for tests of the channel.
#pragma once

#include <functional>

#include "gateway/net/stream_channel.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_net.h"
#include "tests/support/test_certificates.h"

namespace causeway::test {

using Role = TlsEngine::Role;

struct Recorder : ChannelHandler {
    void on_bytes(std::string_view bytes) override {
        received += bytes;
        ++deliveries;
        if (when_bytes) when_bytes(bytes);
    }
    void on_secured() override {
        ++secured;
        if (when_secured) when_secured();
    }
    void on_channel_closed(const Outcome& why) override {
        ++closed;
        reason = why;
    }
    void on_drained() override { ++drained; }

    std::string received;
    std::function<void(std::string_view)> when_bytes;
    std::function<void()> when_secured;
    Outcome reason;
    int deliveries = 0;
    int secured = 0;
    int closed = 0;
    int drained = 0;
};

/// Both contexts of one certificate, made once: only the tests of TlsEngine care for more.
struct Contexts {
    Contexts() : made(issue({.dns = {"a.test"}})) {
        server.reset(SSL_CTX_new(TLS_server_method()));
        client.reset(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_use_certificate(server.get(), made.certificate.get());
        SSL_CTX_use_PrivateKey(server.get(), made.key.get());
    }
    static const Contexts& get() {
        static const Contexts contexts;
        return contexts;
    }
    TestCertificate made;
    std::unique_ptr<SSL_CTX, SslContextDeleter> server;
    std::unique_ptr<SSL_CTX, SslContextDeleter> client;
};

inline std::unique_ptr<TlsEngine> server_engine() {
    return std::make_unique<TlsEngine>(Contexts::get().server.get(), Role::server, nullptr);
}
inline std::unique_ptr<TlsEngine> client_engine() {
    return std::make_unique<TlsEngine>(Contexts::get().client.get(), Role::client, nullptr,
                                       "a.test");
}

struct Rig {
    explicit Rig(SimNetOptions options = {}) : net(loop, options) {
        acceptor =
            std::move(*net.listen(at, [this](auto socket) { server_socket = std::move(socket); }));
        connecting = net.connect(at, std::nullopt,
                                 [this](auto result) { client_socket = std::move(*result); });
        loop.run_until_idle();
        server = std::make_unique<StreamChannel>(shards[0], std::move(server_socket));
        server->set_handler(&at_server);
        server_address = server->remote();
    }
    ~Rig() {
        client.reset();
        server.reset();
    }
    /// The client's end as a Channel as well; without it a test drives `client_socket` itself.
    void join() {
        client = std::make_unique<StreamChannel>(shards[0], std::move(client_socket));
        client->set_handler(&at_client);
    }
    void start_tls() {
        server->start_tls(server_engine(), TransportKind::direct_tls);
        client->start_tls(client_engine(), TransportKind::direct_tls);
        run();
    }
    void run() {
        for (std::size_t done = 1; done != 0;) {
            done = loop.run_until_idle();
            // Flushing does not count as doing, so that nothing is written in an idle turn's end.
            for (int i = 0; i < 2; ++i) done += shards.run_until_idle();
            done += loop.run_until_idle();
        }
    }
    void pass(Duration time) {
        clock.advance(time);
        run();
    }
    std::string read_client() {
        char buffer[4096];
        std::string all;
        for (IoResult got; (got = client_socket->read(buffer)).status == IoResult::Status::ok;) {
            all.append(buffer, got.bytes);
            run();
        }
        return all;
    }

    SimClock clock;
    Shards shards{2, clock};
    SimLoop loop;
    SimNet net;
    Endpoint at = sim_endpoint("10.0.0.1", 5222);
    std::unique_ptr<Acceptor> acceptor;
    std::unique_ptr<Connecting> connecting;
    std::unique_ptr<Socket> client_socket;
    std::unique_ptr<Socket> server_socket;
    Endpoint server_address;  ///< who the server's end talks to
    Recorder at_client;
    Recorder at_server;
    std::unique_ptr<StreamChannel> client;
    std::unique_ptr<StreamChannel> server;
};

inline std::string pattern(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 / 3 % 26);
    return text;
}

}  // namespace causeway::test
