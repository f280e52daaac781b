// Connector: from a list of targets to one TCP connection. Targets are tried in order, the
// addresses of each in the manner of RFC 8305: families alternate, a further attempt starts beside
// one that has not answered for a while, the first to connect wins. If what was connected turns out
// useless (TLS fails, the peer stays silent), next() goes on. Owner: the one who wants the
// connection; destroying it cancels.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/timer_wheel.h"
#include "gateway/net/resolver.h"
#include "gateway/net/socket.h"

namespace causeway {

/// Where a service may be reached.
struct ConnectTarget {
    std::string host;  ///< A-labels or an IP literal without brackets
    std::uint16_t port = 0;
    bool direct_tls = false;  ///< TLS from the first byte (XEP-0368), else STARTTLS
    /// Of its SRV record; to be shown.
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;

    /// The same place, however it was found.
    bool operator==(const ConnectTarget& other) const {
        return host == other.host && port == other.port && direct_tls == other.direct_tls;
    }
};

/// "a.example:5269" or "[2001:db8::1]:5269".
std::string to_string(const ConnectTarget& target);

/// What became of a target, to be shown.
struct TargetOutcome {
    static constexpr std::size_t addresses_told = 16;
    static constexpr std::size_t error_bytes_told = 300;

    ConnectTarget target;
    std::vector<Address> addresses = {};  ///< as far as it was looked up; the first ones
    std::string last_error = {};          ///< empty: none, or it was not tried

    void failed(const Outcome& why) { last_error = why.why().substr(0, error_bytes_told); }
};

/// A connection and the target that it leads to.
struct ConnectedTarget {
    std::unique_ptr<Socket> socket;
    ConnectTarget target;
};

struct ConnectorLimits {
    Duration stagger{250};            ///< RFC 8305 §5: before another address of the same target
    Duration target_patience{2'000};  ///< before the next target starts beside silent attempts
    Duration attempt{10'000};         ///< for one connection attempt or one look-up
    Duration total{60'000};           ///< for all of them; time between success and next() is free
    std::size_t addresses_per_family = 3;
    /// Loopback, link-local and private addresses. Switch off where strangers choose the targets.
    bool allow_private_targets = true;
    std::optional<Address> source_v4;  ///< bound before connecting
    std::optional<Address> source_v6;
};

class Connector final : private TimerTarget {
public:
    using Done = std::function<void(Result<ConnectedTarget>)>;

    /// Begins at once. `done` is called later, never from within, and may destroy the Connector.
    /// The error tells what became of each target; its cause is retry if any of them may work
    /// later.
    Connector(Network& network, Resolver& resolver, TimerWheel& timers, const Clock& clock,
              std::vector<ConnectTarget> targets, const ConnectorLimits& limits, Done done);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

    /// After a success: that connection was of no use because of `why`, whose text becomes part of
    /// the error; go on. `skip_host`: its other addresses would not do either. Calls `done` again.
    void next(const Outcome& why, bool skip_host = true);

    /// Of each target, in the order in which they are tried.
    [[nodiscard]] const std::vector<TargetOutcome>& outcomes() const { return outcomes_; }

private:
    struct Candidate {
        std::size_t target = 0;
        Address address;
    };
    struct Attempt {
        Candidate candidate;
        std::uint32_t id = 0;
        std::unique_ptr<Connecting> connecting;
        Timer deadline;
    };
    struct Failure {
        std::string target;
        std::string why;
        bool operator==(const Failure&) const = default;
    };
    /// What is told if nothing of it works.
    struct Verdict {
        std::vector<Failure> failures;
        Cause cause = Cause::absent;
    };
    struct Timers {
        Timer stagger;
        Timer total;
        Timer look_up;
        Timer finish;
    };

    void on_timer(std::uint32_t which) override;
    void proceed();
    void resolve(std::size_t target);
    void on_addresses(std::size_t target, const Result<AddressAnswer>& answer);
    void enqueue(std::size_t target, const std::vector<Address>& addresses);
    void start(Candidate candidate);
    void on_connected(std::uint32_t id, Result<std::unique_ptr<Socket>> result);
    void give_up(std::uint32_t id, const Outcome& why);
    void hand_over(std::list<Attempt>::iterator winner, std::unique_ptr<Socket> socket);
    void record(std::size_t target, const Outcome& why);
    void record_rest();
    void finish();
    [[nodiscard]] bool next_is_same_target(std::size_t target) const;

    Network& network_;
    Resolver& resolver_;
    TimerWheel& timers_;
    const Clock& clock_;
    std::vector<ConnectTarget> targets_;
    std::vector<TargetOutcome> outcomes_;
    ConnectorLimits limits_;
    Done done_;
    std::size_t next_target_ = 0;
    std::optional<std::size_t> resolving_;
    std::deque<Candidate> ready_;
    std::vector<Candidate> later_;  ///< cancelled by another's success, without a verdict
    std::list<Attempt> running_;
    std::optional<std::size_t> handed_;  ///< the target whose connection the owner has
    std::uint32_t next_id_;
    Duration time_left_;
    TimePoint resumed_;
    Verdict verdict_;
    Timers timed_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// Whether `address` is one that anybody on the Internet could mean: not loopback, private,
/// link-local, shared, unspecified, multicast or reserved, nor an IPv6 form of such.
bool is_public_address(const Address& address);

}  // namespace causeway
