// Socket and Network: the operating system's sockets behind two small interfaces, so that
// everything above runs unchanged over a simulated network. A Socket belongs to one shard and is
// not thread-safe. It owns nothing while idle: readiness is reported, bytes are moved by the
// caller.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "gateway/base/endpoint.h"
#include "gateway/base/outcome.h"

namespace causeway {

/// What a socket tells its owner. Either call may destroy the socket.
class SocketHandler {
public:
    virtual void on_readable() = 0;
    virtual void on_writable() = 0;

protected:
    ~SocketHandler() = default;
};

/// What became of a read or write: bytes moved, or would block, or the connection is over.
struct IoResult {
    enum class Status : unsigned char { ok, again, end, failed };
    Status status = Status::again;
    std::size_t bytes = 0;
    int error = 0;  ///< errno when failed
};

class Socket {
public:
    Socket() = default;
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    /// Closes it; no callback comes after.
    virtual ~Socket() = default;

    virtual IoResult read(std::span<char> into) = 0;
    virtual IoResult write(std::string_view bytes) = 0;
    /// Sends FIN; reading goes on.
    virtual void shutdown_write() = 0;

    /// See Channel::expect_life.
    virtual void expect_life(std::chrono::seconds) {}

    /// Who hears of readiness; nullptr silences it. Not owned.
    virtual void set_handler(SocketHandler* handler) = 0;
    /// Asks for one on_readable() / on_writable() when it is possible; idempotent while pending.
    virtual void want_read() = 0;
    virtual void want_write() = 0;

    [[nodiscard]] virtual Endpoint remote() const = 0;
    [[nodiscard]] virtual Endpoint local() const = 0;

    /// Gives up the descriptor so that another shard can adopt it; -1 where there is none to give.
    virtual int release() = 0;
};

/// A listening socket; destroying it stops listening.
class Acceptor {
public:
    Acceptor() = default;
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;
    virtual ~Acceptor() = default;
    [[nodiscard]] virtual Endpoint local() const = 0;
};

/// A connection being attempted; destroying it cancels, and its callback is not called.
class Connecting {
public:
    Connecting() = default;
    Connecting(const Connecting&) = delete;
    Connecting& operator=(const Connecting&) = delete;
    virtual ~Connecting() = default;
};

/// The network as one shard sees it.
class Network {
public:
    Network() = default;
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    virtual ~Network() = default;

    using Connected = std::function<void(Result<std::unique_ptr<Socket>>)>;
    using Accepted = std::function<void(std::unique_ptr<Socket>)>;

    /// One TCP connection attempt, without a deadline of its own. `connected` is called later,
    /// never from within; the Connecting may be destroyed inside it.
    [[nodiscard]] virtual std::unique_ptr<Connecting> connect(Endpoint to,
                                                              std::optional<Address> from,
                                                              Connected connected) = 0;
    [[nodiscard]] virtual Result<std::unique_ptr<Acceptor>> listen(Endpoint at,
                                                                   Accepted accepted) = 0;
    /// Takes over a descriptor that Socket::release gave up.
    [[nodiscard]] virtual std::unique_ptr<Socket> adopt(int descriptor) = 0;
};

}  // namespace causeway
