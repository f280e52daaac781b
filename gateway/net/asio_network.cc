#include "gateway/net/asio_network.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace causeway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
// The concrete executor saves the type-erased one in every socket and every pending wait.
using StreamSocket = asio::basic_stream_socket<Tcp, asio::io_context::executor_type>;
using ListenSocket = asio::basic_socket_acceptor<Tcp, asio::io_context::executor_type>;
using RestTimer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                             asio::wait_traits<std::chrono::steady_clock>,
                                             asio::io_context::executor_type>;
template <class T>
using Counted = boost::intrusive_ref_counter<T, boost::thread_unsafe_counter>;

/// A descriptor until something else takes it.
class Descriptor {
public:
    explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(-1); }
    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] bool valid() const { return descriptor_ >= 0; }
    int release() { return std::exchange(descriptor_, -1); }
    void reset(int descriptor) {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = descriptor;
    }

private:
    int descriptor_;
};

Tcp protocol_of(const Endpoint& endpoint) {
    return endpoint.address().is_v6() ? Tcp::v6() : Tcp::v4();
}

int open_stream(const Endpoint& endpoint) {
    return ::socket(protocol_of(endpoint).family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    IPPROTO_TCP);
}

/// Settings that help but that nothing depends on: a refusal is no reason to give the socket up.
void set_option(int descriptor, int level, int name, int value) {
    static_cast<void>(::setsockopt(descriptor, level, name, &value, sizeof value));
}

bool bind_to(int descriptor, const Endpoint& endpoint) {
    return ::bind(descriptor, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
}

void set_keepalive(int descriptor, const SocketOptions& options, int idle_s) {
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, options.keepalive_interval_s);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, options.keepalive_probes);
}

void set_link_options(int descriptor, const SocketOptions& options) {
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_keepalive(descriptor, options, options.link_keepalive_idle_s);
    set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, options.link_user_timeout_ms);
}

