// What lies below Beast's WebSocket stream: instead of a socket, a connection that hands its input
// over and takes output at once. Used by websocket.cc alone.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/role.hpp>
#include <memory>
#include <string_view>
#include <utility>

#include "gateway/shard/shard.h"

namespace causeway::websocket_wire {

namespace asio = boost::asio;
using boost::system::error_code;

/// The executor that Beast asks for: its handlers run as tasks of the shard. Its timers are never
/// armed, so that nothing needs to run the context that they belong to.
class ShardExecutor {
public:
    explicit ShardExecutor(Shard& shard) : shard_(&shard) {}

    template <class Function>
    void execute(Function function) const {
        // A task can be copied, and Beast's handlers can only be moved.
        const auto held = std::make_shared<Function>(std::move(function));
        shard_->post([held] { std::move (*held)(); });
    }
    [[nodiscard]] asio::execution_context& query(asio::execution::context_t) const noexcept {
        static asio::io_context never_run;
        return never_run;
    }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
        return asio::execution::blocking.never;
    }
    bool operator==(const ShardExecutor&) const = default;

private:
    Shard* shard_;
};

/// A read that Beast began and that waits for input.
class PendingRead {
public:
    PendingRead() = default;
    PendingRead(const PendingRead&) = delete;
    PendingRead& operator=(const PendingRead&) = delete;
    virtual ~PendingRead() = default;
    /// Copies what fits of `input`, and says how much that was.
    virtual std::size_t fill(std::string_view input) = 0;
    virtual void complete(std::size_t bytes) = 0;
};

template <class Buffers, class Handler>
class PendingReadOf final : public PendingRead {
public:
    PendingReadOf(const Buffers& buffers, Handler&& handler)
        : buffers_(buffers), handler_(std::move(handler)) {}
    std::size_t fill(std::string_view input) override {
        return asio::buffer_copy(buffers_, asio::buffer(input));
    }
    void complete(std::size_t bytes) override { std::move(handler_)(error_code{}, bytes); }

private:
    Buffers buffers_;
    Handler handler_;
};

/// A write of Beast's own (pong, close) that is over once the system has taken it.
class PendingWrite {
public:
    PendingWrite() = default;
    PendingWrite(const PendingWrite&) = delete;
    PendingWrite& operator=(const PendingWrite&) = delete;
    virtual ~PendingWrite() = default;
    virtual void complete() = 0;
};

template <class Handler>
class PendingWriteOf final : public PendingWrite {
public:
    PendingWriteOf(std::size_t bytes, Handler&& handler)
        : bytes_(bytes), handler_(std::move(handler)) {}
    void complete() override { std::move(handler_)(error_code{}, bytes_); }

private:
    std::size_t bytes_;
    Handler handler_;
};

/// What Beast's stream needs from the connection it is part of.
class WireEnd {
public:
    virtual void wait_for_input(std::unique_ptr<PendingRead> read) = 0;
    virtual void wait_until_drained(std::unique_ptr<PendingWrite> write) = 0;
    virtual void send(std::string_view bytes) = 0;
    virtual void tear_down() = 0;

protected:
    ~WireEnd() = default;
};

/// Beast's next layer (AsyncStream and SyncStream) over a WireEnd. Written bytes are taken at once.
class Wire {
public:
    using executor_type = ShardExecutor;

    Wire(Shard& shard, WireEnd& end) : shard_(&shard), end_(&end) {}
    [[nodiscard]] executor_type get_executor() const noexcept { return ShardExecutor(*shard_); }
    void tear_down() { end_->tear_down(); }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this](auto&& handler, const Buffers& into) {
                using Handler = std::decay_t<decltype(handler)>;
                end_->wait_for_input(std::make_unique<PendingReadOf<Buffers, Handler>>(
                    into, Handler(std::forward<decltype(handler)>(handler))));
            },
            token, buffers);
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this](auto&& handler, const Buffers& from) {
                using Handler = std::decay_t<decltype(handler)>;
                const std::size_t bytes = send(from);
                end_->wait_until_drained(std::make_unique<PendingWriteOf<Handler>>(
                    bytes, Handler(std::forward<decltype(handler)>(handler))));
            },
            token, buffers);
    }

    template <class Buffers>
    std::size_t write_some(const Buffers& buffers) {
        return send(buffers);
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, error_code& error) {
        error = {};
        return send(buffers);
    }
    /// Part of SyncStream, but nothing here waits for input.
    template <class Buffers>
    std::size_t read_some(const Buffers&) {
        return 0;
    }
    template <class Buffers>
    std::size_t read_some(const Buffers&, error_code& error) {
        error = asio::error::would_block;
        return 0;
    }

private:
    template <class Buffers>
    std::size_t send(const Buffers& buffers) {
        std::size_t bytes = 0;
        for (auto at = asio::buffer_sequence_begin(buffers);
             at != asio::buffer_sequence_end(buffers); ++at) {
            const asio::const_buffer part(*at);
            end_->send({static_cast<const char*>(part.data()), part.size()});
            bytes += part.size();
        }
        return bytes;
    }

    Shard* shard_;
    WireEnd* end_;
};

/// Found by Beast when the WebSocket closing handshake is over: the wire below closes in its own
/// way.
template <class Handler>
void async_teardown(boost::beast::role_type, Wire& wire, Handler&& handler) {
    wire.tear_down();
    asio::post(wire.get_executor(),
               boost::beast::bind_front_handler(std::forward<Handler>(handler), error_code{}));
}

inline void beast_close_socket(Wire& wire) { wire.tear_down(); }

}  // namespace causeway::websocket_wire
