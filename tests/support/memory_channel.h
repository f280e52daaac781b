// MemoryChannel: a Channel whose peer is the test itself. What is written shows up in the Wire at
// the end of the turn; the test calls receive(), end() and, to play a slow reader, sets `stalled`.
// The Wire outlives the channel, so that a test can look at what was written after the channel is
// gone.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gateway/net/channel.h"

namespace causeway {

class MemoryChannel final : public Channel, private Flushable {
public:
    struct Wire {
        MemoryChannel* channel = nullptr;  ///< nullptr once it is destroyed
        std::string sent;
        bool stalled = false;  ///< the system takes nothing
        bool paused = false;
        bool closing = false;
        bool framed = false;             ///< each piece is a message, as over WebSocket
        const TlsEngine* tls = nullptr;  ///< what the channel says that it runs over
        std::string address = "192.0.2.7";
        std::optional<std::chrono::seconds> life;  ///< what was expected of the peer last
    };

    MemoryChannel(Shard& shard, std::shared_ptr<Wire> wire)
        : shard_(shard), wire_(std::move(wire)) {
        wire_->channel = this;
    }
    ~MemoryChannel() override { wire_->channel = nullptr; }

    /// Input from the peer.
    void receive(std::string_view bytes) {
        if (handler_ != nullptr && !wire_->closing) handler_->on_bytes(bytes);
    }
    /// Input that comes although this side is closing, as it does when the peer is slow to notice.
    void receive_late(std::string_view bytes) {
        if (handler_ != nullptr) handler_->on_bytes(bytes);
    }
    /// The connection is over.
    void end(const Outcome& why = {}) {
        if (ChannelHandler* handler = std::exchange(handler_, nullptr)) {
            handler->on_channel_closed(why);
        }
    }
    /// The system takes so much, and no more.
    void take(std::size_t bytes) {
        wire_->sent += output_.substr(0, bytes);
        output_.erase(0, bytes);
    }
    /// The system takes output again.
    void unstall() {
        wire_->stalled = false;
        shard_.mark_dirty(*this);
    }

    void set_handler(ChannelHandler* handler) override { handler_ = handler; }
    void write(std::string_view bytes) override {
        output_ += bytes;
        shard_.mark_dirty(*this);
    }
    void expect_life(std::chrono::seconds within) override { wire_->life = within; }
    [[nodiscard]] std::size_t queued() const override { return output_.size(); }
    void pause_reading() override { wire_->paused = true; }
    void resume_reading() override { wire_->paused = false; }
    void close() override { wire_->closing = true; }
    void start_tls(std::unique_ptr<TlsEngine>, TransportKind) override {}
    [[nodiscard]] const TlsEngine* tls() const override { return wire_->tls; }
    [[nodiscard]] bool framed() const override { return wire_->framed; }
    [[nodiscard]] TransportKind kind() const override { return TransportKind::tcp; }
    [[nodiscard]] Endpoint remote() const override {
        return {boost::asio::ip::make_address(wire_->address), 40000};
    }
    void hold() override { wire_->paused = true; }
    [[nodiscard]] std::unique_ptr<DetachedChannel> detach() override { return nullptr; }

private:
    void flush() override {
        if (wire_->stalled) return;
        wire_->sent += std::exchange(output_, {});
        if (handler_ != nullptr && !wire_->closing) handler_->on_drained();
    }

    Shard& shard_;
    std::shared_ptr<Wire> wire_;
    ChannelHandler* handler_ = nullptr;
    std::string output_;
};

}  // namespace causeway
