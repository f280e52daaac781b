// ChannelProxy: a Channel on another shard than the connection itself, for connections that cannot
// move (WebSocket: Beast's stream is bound to its event loop). The connection stays where it was
// accepted, owned by a FarEnd there; proxy and far end talk by Shard::post alone, in batches of a
// turn, and neither looks at the other's memory. Bounded both ways: the far end stops reading when
// too much is unconsumed on the proxy's side, and queued() counts what is on its way. Owner: as of
// any Channel. Both shards must outlive it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/net/channel.h"

namespace causeway {

/// What people want to know of a connection's TLS, as values that may cross threads.
struct TlsFacts {
    std::string version;  ///< "TLSv1.3"
    std::string cipher;   ///< "TLS_AES_256_GCM_SHA384"
};

class ChannelProxy final : public Channel, private Flushable {
public:
    /// Bytes of input on the way to the owner; then the connection is not read any more.
    static constexpr std::size_t window = 65536;

    ~ChannelProxy() override;

    /// Set at once, before anything is paused; only then does input begin to come.
    void set_handler(ChannelHandler* handler) override;
    void write(std::string_view bytes) override;
    /// As far as the other shard has told.
    [[nodiscard]] std::size_t queued() const override {
        return outgoing_bytes_ + under_way_ + far_queued_;
    }
    void pause_reading() override;
    void resume_reading() override;
    void close() override;
    /// Nothing: what moves as a proxy has its TLS already.
    void start_tls(std::unique_ptr<TlsEngine> engine, TransportKind kind) override;
    /// nullptr always: the engine is the other shard's. See tls_facts().
    [[nodiscard]] const TlsEngine* tls() const override { return nullptr; }
    /// nullopt where there is no TLS.
    [[nodiscard]] const std::optional<TlsFacts>& tls_facts() const { return tls_facts_; }
    [[nodiscard]] bool framed() const override { return framed_; }
    [[nodiscard]] TransportKind kind() const override { return kind_; }
    [[nodiscard]] Endpoint remote() const override { return remote_; }
    /// The same as pause_reading().
    void hold() override { pause_reading(); }
    /// nullptr always.
    [[nodiscard]] std::unique_ptr<DetachedChannel> detach() override { return nullptr; }

private:
    class FarEnd;
    /// Where tasks from the far end find the proxy, if it still is there. Touched on its shard
    /// alone.
    struct WeakProxy {
        ChannelProxy* proxy = nullptr;
    };
    enum class State : unsigned char {
        open,
        closing,     ///< by the owner, since this turn
        close_sent,  ///< the far end knows
        closed       ///< it has said so
    };
    enum class Input : unsigned char { not_begun, flows, paused };

    friend std::unique_ptr<Channel> make_proxy(Shard& from, std::unique_ptr<Channel> original,
                                               Shard& to);
    ChannelProxy(Shard& from, std::unique_ptr<Channel> original, Shard& to);

    void flush() override;
    void on_input(std::vector<std::string> messages);
    void on_progress(std::size_t taken, std::size_t queued);
    void on_over(Outcome why);
    void deliver();

    Shard& far_;
    Shard& shard_;
    std::shared_ptr<WeakProxy> weak_proxy_;
    std::shared_ptr<FarEnd> far_end_;
    ChannelHandler* handler_ = nullptr;
    std::deque<std::string> inbox_;
    std::vector<std::string> outgoing_;  ///< written in this turn
    std::size_t outgoing_bytes_ = 0;
    std::size_t under_way_ = 0;   ///< posted, and not yet written over there
    std::size_t far_queued_ = 0;  ///< written over there, and not yet taken by the system
    std::size_t consumed_ = 0;    ///< input delivered since the far end was last told
    std::optional<Outcome> over_;
    std::optional<TlsFacts> tls_facts_;
    Endpoint remote_;
    TransportKind kind_;
    bool framed_;
    State state_ = State::open;
    Input input_ = Input::not_begun;
};

/// Called on `from`, where `original` lives and stays, outside of its callbacks: a Channel for
/// `to`, to be posted there and used there alone. Where both are one shard, `original` itself.
std::unique_ptr<Channel> make_proxy(Shard& from, std::unique_ptr<Channel> original, Shard& to);

}  // namespace causeway