bool out_of_resources(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// What a Socket shares with its waits; freed by whichever of them goes last.
struct SocketCore : Counted<SocketCore> {
    SocketCore(asio::io_context& context, Endpoint peer)
        : socket(context), remote(std::move(peer)) {}

    StreamSocket socket;
    SocketHandler* handler = nullptr;
    Endpoint remote;  // kept, since the kernel forgets it when the connection is reset
    bool reading = false;
    bool writing = false;
};

struct SocketWait {
    boost::intrusive_ptr<SocketCore> core;
    bool write;

    void operator()(const error_code& error) const {
        (write ? core->writing : core->reading) = false;
        // Destruction and release() take the handler away: a wait already due then says nothing.
        if (core->handler == nullptr || error == asio::error::operation_aborted) return;
        // Any other error shows itself, with its number, in the owner's next read or write.
        if (write) {
            core->handler->on_writable();
        } else {
            core->handler->on_readable();
        }
    }
};

class AsioSocket final : public Socket {
public:
    explicit AsioSocket(boost::intrusive_ptr<SocketCore> core) : core_(std::move(core)) {}
    ~AsioSocket() override {
        core_->handler = nullptr;
        error_code ignored;
        core_->socket.close(ignored);
    }

    IoResult read(std::span<char> into) override {
        if (into.empty()) return {};
        ssize_t got = 0;
        do {
            got = ::recv(core_->socket.native_handle(), into.data(), into.size(), 0);
        } while (got < 0 && errno == EINTR);
        if (got == 0) return {IoResult::Status::end, 0, 0};
        return result_of(got);
    }

    IoResult write(std::string_view bytes) override {
        if (bytes.empty()) return {IoResult::Status::ok, 0, 0};
        ssize_t sent = 0;
        do {
            sent = ::send(core_->socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
        return result_of(sent);
    }

    void shutdown_write() override {
        error_code ignored;
        core_->socket.shutdown(Tcp::socket::shutdown_send, ignored);
    }

    void set_handler(SocketHandler* handler) override { core_->handler = handler; }

    void want_read() override {
        if (std::exchange(core_->reading, true)) return;
        core_->socket.async_wait(Tcp::socket::wait_read, SocketWait{core_, false});
    }

    void want_write() override {
        if (std::exchange(core_->writing, true)) return;
        core_->socket.async_wait(Tcp::socket::wait_write, SocketWait{core_, true});
    }

    [[nodiscard]] Endpoint remote() const override { return core_->remote; }
    [[nodiscard]] Endpoint local() const override {
        error_code ignored;
        return core_->socket.local_endpoint(ignored);
    }

    int release() override {
        if (!core_->socket.is_open()) return -1;
        error_code error;
        const int descriptor = core_->socket.release(error);
        if (error) return -1;
        core_->handler = nullptr;
        return descriptor;
    }

private:
    static IoResult result_of(ssize_t moved) {
        if (moved >= 0) return {IoResult::Status::ok, static_cast<std::size_t>(moved), 0};
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
        return {IoResult::Status::failed, 0, errno};
    }

    boost::intrusive_ptr<SocketCore> core_;
};

/// Wraps a connected descriptor; nullptr, and closed, when the reactor cannot watch it.
std::unique_ptr<Socket> wrap(asio::io_context& context, Descriptor& descriptor, Endpoint remote) {
    auto core = boost::intrusive_ptr<SocketCore>(new SocketCore(context, std::move(remote)));
    error_code error;
    core->socket.assign(protocol_of(core->remote), descriptor.get(), error);
    if (error) return nullptr;
    descriptor.release();
    return std::make_unique<AsioSocket>(std::move(core));
}

struct ConnectCore : Counted<ConnectCore> {
    ConnectCore(asio::io_context& io, Endpoint peer, Network::Connected callback)
        : context(io), socket(io), to(std::move(peer)), connected(std::move(callback)) {}

    asio::io_context& context;
    StreamSocket socket;
    Endpoint to;
    Network::Connected connected;  // empty once called or cancelled

    void finish(int error) {
        const Network::Connected call = std::exchange(connected, nullptr);
        if (!call) return;
        error_code ignored;
        // With no listener on an ephemeral port TCP can connect a socket to itself.
        if (error == 0 && socket.local_endpoint(ignored) == to) error = ECONNREFUSED;
        if (error == 0) {
            Descriptor descriptor(socket.release(ignored));
            if (auto wrapped = wrap(context, descriptor, to)) {
                call(std::move(wrapped));
                return;
            }
            error = ENOMEM;
        }
        socket.close(ignored);
        call(Outcome::retry(describe_socket_error(error)));
    }
};

class AsioConnecting final : public Connecting {
public:
    explicit AsioConnecting(boost::intrusive_ptr<ConnectCore> core) : core_(std::move(core)) {}
    ~AsioConnecting() override {
        core_->connected = nullptr;
        error_code ignored;
        core_->socket.close(ignored);
    }

private:
    boost::intrusive_ptr<ConnectCore> core_;
};

/// Opens and starts the attempt; an errno when it could not even begin.
int begin_connect(const boost::intrusive_ptr<ConnectCore>& core, const std::optional<Address>& from,
                  const SocketOptions& options) {
    Descriptor descriptor(open_stream(core->to));
    if (!descriptor.valid()) return errno;
    set_link_options(descriptor.get(), options);
    if (from) {
        // The port is chosen at connect, when the whole four-tuple is known.
        set_option(descriptor.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (!bind_to(descriptor.get(), Endpoint(*from, 0))) return errno;
    }
    error_code error;
    core->socket.assign(protocol_of(core->to), descriptor.get(), error);
    if (error) return error.value();
    descriptor.release();
    core->socket.async_connect(core->to,
                               [core](const error_code& done) { core->finish(done.value()); });
    return 0;
}

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

struct AcceptCore : Counted<AcceptCore> {
    AcceptCore(asio::io_context& io, const SocketOptions& settings, Network::Accepted callback)
        : context(io),
          options(settings),
          listener(io),
          rest(io),
          spare(open_spare()),
          accepted(std::move(callback)) {}

    asio::io_context& context;
    SocketOptions options;
    ListenSocket listener;
    RestTimer rest;
    Descriptor spare;  // given up for a moment to turn callers away when no other is left
    Network::Accepted accepted;
    bool closed = false;

    void wait() {
        listener.async_wait(Tcp::acceptor::wait_read,
                            [self = boost::intrusive_ptr(this)](const error_code& error) {
                                if (!self->closed && !error) self->accept_some();
                            });
    }

    void accept_some() {
        for (int done = 0; done < options.accepts_per_turn && !closed; ++done) {
            Endpoint remote;
            Descriptor descriptor(accept_one(remote));
            if (descriptor.valid()) {
                set_option(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, 1);
                set_keepalive(descriptor.get(), options, options.keepalive_idle_s);
                if (auto socket = wrap(context, descriptor, remote)) accepted(std::move(socket));
                continue;
            }
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            if (out_of_resources(errno)) return turn_away_and_rest();
            // Anything else is the fault of that one connection, which is gone already.
        }
        if (!closed) wait();
    }

    int accept_one(Endpoint& remote) {
        auto size = static_cast<socklen_t>(remote.capacity());
        const int descriptor =
            ::accept4(listener.native_handle(), remote.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) remote.resize(size);
        return descriptor;
    }

    /// Out of descriptors or memory: those who wait are told so by a close, then we rest, because
    /// the listener stays readable and would otherwise keep the thread busy.
    void turn_away_and_rest() {
        spare.reset(-1);
        for (int done = 0; done < options.accepts_per_turn; ++done) {
            Endpoint remote;
            const Descriptor unwanted(accept_one(remote));
            if (!unwanted.valid()) break;
        }
        spare.reset(open_spare());
        rest.expires_after(std::chrono::milliseconds(options.accept_pause_ms));
        rest.async_wait([self = boost::intrusive_ptr(this)](const error_code& error) {
            if (self->closed || error) return;
            if (!self->spare.valid()) self->spare.reset(open_spare());
            self->wait();
        });
    }
};

class AsioAcceptor final : public Acceptor {
public:
    explicit AsioAcceptor(boost::intrusive_ptr<AcceptCore> core) : core_(std::move(core)) {}
    ~AsioAcceptor() override {
        core_->closed = true;
        core_->rest.cancel();
        error_code ignored;
        core_->listener.close(ignored);
    }
    [[nodiscard]] Endpoint local() const override {
        error_code ignored;
        return core_->listener.local_endpoint(ignored);
    }

private:
    boost::intrusive_ptr<AcceptCore> core_;
};

Outcome listen_error(const Endpoint& at, int error) {
    const std::string what =
        "cannot listen on " + to_string(at) + ": " + describe_socket_error(error);
    switch (error) {
        case EADDRINUSE:
            return Outcome::retry(what +
                                  "; stop the program that listens there or choose another port");
        case EACCES:
        case EPERM:
            return Outcome::policy(what +
                                   "; ports below 1024 need the capability CAP_NET_BIND_SERVICE");
        case EADDRNOTAVAIL:
            return Outcome::absent(what +
                                   "; choose an address that an interface of this machine has");
        case EAFNOSUPPORT:
            return Outcome::absent(what + "; this machine has that address family switched off");
        case EMFILE:
        case ENFILE: return Outcome::retry(what + "; raise the limit of open files");
        default: return Outcome::retry(what);
    }
}

/// Socket bound to `at`, or an errno.
int bind_listener(const Endpoint& at, bool shared, Descriptor& into) {
    into.reset(open_stream(at));
    if (!into.valid()) return errno;
    set_option(into.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (shared) set_option(into.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (at.address().is_v6()) {
        // "Every address" means both families; a single IPv6 address means itself.
        set_option(into.get(), IPPROTO_IPV6, IPV6_V6ONLY, at.address().is_unspecified() ? 0 : 1);
    }
    return bind_to(into.get(), at) ? 0 : errno;
}

}  // namespace

AsioNetwork::AsioNetwork(asio::io_context& context, SocketOptions options)
    : context_(context), options_(options) {}

AsioNetwork::~AsioNetwork() = default;

std::unique_ptr<Connecting> AsioNetwork::connect(Endpoint to, std::optional<Address> from,
                                                 Connected connected) {
    auto core = boost::intrusive_ptr<ConnectCore>(
        new ConnectCore(context_, std::move(to), std::move(connected)));
    if (const int error = begin_connect(core, from, options_); error != 0) {
        asio::post(context_, [core, error] { core->finish(error); });
    }
    return std::make_unique<AsioConnecting>(std::move(core));
}

Result<std::unique_ptr<Acceptor>> AsioNetwork::listen(Endpoint at, Accepted accepted) {
    Descriptor descriptor(-1);
    int bound = bind_listener(at, true, descriptor);
    if (bound == EAFNOSUPPORT && at.address().is_v6() && at.address().is_unspecified()) {
        // A kernel without IPv6: every address is every IPv4 address.
        at.address(boost::asio::ip::address_v4::any());
        bound = bind_listener(at, true, descriptor);
    }
    if (bound != 0) {
        return listen_error(at, bound);
    }
    if (::listen(descriptor.get(), options_.backlog) != 0) return listen_error(at, errno);
    auto core =
        boost::intrusive_ptr<AcceptCore>(new AcceptCore(context_, options_, std::move(accepted)));
    error_code error;
    core->listener.assign(protocol_of(at), descriptor.get(), error);
    if (error) return listen_error(at, error.value());
    descriptor.release();
    core->wait();
    return std::unique_ptr<Acceptor>(std::make_unique<AsioAcceptor>(std::move(core)));
}

std::unique_ptr<Socket> AsioNetwork::adopt(int descriptor) {
    Descriptor owned(descriptor);
    Endpoint remote;
    auto size = static_cast<socklen_t>(remote.capacity());
    // A connection that was reset on its way here has no peer any more; its owner reads the error.
    if (::getpeername(owned.get(), remote.data(), &size) == 0) remote.resize(size);
    return wrap(context_, owned, remote);
}

Outcome check_endpoint_free(Endpoint at) {
    Descriptor descriptor(-1);
    const int error = bind_listener(at, false, descriptor);
    return error == 0 ? Outcome{} : listen_error(at, error);
}

std::string describe_socket_error(int error) {
    switch (error) {
        case ECONNREFUSED: return "connection refused";
        case ETIMEDOUT: return "no answer";
        case ENETUNREACH: return "network unreachable";
        case EHOSTUNREACH: return "host unreachable";
        case ECONNRESET: return "connection reset";
        case EPIPE: return "connection closed by the other side";
        case EADDRINUSE: return "address in use";
        case EADDRNOTAVAIL: return "address not available here";
        case EAFNOSUPPORT: return "address family not supported here";
        case EMFILE:
        case ENFILE: return "too many open files";
        default: break;
    }
    std::string text = std::generic_category().message(error);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z')
        text[0] = static_cast<char>(text[0] + 32);
    return text;
}

std::string to_string(const Endpoint& endpoint) {
    const std::string address = endpoint.address().to_string();
    const std::string port = std::to_string(endpoint.port());
    return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

}  // namespace causeway
