// SimNet: a network in memory. Endpoints are listened on and connected to as on a real one; bytes
// travel through bounded pipes by tasks of a SimLoop, without latency, and may be cut into pieces.
// Endpoints can be told to misbehave. Owner: the test; it must outlive every socket made by it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/net/socket.h"
#include "tests/support/sim_clock.h"

namespace causeway {

/// What becomes of a connection attempt to an endpoint. Where nobody listens it is refused.
enum class SimBehaviour : unsigned char {
    normal,
    refuses,
    swallows,     ///< the attempt is never answered
    unreachable,  ///< the attempt fails: no route
    silent,       ///< connects, takes every byte, and never says anything
    resets,       ///< connects and resets at once
};

struct SimNetOptions {
    std::size_t capacity = 256 * 1024;  ///< bytes under way in one direction of a connection
    std::size_t read_piece = 0;         ///< a reader gets at most so many bytes a turn; 0 = all
    std::size_t write_piece = 0;        ///< a write takes at most so many bytes; 0 = all
};

class SimConnection;

class SimNet final : public Network {
public:
    explicit SimNet(SimLoop& loop, SimNetOptions options = {});
    ~SimNet() override;

    [[nodiscard]] std::unique_ptr<Connecting> connect(Endpoint to, std::optional<Address> from,
                                                      Connected connected) override;
    /// Several acceptors on one endpoint take turns. An unspecified address listens on every one.
    [[nodiscard]] Result<std::unique_ptr<Acceptor>> listen(Endpoint at, Accepted accepted) override;
    /// Descriptors of released sockets are numbers that only this SimNet knows.
    [[nodiscard]] std::unique_ptr<Socket> adopt(int descriptor) override;

    /// Attempts that were swallowed so far meet the new behaviour, as if the answer had been slow.
    void set_behaviour(const Endpoint& at, SimBehaviour behaviour);
    /// Resets every connection whose accepting end is `at`, as a cut cable or a killed server
    /// would.
    void cut(const Endpoint& at);
    /// Applies to connections made from now on.
    void set_options(SimNetOptions options) { options_ = options; }

    /// Every endpoint that somebody tried to connect to, in order.
    [[nodiscard]] const std::vector<Endpoint>& attempts() const { return attempts_; }
    /// Attempts that neither finished nor were cancelled.
    [[nodiscard]] std::size_t pending() const { return *pending_; }
    /// Connections of which at least one end is open.
    [[nodiscard]] std::size_t connections() const;

private:
    struct Listener;
    class SimAcceptor;
    class Attempt;
    void complete(const std::shared_ptr<Attempt>& attempt);
    [[nodiscard]] std::shared_ptr<Listener> listener_at(const Endpoint& at);

    SimLoop& loop_;
    SimNetOptions options_;
    std::multimap<Endpoint, std::weak_ptr<Listener>> listeners_;
    std::map<Endpoint, SimBehaviour> behaviours_;
    std::vector<std::weak_ptr<Attempt>> swallowed_;
    std::vector<std::weak_ptr<SimConnection>> connections_;
    std::map<int, std::unique_ptr<Socket>> released_;
    std::vector<Endpoint> attempts_;
    std::shared_ptr<std::size_t> pending_ = std::make_shared<std::size_t>(0);
    std::uint16_t next_port_ = 40'000;
    std::size_t turn_ = 0;
    int next_descriptor_ = 1'000'000;

    friend class SimSocket;
};

/// "192.0.2.1", 5269 or "2001:db8::1", 5269.
Endpoint sim_endpoint(const std::string& address, std::uint16_t port);

}  // namespace causeway
