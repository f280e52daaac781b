#include "gateway/net/system_network.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace causeway {
namespace {

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

int open_stream(const Endpoint& endpoint) {
    return ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
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

Endpoint local_of(int descriptor) {
    Endpoint local;
    auto size = static_cast<socklen_t>(local.capacity());
    if (::getsockname(descriptor, local.data(), &size) == 0) local.resize(size);
    return local;
}

class SystemSocket final : public Socket, private Polled {
public:
    SystemSocket(Poller& poller, Endpoint remote) : Polled(poller), remote_(std::move(remote)) {}
    ~SystemSocket() override {
        if (const int open = release(); open >= 0) ::close(open);
    }
    /// False when the poller cannot watch it; the descriptor stays the caller's then.
    [[nodiscard]] bool take(int descriptor) { return watch(descriptor); }

    IoResult read(std::span<char> into) override {
        if (into.empty()) return {};
        ssize_t got = 0;
        do {
            got = ::recv(descriptor(), into.data(), into.size(), 0);
        } while (got < 0 && errno == EINTR);
        if (got == 0) return {IoResult::Status::end, 0, 0};
        if (got > 0 && static_cast<std::size_t>(got) < into.size()) short_read();
        return result_of(got, Direction::read);
    }

    IoResult write(std::string_view bytes) override {
        if (bytes.empty()) return {IoResult::Status::ok, 0, 0};
        ssize_t sent = 0;
        do {
            sent = ::send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
        return result_of(sent, Direction::write);
    }

    void shutdown_write() override { ::shutdown(descriptor(), SHUT_WR); }
    void set_handler(SocketHandler* handler) override { handler_ = handler; }
    void expect_life(std::chrono::seconds within) override;
    void want_read() override { want(Direction::read); }
    void want_write() override { want(Direction::write); }
    // Kept, since the kernel forgets it when the connection is reset.
    [[nodiscard]] Endpoint remote() const override { return remote_; }
    [[nodiscard]] Endpoint local() const override { return local_of(descriptor()); }

    int release() override {
        const int released = descriptor();
        unwatch();
        handler_ = nullptr;
        return released;
    }

private:
    void on_ready(Direction direction) override {
        // An error shows itself, with its number, in the owner's next read or write.
        if (handler_ == nullptr) return;
        if (direction == Direction::write) {
            handler_->on_writable();
        } else {
            handler_->on_readable();
        }
    }

    IoResult result_of(ssize_t moved, Direction direction) {
        if (moved >= 0) return {IoResult::Status::ok, static_cast<std::size_t>(moved), 0};
        const int error = errno;
        if (error != EAGAIN && error != EWOULDBLOCK) return {IoResult::Status::failed, 0, error};
        would_block(direction);
        return {};
    }

    SocketHandler* handler_ = nullptr;
    Endpoint remote_;
};

void SystemSocket::expect_life(std::chrono::seconds within) {
    const auto bound = static_cast<int>(within.count());
    SocketOptions options;
    if (bound == 0) {
        set_keepalive(descriptor(), options, options.keepalive_idle_s);
        set_option(descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, options.link_user_timeout_ms);
        return;
    }
    // Half of the time in silence; then three probes, or data that waits for its acknowledgement,
    // have the other half.
    options.keepalive_interval_s = std::max(1, bound / 6);
    options.keepalive_probes = 3;
    set_keepalive(descriptor(), options, std::max(1, bound / 2));
    set_option(descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, std::max(1, bound / 2) * 1000);
}

/// Wraps a connected descriptor; nullptr, and closed, when the poller cannot watch it.
std::unique_ptr<Socket> wrap(Poller& poller, Descriptor& descriptor, Endpoint remote) {
    auto socket = std::make_unique<SystemSocket>(poller, std::move(remote));
    if (!socket->take(descriptor.get())) {
        descriptor.reset(-1);
        return nullptr;
    }
    descriptor.release();
    return socket;
}

class SystemConnecting final : public Connecting, private Polled {
public:
    SystemConnecting(Poller& poller, Endpoint to, Network::Connected connected)
        : Polled(poller), loop_(poller), to_(std::move(to)), connected_(std::move(connected)) {}
    ~SystemConnecting() override { unwatch(); }

    void begin(const std::optional<Address>& from, const SocketOptions& options) {
        error_ = start(from, options);
        if (error_ == 0) {
            want(Direction::write);
        } else {
            force_ready(Direction::write);
        }
    }

private:
    /// Opens and starts the attempt; an errno when it could not even begin.
    int start(const std::optional<Address>& from, const SocketOptions& options) {
        socket_.reset(open_stream(to_));
        if (!socket_.valid()) return errno;
        set_link_options(socket_.get(), options);
        if (from) {
            // The port is chosen at connect, when the whole four-tuple is known.
            set_option(socket_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
            if (!bind_to(socket_.get(), Endpoint(*from, 0))) return errno;
        }
        const int done = ::connect(socket_.get(), to_.data(), static_cast<socklen_t>(to_.size()));
        // An interrupted attempt goes on like one in progress.
        if (done != 0 && errno != EINPROGRESS && errno != EINTR) return errno;
        return watch(socket_.get()) ? 0 : errno;
    }

    void on_ready(Direction) override {
        unwatch();
        if (error_ == 0) {
            socklen_t size = sizeof error_;
            if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error_, &size) != 0) {
                error_ = errno;
            }
        }
        // With no listener on an ephemeral port TCP can connect a socket to itself.
        if (error_ == 0 && local_of(socket_.get()) == to_) error_ = ECONNREFUSED;
        // The callback may destroy this object.
        const Network::Connected call = std::exchange(connected_, nullptr);
        if (error_ == 0) {
            if (auto wrapped = wrap(loop_, socket_, to_)) {
                call(std::move(wrapped));
                return;
            }
            error_ = ENOMEM;
        }
        socket_.reset(-1);
        call(Outcome::retry(describe_socket_error(error_)));
    }

    Poller& loop_;
    Descriptor socket_{-1};
    Endpoint to_;
    Network::Connected connected_;
    int error_ = 0;
};

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

class SystemAcceptor final : public Acceptor, private Polled, private TimerTarget {
public:
    SystemAcceptor(Poller& poller, TimerWheel& timers, const SocketOptions& options,
                   Network::Accepted accepted)
        : Polled(poller),
          loop_(poller),
          timers_(timers),
          options_(options),
          spare_(open_spare()),
          accepted_(std::make_shared<Network::Accepted>(std::move(accepted))) {}
    ~SystemAcceptor() override { unwatch(); }

    /// False when the poller cannot watch it.
    [[nodiscard]] bool take(Descriptor& listener) {
        if (!watch(listener.get())) return false;
        listener_.reset(listener.release());
        want(Direction::read);
        return true;
    }

    [[nodiscard]] Endpoint local() const override { return local_of(listener_.get()); }

private:
    void on_ready(Direction) override {
        const std::shared_ptr<Network::Accepted> accepted = accepted_;
        for (int done = 0; done < options_.accepts_per_turn; ++done) {
            Endpoint remote;
            Descriptor descriptor(accept_one(remote));
            if (!descriptor.valid()) {
                if (errno == EAGAIN || errno == EWOULDBLOCK) {
                    would_block(Direction::read);
                    break;
                }
                if (out_of_resources(errno)) return turn_away_and_rest();
                // Anything else is the fault of that one connection, which is gone already.
                continue;
            }
            set_option(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, 1);
            set_keepalive(descriptor.get(), options_, options_.keepalive_idle_s);
            if (auto socket = wrap(loop_, descriptor, remote)) (*accepted)(std::move(socket));
            if (accepted.use_count() == 1) return;  // the callback destroyed this object
        }
        want(Direction::read);
    }

    int accept_one(Endpoint& remote) {
        auto size = static_cast<socklen_t>(remote.capacity());
        const int descriptor =
            ::accept4(listener_.get(), remote.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) remote.resize(size);
        return descriptor;
    }

    /// Out of descriptors or memory: the callers who wait are told so by a close. Then the acceptor
    /// rests, because the listener stays readable and would otherwise keep the thread busy.
    void turn_away_and_rest() {
        spare_.reset(-1);
        for (int done = 0; done < options_.accepts_per_turn; ++done) {
            Endpoint remote;
            const Descriptor unwanted(accept_one(remote));
            if (!unwanted.valid()) break;
        }
        spare_.reset(open_spare());
        timers_.arm(rest_, Duration(options_.accept_pause_ms), *this);
    }

    void on_timer(std::uint32_t) override {
        if (!spare_.valid()) spare_.reset(open_spare());
        want(Direction::read);
    }

    Poller& loop_;
    TimerWheel& timers_;
    SocketOptions options_;
    Descriptor listener_{-1};
    Timer rest_;
    Descriptor spare_;  // given up for a moment to turn callers away when no other is left
    std::shared_ptr<Network::Accepted> accepted_;  // counted: a call of it may destroy us
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

SystemNetwork::SystemNetwork(Poller& poller, TimerWheel& timers, SocketOptions options)
    : poller_(poller), timers_(timers), options_(options) {}

SystemNetwork::~SystemNetwork() = default;

std::unique_ptr<Connecting> SystemNetwork::connect(Endpoint to, std::optional<Address> from,
                                                   Connected connected) {
    auto connecting =
        std::make_unique<SystemConnecting>(poller_, std::move(to), std::move(connected));
    connecting->begin(from, options_);
    return connecting;
}

Result<std::unique_ptr<Acceptor>> SystemNetwork::listen(Endpoint at, Accepted accepted) {
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
    auto acceptor =
        std::make_unique<SystemAcceptor>(poller_, timers_, options_, std::move(accepted));
    if (!acceptor->take(descriptor)) return listen_error(at, errno);
    return std::unique_ptr<Acceptor>(std::move(acceptor));
}

std::unique_ptr<Socket> SystemNetwork::adopt(int descriptor) {
    Descriptor owned(descriptor);
    Endpoint remote;
    auto size = static_cast<socklen_t>(remote.capacity());
    // A connection that was reset on its way here has no peer any more; its owner reads the error.
    if (::getpeername(owned.get(), remote.data(), &size) == 0) remote.resize(size);
    return wrap(poller_, owned, remote);
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
    boost::asio::ip::address address = endpoint.address();
    // Somebody who came by IPv4 to a listener for both families.
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
    }
    const std::string port = std::to_string(endpoint.port());
    return address.is_v6() ? "[" + address.to_string() + "]:" + port
                           : address.to_string() + ":" + port;
}

}  // namespace causeway
