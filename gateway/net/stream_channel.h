// StreamChannel: a Channel over a stream socket, in the clear or with TLS. Idle, it owns its socket
// and its TLS engine and no buffer at all: input is read into the shard's buffers, and output that
// the system takes at once never outlives the turn.
#pragma once

#include "gateway/net/channel.h"

namespace causeway {

class StreamChannel final : public Channel,
                            private SocketHandler,
                            private Flushable,
                            private TimerTarget {
public:
    /// How long close() waits for the peer to close as well.
    static constexpr Duration close_wait{5000};
    /// Answers of TLS itself (not ours) that a peer may leave unread.
    static constexpr std::size_t unread_answers_limit = 65536;

    StreamChannel(Shard& shard, std::unique_ptr<Socket> socket,
                  TransportKind kind = TransportKind::tcp);
    /// Adopts a connection that another shard detached. Input, first what that shard had not
    /// delivered, comes from the end of the turn in which a handler is set.
    StreamChannel(Shard& shard, Network& network, DetachedChannel detached);

    void set_handler(ChannelHandler* handler) override;
    void write(std::string_view bytes) override;
    [[nodiscard]] std::size_t queued() const override { return output_.size() + unsent_.size(); }
    void expect_life(std::chrono::seconds within) override {
        if (socket_ != nullptr) socket_->expect_life(within);
    }
    void pause_reading() override { stop(Stop::paused); }
    void resume_reading() override;
    void close() override;
    void start_tls(std::unique_ptr<TlsEngine> engine, TransportKind kind) override;
    [[nodiscard]] const TlsEngine* tls() const override { return tls_.get(); }
    [[nodiscard]] bool framed() const override { return false; }
    [[nodiscard]] TransportKind kind() const override { return kind_; }
    [[nodiscard]] Endpoint remote() const override { return remote_; }
    void hold() override { stop(Stop::held); }
    [[nodiscard]] std::unique_ptr<DetachedChannel> detach() override;

private:
    enum class State : unsigned char { open, closing, closed };
    /// Why nothing is read; it is read on when no reason is left.
    enum class Stop : unsigned char {
        paused = 1,       ///< pause_reading()
        held = 2,         ///< hold()
        catching_up = 4,  ///< undelivered input comes before any other
    };

    void on_readable() override;
    void on_writable() override;
    void flush() override;
    void on_timer(std::uint32_t which) override;

    void receive(std::string_view bytes);
    bool receive_records(std::string_view records);
    void catch_up();
    void deliver(std::string_view plain);
    bool continue_handshake();
    void encrypt_output();
    void send(std::string& bytes);
    bool send_protocol(std::string& bytes);
    void stop(Stop reason) { stops_ |= static_cast<unsigned char>(reason); }
    [[nodiscard]] bool stopped(Stop reason) const {
        return (stops_ & static_cast<unsigned char>(reason)) != 0;
    }
    /// False if that was none of the reasons.
    bool no_longer(Stop reason) {
        const bool was = stopped(reason);
        stops_ &= static_cast<unsigned char>(~static_cast<unsigned>(reason));
        return was;
    }
    [[nodiscard]] bool stopped() const { return stops_ != 0; }
    void begin_read();
    void on_peer_closed();
    void end(Outcome why);

    Shard& shard_;
    std::unique_ptr<Socket> socket_;
    std::unique_ptr<TlsEngine> tls_;
    ChannelHandler* handler_ = nullptr;
    std::string output_;       ///< plaintext of this turn, or waiting behind unsent_
    std::string unsent_;       ///< bytes that the system did not take
    std::string spill_;        ///< ciphertext of a record that is not whole yet
    std::string undelivered_;  ///< plaintext kept while held
    std::size_t unread_answers_ = 0;
    Timer close_timer_;
    Endpoint remote_;
    TransportKind kind_;
    State state_ = State::open;
    unsigned char stops_ = 0;  ///< of Stop
    bool write_closed_ = false;
    bool peer_closed_ = false;
    bool peer_done_ = false;  ///< TLS said so while held
};

}  // namespace causeway
