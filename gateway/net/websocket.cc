#include "gateway/net/websocket.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <optional>
#include <string>
#include <utility>

#include "gateway/net/websocket_wire.h"

namespace causeway {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using namespace websocket_wire;

http::request<http::empty_body> upgrade_request(std::string_view key) {
    http::request<http::empty_body> request(http::verb::get, "/", 11);
    request.set(http::field::host, "localhost");
    request.set(http::field::connection, "upgrade");
    request.set(http::field::upgrade, "websocket");
    request.set(http::field::sec_websocket_version, "13");
    request.set(http::field::sec_websocket_key, boost::beast::string_view(key.data(), key.size()));
    return request;
}

/// Whether text that is UTF-8 so far stops before its last character is whole.
bool cut_within_character(std::string_view text) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xc0U) == 0x80) continue;
        const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return back < length;
    }
    return false;
}

void decorate(websocket::response_type& response) {
    response.set(http::field::server, "Causeway");  // Beast would name itself
    response.set(http::field::sec_websocket_protocol, "xmpp");
}

}  // namespace

class WebSocketChannel::Connection final : public std::enable_shared_from_this<Connection>,
                                           private ChannelHandler,
                                           private WireEnd,
                                           private Flushable,
                                           private TimerTarget {
public:
    Connection(Shard& shard, std::unique_ptr<Channel> below, std::size_t message_limit)
        : shard_(shard),
          below_(std::move(below)),
          remote_(below_->remote()),
          stream_(shard, static_cast<WireEnd&>(*this)) {
        below_->set_handler(this);
        stream_.auto_fragment(false);
        stream_.read_message_max(message_limit);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() {
        if (below_ != nullptr) below_->set_handler(nullptr);
    }

    void accept(std::string_view key) {
        stream_.set_option(websocket::stream_base::decorator(decorate));
        error_code error;
        stream_.accept(upgrade_request(key), error);
        if (error) {
            state_ = State::closing;
            below_->close();
            return;
        }
        read();
    }

    void set_handler(ChannelHandler* handler) { handler_ = handler; }
    void set_message_limit(std::size_t bytes) { stream_.read_message_max(bytes); }
    void expect_life(std::chrono::seconds within) {
        if (below_ != nullptr) below_->expect_life(within);
    }
    [[nodiscard]] const Channel* below() const { return below_.get(); }
    [[nodiscard]] const Endpoint& remote() const { return remote_; }
    void set_remote(const Endpoint& remote) { remote_ = remote; }

    void write(std::string_view message) {
        // Not after a close frame, and the peer's may have been answered before we heard of it.
        if (state_ != State::open || !stream_.is_open()) return;
        error_code ignored;  // the wire takes everything; its own end is told by on_channel_closed
        stream_.write(asio::buffer(message), ignored);
    }

    void pause() {
        paused_ = true;
        regulate();
    }
    void resume() {
        paused_ = false;
        regulate();
        read();
        // What came while paused is handed over at the end of the turn, not within this call.
        if (whole_ || !input_.empty()) shard_.mark_dirty(*this);
    }
    void close(websocket::close_code code);

private:
    enum class State : unsigned char { open, closing, closed };
    // Most messages of a chat fit, and the others cost one copy more.
    static constexpr std::size_t first_bytes = 384;
    static constexpr std::size_t chunk_bytes = 4096;

    // The Channel below
    void on_bytes(std::string_view bytes) override;
    void on_secured() override {}
    void on_channel_closed(const Outcome& why) override;
    void on_drained() override;

    // Beast
    void wait_for_input(std::unique_ptr<PendingRead> read) override;
    void wait_until_drained(std::unique_ptr<PendingWrite> write) override {
        pending_write_ = std::move(write);
        if (over_) shard_.mark_dirty(*this);
    }
    void send(std::string_view bytes) override {
        if (below_ != nullptr) below_->write(bytes);
    }
    void tear_down() override {
        if (below_ != nullptr) below_->close();
    }

    void flush() override;
    void on_timer(std::uint32_t which) override;

    void pump();
    [[nodiscard]] bool nothing_left() const;
    void regulate();
    [[nodiscard]] bool held_back() const { return paused_ && state_ == State::open; }
    void read();
    void on_read(const error_code& error, std::size_t bytes);
    void on_read_failed(const error_code& error);
    void take_message();
    void end(const Outcome& why);

    Shard& shard_;
    std::unique_ptr<Channel> below_;
    ChannelHandler* handler_ = nullptr;
    std::string input_;            ///< bytes that Beast has not asked for yet
    std::size_t taken_ = 0;        ///< how many leading bytes of input_ it already has
    std::string message_;          ///< a message that is not whole yet, with room behind it
    std::size_t received_ = 0;     ///< how much of message_ is message
    Outcome why_;                  ///< what the peer did wrong
    std::optional<Outcome> over_;  ///< the connection is, and input that came before is left
    Endpoint remote_;
    Timer close_timer_;
    State state_ = State::open;
    bool paused_ = false;   ///< by the owner
    bool stopped_ = false;  ///< what the Channel below was told
    bool reading_ = false;
    bool whole_ = false;  ///< message_ is one that came while paused
    bool pumping_ = false;
    std::array<char, first_bytes> first_;  ///< where an idle connection waits for a message
    std::unique_ptr<PendingRead> pending_read_;
    std::unique_ptr<PendingWrite> pending_write_;
    websocket::stream<Wire, false> stream_;
};

void WebSocketChannel::Connection::on_bytes(std::string_view bytes) {
    if (input_.empty()) input_ = shard_.buffers().take_string();
    input_ += bytes;
    pump();
}

void WebSocketChannel::Connection::on_drained() {
    if (const auto write = std::move(pending_write_)) write->complete();
    if (handler_ != nullptr && state_ == State::open) handler_->on_drained();
}

void WebSocketChannel::Connection::wait_for_input(std::unique_ptr<PendingRead> read) {
    pending_read_ = std::move(read);
    // Never from within: pump() goes on when we return to it, or at the end of the turn.
    if (!pumping_ && (taken_ < input_.size() || over_)) shard_.mark_dirty(*this);
}

void WebSocketChannel::Connection::pump() {
    if (std::exchange(pumping_, true)) return;
    while (pending_read_ != nullptr && taken_ < input_.size() && !held_back()) {
        const auto read = std::move(pending_read_);
        const std::size_t bytes = read->fill(std::string_view(input_).substr(taken_));
        taken_ += bytes;
        read->complete(bytes);
    }
    pumping_ = false;
    if (taken_ == input_.size()) {
        if (taken_ > 0) shard_.buffers().give_back(std::exchange(input_, {}));
    } else {
        input_.erase(0, taken_);
    }
    taken_ = 0;
    regulate();
}

void WebSocketChannel::Connection::regulate() {
    const bool stop = held_back() || input_.size() > input_bound;
    if (below_ == nullptr || std::exchange(stopped_, stop) == stop) return;
    if (stop) {
        below_->hold();
    } else {
        below_->resume_reading();
    }
}

void WebSocketChannel::Connection::read() {
    if (state_ != State::open || paused_ || whole_ || std::exchange(reading_, true)) return;
    asio::mutable_buffer into = asio::buffer(first_);
    if (received_ > 0) {
        message_.resize(received_ + chunk_bytes);
        into = asio::buffer(message_) + received_;
    }
    stream_.async_read_some(into,
                            [weak = weak_from_this()](const error_code& error, std::size_t bytes) {
                                if (const auto self = weak.lock()) self->on_read(error, bytes);
                            });
}

void WebSocketChannel::Connection::on_read(const error_code& error, std::size_t bytes) {
    reading_ = false;
    if (state_ != State::open) return;
    if (error) {
        on_read_failed(error);
        return;
    }
    if (stream_.got_binary()) {
        why_ = Outcome::malformed("a binary WebSocket message: XMPP is text");
        close(websocket::close_code::unknown_data);
        return;
    }
    whole_ = stream_.is_message_done();
    const std::string_view so_far = received_ == 0
                                        ? std::string_view(first_.data(), bytes)
                                        : std::string_view(message_).substr(0, received_ + bytes);
    if (whole_ && cut_within_character(so_far)) {
        // Beast looks at the end of a message only when its last frame is not empty.
        why_ = Outcome::malformed("a WebSocket message that ends within a character");
        close(websocket::close_code::bad_payload);
        return;
    }
    if (received_ == 0 && whole_ && !paused_) {
        whole_ = false;
        if (handler_ != nullptr) handler_->on_bytes({first_.data(), bytes});
    } else if (received_ == 0) {
        message_ = shard_.buffers().take_string();
        message_.assign(first_.data(), bytes);
        received_ = bytes;
    } else {
        received_ += bytes;
    }
    if (whole_) {
        take_message();
    } else {
        read();
    }
}

void WebSocketChannel::Connection::take_message() {
    if (paused_ || state_ != State::open) return;
    whole_ = false;
    std::string message = std::exchange(message_, {});
    message.resize(std::exchange(received_, 0));
    if (handler_ != nullptr) handler_->on_bytes(message);
    shard_.buffers().give_back(std::move(message));
    read();
}

void WebSocketChannel::Connection::flush() {
    // What Beast answers by itself while it reads has nowhere to go any more.
    if (over_ && pending_write_ != nullptr) std::exchange(pending_write_, nullptr)->complete();
    if (whole_) take_message();
    pump();
    if (over_ && nothing_left()) end(*over_);
}

/// The peer closed the connection behind its last message, which may not be read yet. One that
/// breaks while nothing is taken from it is over at once.
void WebSocketChannel::Connection::on_channel_closed(const Outcome& why) {
    over_ = why;
    if (nothing_left() || (!why && held_back())) {
        end(why);
    } else {
        shard_.mark_dirty(*this);
    }
}

bool WebSocketChannel::Connection::nothing_left() const {
    return state_ != State::open || (pending_read_ != nullptr && input_.empty() && !whole_);
}

void WebSocketChannel::Connection::on_read_failed(const error_code& error) {
    // Beast has sent its close frame and torn the wire down; what is left is the wire's own end.
    if (error != websocket::error::closed) {
        why_ = Outcome::malformed("WebSocket: " + error.message());
    }
    state_ = State::closing;
    regulate();
    if (below_ != nullptr) below_->close();
    if (over_) shard_.mark_dirty(*this);
}

void WebSocketChannel::Connection::close(websocket::close_code code) {
    if (state_ != State::open) return;
    state_ = State::closing;
    regulate();
    if (!input_.empty() || over_) shard_.mark_dirty(*this);
    shard_.timers().arm(close_timer_, close_wait, *this);
    stream_.async_close(code, [weak = weak_from_this()](const error_code&) {
        const auto self = weak.lock();
        if (self != nullptr && self->below_ != nullptr) self->below_->close();
    });
}

void WebSocketChannel::Connection::on_timer(std::uint32_t) {
    if (below_ != nullptr) {
        below_->set_handler(nullptr);
        shard_.condemn(std::move(below_));
    }
    end({});
}

void WebSocketChannel::Connection::end(const Outcome& why) {
    if (state_ == State::closed) return;
    const bool orderly = state_ == State::closing;
    state_ = State::closed;
    close_timer_.cancel();
    if (ChannelHandler* handler = std::exchange(handler_, nullptr)) {
        handler->on_channel_closed(!why_ ? why_ : orderly ? Outcome{} : why);
    }
}

WebSocketChannel::WebSocketChannel(Shard& shard, std::unique_ptr<Channel> below,
                                   std::string_view key, std::size_t message_limit)
    : connection_(std::make_shared<Connection>(shard, std::move(below), message_limit)) {
    connection_->accept(key);
}

WebSocketChannel::~WebSocketChannel() = default;

void WebSocketChannel::expect_life(std::chrono::seconds within) {
    connection_->expect_life(within);
}

void WebSocketChannel::set_message_limit(std::size_t bytes) {
    connection_->set_message_limit(bytes);
}
void WebSocketChannel::set_handler(ChannelHandler* handler) { connection_->set_handler(handler); }
void WebSocketChannel::write(std::string_view message) { connection_->write(message); }
std::size_t WebSocketChannel::queued() const {
    return connection_->below() == nullptr ? 0 : connection_->below()->queued();
}
void WebSocketChannel::pause_reading() { connection_->pause(); }
void WebSocketChannel::resume_reading() { connection_->resume(); }
void WebSocketChannel::close() { connection_->close(websocket::close_code::normal); }
void WebSocketChannel::start_tls(std::unique_ptr<TlsEngine>, TransportKind) {}
const TlsEngine* WebSocketChannel::tls() const {
    return connection_->below() == nullptr ? nullptr : connection_->below()->tls();
}
Endpoint WebSocketChannel::remote() const { return connection_->remote(); }

void WebSocketChannel::set_remote(const Endpoint& remote) { connection_->set_remote(remote); }

}  // namespace causeway
