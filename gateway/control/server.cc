// The control socket's acceptor; see server.h. Who may connect is decided twice: by the file's mode
// and, since a descriptor can be passed on, by the credentials that the kernel has for the peer.
#include "gateway/control/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/control/connection.h"
#include "gateway/control/json_rpc.h"
#include "gateway/control/socket_file.h"

namespace causeway::control {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// Out of descriptors, say: accepting again at once would only spin.
constexpr std::chrono::milliseconds accept_pause{100};

std::optional<PeerCredentials> credentials_of(int descriptor) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return std::nullopt;
    }
    return PeerCredentials{peer.pid, peer.uid};
}

/// A descriptor held back: when no other is left, the administrator gets in all the same, to see
/// why.
class SpareDescriptor {
public:
    SpareDescriptor() { take(); }
    SpareDescriptor(const SpareDescriptor&) = delete;
    SpareDescriptor& operator=(const SpareDescriptor&) = delete;
    ~SpareDescriptor() { give_up(); }

    /// Holds one again, if there is one to be had.
    void take() {
        if (descriptor_ < 0) descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    /// False: there was none.
    bool give_up() {
        if (descriptor_ < 0) return false;
        ::close(std::exchange(descriptor_, -1));
        return true;
    }

private:
    int descriptor_ = -1;
};

bool out_of_descriptors(error_code error) {
    return error == boost::system::errc::too_many_files_open ||
           error == boost::system::errc::too_many_files_open_in_system;
}

/// One line that a new connection's empty buffer takes at once; then its end.
void turn_away(Connection::Socket& socket, const RpcError& error) {
    error_code ignored;
    socket.non_blocking(true, ignored);
    const std::string line = write_error({}, error);
    socket.write_some(asio::buffer(line), ignored);
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
public:
    Impl(asio::io_context& context, std::unique_ptr<SocketFile> file, const CommandTable& table,
         ServerLimits limits)
        : file_(std::move(file)),
          table_(table),
          limits_(limits),
          acceptor_(context, asio::local::stream_protocol(), file_->release()),
          pause_(context) {}

    void accept() {
        acceptor_.async_accept(
            [weak = weak_from_this()](error_code error, Connection::Socket socket) {
                const auto self = weak.lock();
                if (!self || self->stopped_) {
                    return;
                }
                if (error) {
                    self->accept_later(error);
                    return;
                }
                self->failing_ = false;
                self->take(std::move(socket));
                self->spare_.take();
                self->accept();
            });
    }

    void stop() {
        stopped_ = true;
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        for (const auto& connection : std::exchange(connections_, {})) {
            connection->close();
        }
        file_.reset();
    }

    [[nodiscard]] const std::string& path() const { return file_->path(); }
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }

private:
    void accept_later(error_code error) {
        if (out_of_descriptors(error) && spare_.give_up()) return accept();
        if (!std::exchange(failing_, true)) {
            CAUSEWAY_LOG(warn, "control.accept_failed", {"why", error.message()});
        }
        pause_.expires_after(accept_pause);
        pause_.async_wait([weak = weak_from_this()](error_code cancelled) {
            const auto self = weak.lock();
            if (self && !cancelled && !self->stopped_) {
                self->spare_.take();
                self->accept();
            }
        });
    }

    void take(Connection::Socket socket) {
        const auto peer = credentials_of(socket.native_handle());
        if (!peer || (peer->user != 0 && peer->user != ::geteuid())) {
            CAUSEWAY_LOG(warn, "control.refused", {"uid", peer ? peer->user : 0},
                         {"pid", peer ? peer->process : 0}, {"why", "another user"});
            turn_away(socket, {RpcCode::refused,
                               "only root and the user that the server runs as may connect"});
            return;
        }
        if (connections_.size() >= limits_.connections) {
            end_oldest_idle();
        }
        if (connections_.size() >= limits_.connections) {
            CAUSEWAY_LOG(warn, "control.refused", {"uid", peer->user}, {"pid", peer->process},
                         {"why", "too many connections"});
            turn_away(socket, {RpcCode::policy,
                               "there are " + std::to_string(limits_.connections) +
                                   " control connections already, all of them busy; end one"});
            return;
        }
        const auto closed = [weak = weak_from_this()](Connection& connection) {
            if (const auto self = weak.lock()) {
                std::erase_if(self->connections_, [&connection](const auto& candidate) {
                    return candidate.get() == &connection;
                });
                // Its descriptor is free once the connection is, after this call.
                asio::post(self->acceptor_.get_executor(), [weak] {
                    if (const auto still = weak.lock()) still->spare_.take();
                });
            }
        };
        connections_.push_back(
            std::make_shared<Connection>(std::move(socket), *peer, table_, limits_, closed));
        connections_.back()->start();
    }

    /// So that connections which somebody only holds do not keep the administrator out.
    void end_oldest_idle() {
        std::shared_ptr<Connection> oldest;
        for (const auto& connection : connections_) {
            if (connection->idle() &&
                (!oldest || connection->last_active() < oldest->last_active())) {
                oldest = connection;
            }
        }
        if (oldest) {
            CAUSEWAY_LOG(info, "control.gave_way", {"uid", oldest->peer().user},
                         {"pid", oldest->peer().process}, {"why", "idle, and a new one came"});
            oldest->give_way();
        }
    }

    std::unique_ptr<SocketFile> file_;
    const CommandTable& table_;
    const ServerLimits limits_;
    asio::local::stream_protocol::acceptor acceptor_;
    asio::steady_timer pause_;
    std::vector<std::shared_ptr<Connection>> connections_;
    SpareDescriptor spare_;
    bool failing_ = false;  ///< the last attempt to accept did, which was logged
    bool stopped_ = false;
};

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { impl_->stop(); }

Result<std::unique_ptr<Server>> Server::open(asio::io_context& context, std::string path,
                                             const CommandTable& table, ServerLimits limits) {
    auto file = SocketFile::claim(std::move(path));
    if (!file) {
        return file.error();
    }
    auto impl = std::make_shared<Impl>(context, std::move(*file), table, limits);
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::start() { impl_->accept(); }

const std::string& Server::path() const { return impl_->path(); }

std::size_t Server::connections() const { return impl_->connections(); }

}  // namespace causeway::control
