// Channel: one connection as a stream of plaintext bytes: TCP, TLS over TCP, or WebSocket messages.
// What is written during a turn leaves at its end in as few records as possible. A Channel belongs
// to one shard and one owner; the owner ends it by handing it to Shard::condemn, never by deleting
// it inside a callback.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/net/socket.h"
#include "gateway/net/tls_engine.h"
#include "gateway/shard/shard.h"

namespace causeway {

/// How a connection is carried, for people and for the control socket.
enum class TransportKind : unsigned char { tcp, starttls, direct_tls, websocket };
std::string_view to_string(TransportKind kind);

/// What a Channel tells its owner. Each call may call any method of the Channel, but not delete it.
class ChannelHandler {
public:
    /// Plaintext; for a framed channel one whole message.
    virtual void on_bytes(std::string_view bytes) = 0;
    /// The TLS handshake that start_tls began is complete and verified as far as was asked.
    virtual void on_secured() = 0;
    /// The connection is over, for the reason given (ok: the peer closed it). The last call.
    virtual void on_channel_closed(const Outcome& why) = 0;
    /// Everything written has been handed to the system.
    virtual void on_drained() {}

protected:
    ~ChannelHandler() = default;
};

/// A connection between two shards: everything that must move along.
struct DetachedChannel {
    int descriptor = -1;
    std::unique_ptr<TlsEngine> tls;
    TransportKind kind = TransportKind::tcp;
    bool peer_done = false;   ///< TLS says that the peer sends no more
    std::string ciphertext;   ///< read, but not a whole record yet
    std::string undelivered;  ///< plaintext that the owner has not seen
    std::string output;       ///< plaintext not yet encrypted
    std::string unsent;       ///< ciphertext not yet taken by the system
    Endpoint remote;

    DetachedChannel() = default;
    DetachedChannel(DetachedChannel&& other) noexcept;
    DetachedChannel& operator=(DetachedChannel&&) = delete;
    ~DetachedChannel();  ///< closes the descriptor if nobody adopted it
};

class Channel : public Condemned {
public:
    /// nullptr: nobody listens any more. Not owned.
    virtual void set_handler(ChannelHandler* handler) = 0;

    /// Appends to what leaves at the end of the turn. For a framed channel each call is one
    /// message.
    virtual void write(std::string_view bytes) = 0;
    /// Bytes written and not yet taken by the system.
    [[nodiscard]] virtual std::size_t queued() const = 0;

    /// Bounds one message, where the wire has such; a longer one ends the connection.
    virtual void set_message_limit(std::size_t) {}

    /// The peer is to be known to be gone within that time, as far as the transport can tell: data
    /// that it does not acknowledge, and probes while nothing is sent. 0: a silent peer is left
    /// alone.
    virtual void expect_life(std::chrono::seconds) {}

    /// Stops or resumes taking input from the system.
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;

    /// Sends what is queued, then closes in the transport's own way (TLS close_notify, WebSocket
    /// close, FIN), waiting a bounded time for the peer; then on_channel_closed.
    virtual void close() = 0;

    /// Starts TLS now: what is queued leaves in the clear first. Plain channels only.
    virtual void start_tls(std::unique_ptr<TlsEngine> engine, TransportKind kind) = 0;
    /// nullptr while there is no TLS.
    [[nodiscard]] virtual const TlsEngine* tls() const = 0;
    /// A wire where each XMPP element is a message of its own (RFC 7395).
    [[nodiscard]] virtual bool framed() const = 0;
    [[nodiscard]] virtual TransportKind kind() const = 0;
    [[nodiscard]] virtual Endpoint remote() const = 0;

    /// No on_bytes from now on; input is kept, and the peer's end behind it, for detach() or
    /// resume_reading().
    virtual void hold() = 0;
    /// Takes the connection out of this shard, held before; the Channel is then dead. nullptr where
    /// the connection cannot move.
    [[nodiscard]] virtual std::unique_ptr<DetachedChannel> detach() = 0;
};

}  // namespace causeway
