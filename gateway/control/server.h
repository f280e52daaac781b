// Server: the control socket. A Unix stream socket of mode 0600 whose peers must be root or have
// our own user id; lines of JSON-RPC, several requests in flight on a connection, each cancellable
// by id. Owns the socket file and the connections; the CommandTable is not owned and outlives it.
// Thread: all of it, and every handler and Reply, runs on the io_context's one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "gateway/base/outcome.h"
#include "gateway/control/command.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace causeway::control {

struct ServerLimits {
    std::size_t connections = 32;            ///< one more: the oldest idle one gives way
    std::size_t requests = 16;               ///< in flight on one connection; one more is refused
    std::size_t line_bytes = 1024 * 1024;    ///< a longer line ends the connection with an error
    std::size_t output_bytes = 1024 * 1024;  ///< unread output above which a connection is not read
};

class Server {
public:
    /// Claims `path`: binds and listens, but answers nobody before start(), so that a client that
    /// comes early waits. A socket file that a dead process left is replaced. Refused, with what to
    /// do, if another process answers there or if the path is something else than a socket.
    static Result<std::unique_ptr<Server>> open(boost::asio::io_context& context, std::string path,
                                                const CommandTable& table,
                                                ServerLimits limits = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    /// Closes every connection and removes the socket file if it still is ours. Replies that are
    /// still held somewhere do nothing from then on.
    ~Server();

    void start();
    [[nodiscard]] const std::string& path() const;
    [[nodiscard]] std::size_t connections() const;

private:
    class Impl;
    explicit Server(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::control
