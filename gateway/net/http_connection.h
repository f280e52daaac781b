// HttpConnection: what Causeway answers over HTTP/1.1, from a fixed table of paths compared byte
// for byte: the host-meta documents that tell clients where the WebSocket is (XEP-0156), and the
// upgrade to that WebSocket (RFC 7395). It owns the Channel until the upgrade hands it on. Owner:
// the listener that accepted the connection; it is told when to condemn it. Bounded: one header section at a
// time, no request body, so many requests, and an absolute deadline that no traffic extends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/channel.h"

namespace causeway {

/// Path of the WebSocket, beneath every served domain.
inline constexpr std::string_view websocket_path = "/xmpp-websocket";

/// What all HTTP connections of a listener share. Immutable once they do.
struct HttpSettings {
    /// The served domains as A-labels in lower case; a request for none of them gets the first.
    std::vector<std::string> domains;
    /// Values of the Origin header that may open a WebSocket; empty: all may. A client that sends
    /// none is no browser, and nothing is gained by refusing it.
    std::vector<std::string> origins;
    /// The port that host-meta tells; 0: the one that the request itself was sent to.
    std::uint16_t public_port = 0;
    /// The connections come from a proxy, which names the client in X-Forwarded-For.
    bool behind_proxy = false;
    /// From the connection's begin to its upgrade or end.
    Duration deadline{30000};
    /// Largest WebSocket message, until the owner of the Channel sets another limit.
    std::size_t message_limit = 16384;
};

class HttpConnection final : public Condemned, private ChannelHandler, private TimerTarget {
public:
    static constexpr std::size_t header_limit = 8192;
    static constexpr unsigned request_limit = 100;

    /// Takes the WebSocketChannel of a completed upgrade, within a callback of that channel.
    using Upgraded = std::function<void(std::unique_ptr<Channel>)>;
    /// Called once, as the last thing: hand `connection` to Shard::condemn.
    using Finished = std::function<void(HttpConnection& connection)>;

    /// `channel` may be in the middle of its TLS handshake.
    HttpConnection(Shard& shard, std::unique_ptr<Channel> channel,
                   std::shared_ptr<const HttpSettings> settings, Upgraded upgraded,
                   Finished finished);
    ~HttpConnection() override;

    /// Ends it in good order; for a listener that stops.
    void close();

private:
    struct Request;
    struct Reply;

    void on_bytes(std::string_view bytes) override;
    void on_secured() override {}
    void on_channel_closed(const Outcome& why) override;
    void on_timer(std::uint32_t which) override;

    bool handle_next();
    [[nodiscard]] Reply route() const;
    [[nodiscard]] Reply host_meta(bool json) const;
    [[nodiscard]] Reply check_upgrade() const;
    void send(const Reply& reply, bool last);
    bool refuse(unsigned status, std::string_view why);
    void upgrade();
    void finish();

    Shard& shard_;
    std::unique_ptr<Channel> channel_;
    std::shared_ptr<const HttpSettings> settings_;
    Upgraded upgraded_;
    Finished finished_;
    std::unique_ptr<Request> request_;  ///< the one being received or answered
    std::string input_;                 ///< received and not yet part of a whole header section
    Timer deadline_;
    unsigned requests_ = 0;
    bool closing_ = false;
};

}  // namespace causeway
