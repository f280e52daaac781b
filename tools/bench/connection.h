// One TCP connection of the load generator, with TLS where asked for.
//
// Owns its descriptor and TLS stream. What is sent during a turn of the loop leaves at the turn's
// end in one write. A failure is reported once through `on_disconnected`, after which the
// connection is idle and may be connected again.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/bench/event_loop.h"
#include "tools/bench/tls_engine.h"

namespace causeway::bench {

/// Where a server listens.
struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

/// Parses a literal IPv4 or IPv6 address; empty if it is none.
[[nodiscard]] std::optional<Address> parse_address(const std::string& literal, std::uint16_t port);

class ConnectionObserver {
public:
    ConnectionObserver() = default;
    ConnectionObserver(const ConnectionObserver&) = delete;
    ConnectionObserver& operator=(const ConnectionObserver&) = delete;
    virtual ~ConnectionObserver() = default;

    virtual void on_connected() = 0;
    virtual void on_secured() = 0;
    virtual void on_bytes(std::string_view bytes) = 0;
    /// The last chance to add to what this turn sends.
    virtual void on_before_flush() = 0;
    virtual void on_disconnected(const std::string& reason) = 0;
};

class Connection final : private EventHandler {
public:
    Connection(EventLoop& loop, TlsEngine& engine, ConnectionObserver& observer);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() override;

    /// Starts to connect; answers come through the observer.
    [[nodiscard]] Failure connect(const Address& address);

    /// Starts the TLS handshake for `domain`, offering `protocol` by ALPN unless that is empty.
    void start_tls(const std::string& domain, std::string_view protocol);

    /// Queues bytes for the end of the turn.
    void send(std::string_view bytes);

    /// Closes at once, with a TLS close alert where there is TLS; reports nothing.
    void close();

    [[nodiscard]] bool is_open() const { return state_ == State::open; }

    /// TLS version and cipher; empty without TLS.
    [[nodiscard]] std::string tls_description() const;

private:
    enum class State { idle, connecting, open };

    /// Ciphertext a server may leave unread before the load generator gives it up.
    static constexpr std::size_t max_unsent_bytes = std::size_t{16} << 20U;

    void on_events(std::uint32_t events) override;
    void on_turn_end() override;
    void finish_connecting();
    void read_once();
    void feed_tls(std::string_view ciphertext);
    void write(std::string_view bytes);
    void want_flush();
    void disconnect(const std::string& reason);

    EventLoop& loop_;
    TlsEngine& engine_;
    ConnectionObserver& observer_;
    std::optional<TlsStream> tls_;
    std::string outbox_;  // plaintext of this turn
    std::string unsent_;  // what the kernel did not take
    int descriptor_ = -1;
    State state_ = State::idle;
    bool flush_wanted_ = false;
    bool tls_open_ = false;
};

}  // namespace causeway::bench
