// Non-blocking TCP with TLS through the engine's shared buffers.
#include "tools/bench/connection.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace causeway::bench {
namespace {

constexpr std::size_t receive_bytes = 65536;

// One thread runs everything, so all connections may share these.
std::array<char, receive_bytes>& receive_buffer() {
    static std::array<char, receive_bytes> buffer;
    return buffer;
}

std::string& ciphertext_buffer() {
    static std::string buffer;
    return buffer;
}

std::string system_reason(std::string_view what, int error) {
    return fmt::format("{}: {}", what, std::strerror(error));
}

}  // namespace

std::optional<Address> parse_address(const std::string& literal, std::uint16_t port) {
    Address address;
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    if (::inet_pton(AF_INET, literal.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        address.length = sizeof(sockaddr_in);
        return address;
    }
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    if (::inet_pton(AF_INET6, literal.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        address.length = sizeof(sockaddr_in6);
        return address;
    }
    return std::nullopt;
}

Connection::Connection(EventLoop& loop, TlsEngine& engine, ConnectionObserver& observer)
    : loop_(loop), engine_(engine), observer_(observer) {}

Connection::~Connection() { close(); }

Failure Connection::connect(const Address& address) {
    descriptor_ =
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) {
        return system_reason("cannot create a socket", errno);
    }
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    state_ = State::connecting;
    const auto* target = reinterpret_cast<const sockaddr*>(&address.storage);
    if (::connect(descriptor_, target, address.length) != 0 && errno != EINPROGRESS) {
        Failure failure = system_reason("cannot connect", errno);
        close();
        return failure;
    }
    if (!loop_.add(descriptor_, EPOLLOUT, *this)) {
        Failure failure = system_reason("cannot watch a socket", errno);
        close();
        return failure;
    }
    return std::nullopt;
}

void Connection::start_tls(const std::string& domain, std::string_view protocol) {
    tls_.emplace(engine_, domain, protocol);
    feed_tls({});
}

void Connection::send(std::string_view bytes) {
    outbox_.append(bytes);
    want_flush();
}

void Connection::close() {
    if (descriptor_ < 0) {
        return;
    }
    if (tls_ && tls_open_ && unsent_.empty()) {
        std::string& alert = ciphertext_buffer();
        alert.clear();
        tls_->close(alert);
        // Nothing is owed to a peer that cannot take the alert at once.
        [[maybe_unused]] const auto sent =
            ::send(descriptor_, alert.data(), alert.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    loop_.remove(descriptor_, *this);
    ::close(descriptor_);
    descriptor_ = -1;
    state_ = State::idle;
    flush_wanted_ = false;
    tls_open_ = false;
    outbox_.clear();
    unsent_.clear();
}

std::string Connection::tls_description() const {
    return tls_ ? tls_->description() : std::string();
}

void Connection::on_events(std::uint32_t events) {
    if (state_ == State::connecting) {
        finish_connecting();
        return;
    }
    if ((events & EPOLLOUT) != 0 && !unsent_.empty()) {
        std::string rest;
        rest.swap(unsent_);
        write(rest);
        if (state_ == State::open && unsent_.empty() &&
            !loop_.modify(descriptor_, EPOLLIN, *this)) {
            disconnect("cannot watch a socket");
        }
    }
    if (state_ == State::open && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_once();
    }
}

void Connection::finish_connecting() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        disconnect(system_reason("cannot connect", error));
        return;
    }
    state_ = State::open;
    tls_.reset();
    if (!loop_.modify(descriptor_, EPOLLIN, *this)) {
        disconnect("cannot watch a socket");
        return;
    }
    observer_.on_connected();
}

void Connection::read_once() {
    auto& buffer = receive_buffer();
    const ssize_t size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (size > 0) {
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
        if (tls_) {
            feed_tls(bytes);
        } else {
            observer_.on_bytes(bytes);
        }
    } else if (size == 0) {
        disconnect("the server closed the connection");
    } else if (errno != EAGAIN && errno != EINTR) {
        disconnect(system_reason("connection lost", errno));
    }
}

void Connection::feed_tls(std::string_view ciphertext) {
    std::string& answer = ciphertext_buffer();
    answer.clear();
    const TlsStream::Status status = tls_->feed(ciphertext, answer, [this](std::string_view bytes) {
        if (state_ == State::open) {
            observer_.on_bytes(bytes);
        }
    });
    if (state_ != State::open) {
        return;
    }
    if (!answer.empty()) {
        write(answer);
    }
    if (state_ == State::open && status == TlsStream::Status::open && !tls_open_) {
        tls_open_ = true;
        observer_.on_secured();
    } else if (status == TlsStream::Status::closed) {
        disconnect("the server closed the connection");
    } else if (status == TlsStream::Status::failed) {
        disconnect(fmt::format("TLS failed: {}", tls_->failure_reason()));
    }
}

void Connection::write(std::string_view bytes) {
    if (!unsent_.empty()) {
        unsent_.append(bytes);
    } else {
        ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            disconnect(system_reason("connection lost", errno));
            return;
        }
        sent = sent < 0 ? 0 : sent;
        if (static_cast<std::size_t>(sent) == bytes.size()) {
            return;
        }
        unsent_.assign(bytes.substr(static_cast<std::size_t>(sent)));
        if (!loop_.modify(descriptor_, EPOLLIN | EPOLLOUT, *this)) {
            disconnect("cannot watch a socket");
            return;
        }
    }
    if (unsent_.size() > max_unsent_bytes) {
        disconnect("the server does not read what it is sent");
    }
}

void Connection::on_turn_end() {
    if (state_ != State::open) {
        flush_wanted_ = false;
        return;
    }
    observer_.on_before_flush();
    flush_wanted_ = false;
    if (outbox_.empty()) {
        return;
    }
    if (!tls_) {
        write(outbox_);
    } else {
        std::string& ciphertext = ciphertext_buffer();
        ciphertext.clear();
        if (!tls_->encrypt(outbox_, ciphertext)) {
            disconnect(fmt::format("TLS failed: {}", tls_->failure_reason()));
            return;
        }
        write(ciphertext);
    }
    outbox_.clear();
}

void Connection::want_flush() {
    if (!flush_wanted_) {
        flush_wanted_ = true;
        loop_.flush_at_turn_end(*this);
    }
}

void Connection::disconnect(const std::string& reason) {
    close();
    observer_.on_disconnected(reason);
}

}  // namespace causeway::bench
