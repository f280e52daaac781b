// SystemNetwork: sockets of the operating system behind Network. The poller only reports readiness;
// bytes are moved by recv and send on the descriptor, so an idle connection holds no buffer.
// Destroying a Socket, Acceptor or Connecting closes the descriptor at once, and nothing is told
// about it any more. Owner: one shard; all of it runs on the thread of its poller, which must
// outlive it.
#pragma once

#include "gateway/base/timer_wheel.h"
#include "gateway/net/socket.h"
#include "gateway/shard/poller.h"

namespace causeway {

/// Kernel settings of the sockets that an SystemNetwork makes.
struct SocketOptions {
    int backlog = 4096;          ///< connections that the kernel completes before we accept them
    int accepts_per_turn = 64;   ///< then the other connections of the shard get their turn
    int accept_pause_ms = 100;   ///< rest after the process ran out of descriptors or memory
    int keepalive_idle_s = 600;  ///< accepted connections: silence before the first probe
    int link_keepalive_idle_s = 60;  ///< connections that we opened
    int keepalive_interval_s = 30;
    int keepalive_probes = 4;
    int link_user_timeout_ms =
        120'000;  ///< connections that we opened: data unacknowledged so long
};

class SystemNetwork final : public Network {
public:
    /// Poller and timers must outlive the network and every object made by it.
    SystemNetwork(Poller& poller, TimerWheel& timers, SocketOptions options = {});
    ~SystemNetwork() override;

    /// Failures are Cause::retry, their text a few words such as "connection refused".
    [[nodiscard]] std::unique_ptr<Connecting> connect(Endpoint to, std::optional<Address> from,
                                                      Connected connected) override;
    /// SO_REUSEPORT: each shard listens on the same endpoint and the kernel spreads connections. An
    /// IPv6 endpoint takes IPv6 only. The error names the endpoint and what to do about it.
    [[nodiscard]] Result<std::unique_ptr<Acceptor>> listen(Endpoint at, Accepted accepted) override;
    /// `descriptor` is a connected stream socket; it is closed when it cannot be taken.
    [[nodiscard]] std::unique_ptr<Socket> adopt(int descriptor) override;

private:
    Poller& poller_;
    TimerWheel& timers_;
    SocketOptions options_;
};

/// Whether nobody listens at `at` yet. SO_REUSEPORT lets two processes of one user share a port
/// without a word, so a start-up asks this once before its shards listen.
Outcome check_endpoint_free(Endpoint at);

/// A few lower-case words for an errno of connect, read or write, such as "connection refused".
std::string describe_socket_error(int error);

/// "192.0.2.1:5269" or "[2001:db8::1]:5269".
std::string to_string(const Endpoint& endpoint);

}  // namespace causeway
