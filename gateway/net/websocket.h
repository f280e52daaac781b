// WebSocketChannel: a Channel of whole messages (RFC 6455, RFC 7395) on top of another Channel that
// carries bytes, in the clear or with TLS. Framing, masking, UTF-8, pings and the closing handshake
// are Boost.Beast's, without compression; Beast's input and output are the Channel below. Owner: as
// of any Channel; it owns the Channel below and lives on the same shard. It cannot move to another
// (see channel_proxy.h). Faults of the peer end it with the close code that RFC 6455 §7.4.1 gives
// them.
#pragma once

#include <memory>
#include <string_view>

#include "gateway/net/channel.h"

namespace causeway {

class WebSocketChannel final : public Channel {
public:
    /// How long close() waits for the peer's side of both closing handshakes together.
    static constexpr Duration close_wait{5000};
    /// Input that is kept while the peer is not ready for what we owe it.
    static constexpr std::size_t input_bound = 65536;

    /// Accepts the upgrade request that came over `below` with the header Sec-WebSocket-Key: `key`,
    /// checked before. Messages above `message_limit` bytes end the connection (1009).
    WebSocketChannel(Shard& shard, std::unique_ptr<Channel> below, std::string_view key,
                     std::size_t message_limit);
    ~WebSocketChannel() override;

    /// For messages that begin from now on.
    void set_message_limit(std::size_t bytes) override;
    void expect_life(std::chrono::seconds within) override;
    /// Who is at the other end of the proxy that the connection comes from; before anybody asks.
    void set_remote(const Endpoint& remote);

    void set_handler(ChannelHandler* handler) override;
    void write(std::string_view message) override;
    [[nodiscard]] std::size_t queued() const override;
    void pause_reading() override;
    void resume_reading() override;
    void close() override;
    /// Nothing: TLS comes before HTTP, or not at all.
    void start_tls(std::unique_ptr<TlsEngine> engine, TransportKind kind) override;
    [[nodiscard]] const TlsEngine* tls() const override;
    [[nodiscard]] bool framed() const override { return true; }
    [[nodiscard]] TransportKind kind() const override { return TransportKind::websocket; }
    [[nodiscard]] Endpoint remote() const override;
    /// The same as pause_reading().
    void hold() override { pause_reading(); }
    /// nullptr always.
    [[nodiscard]] std::unique_ptr<DetachedChannel> detach() override { return nullptr; }

private:
    // Counted, because Beast's operations end later than what they belong to; they hold it weakly.
    class Connection;
    std::shared_ptr<Connection> connection_;
};

}  // namespace causeway
