#include "gateway/net/connector.h"

#include <algorithm>
#include <array>
#include <utility>

namespace causeway {
namespace {

namespace ip = boost::asio::ip;

enum TimerName : std::uint32_t {
    stagger_over,
    total_over,
    look_up_over,
    nothing_left,
    first_attempt
};

/// Beyond this an error says only how many more there were: it ends up in a stanza.
constexpr std::size_t failures_told = 6;

std::string in_seconds(Duration time) {
    const auto count = std::chrono::duration_cast<std::chrono::seconds>(time).count();
    return std::to_string(std::max<std::int64_t>(count, 1)) + " s";
}

struct Block {
    std::array<unsigned char, 4> prefix;
    unsigned bits;
};

// RFC 6890 and its successors, as far as they are not globally reachable.
constexpr std::array<Block, 14> special_v4 = {{{{0, 0, 0, 0}, 8},
                                               {{10, 0, 0, 0}, 8},
                                               {{100, 64, 0, 0}, 10},
                                               {{127, 0, 0, 0}, 8},
                                               {{169, 254, 0, 0}, 16},
                                               {{172, 16, 0, 0}, 12},
                                               {{192, 0, 0, 0}, 24},
                                               {{192, 0, 2, 0}, 24},
                                               {{192, 168, 0, 0}, 16},
                                               {{198, 18, 0, 0}, 15},
                                               {{198, 51, 100, 0}, 24},
                                               {{203, 0, 113, 0}, 24},
                                               {{224, 0, 0, 0}, 4},
                                               {{240, 0, 0, 0}, 4}}};

bool is_public(const ip::address_v4& address) {
    const std::uint32_t value = address.to_uint();
    return std::none_of(special_v4.begin(), special_v4.end(), [value](const Block& block) {
        return (value ^ ip::address_v4(block.prefix).to_uint()) >> (32U - block.bits) == 0;
    });
}

ip::address_v4 last_four(const ip::address_v6::bytes_type& bytes, std::size_t at) {
    return ip::address_v4({bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]});
}

bool begins_with(const ip::address_v6::bytes_type& bytes,
                 std::initializer_list<unsigned char> prefix) {
    return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

bool is_public(const ip::address_v6& address) {
    const auto bytes = address.to_bytes();
    if (address.is_v4_mapped()) return is_public(last_four(bytes, 12));
    // NAT64 and 6to4 carry an IPv4 address that decides.
    if (begins_with(bytes, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) {
        return is_public(last_four(bytes, 12));
    }
    if (begins_with(bytes, {0x20, 0x02})) return is_public(last_four(bytes, 2));
    // Only 2000::/3 is given out; of that a block is for documentation, and one for Teredo.
    return (bytes[0] & 0xe0) == 0x20 && !begins_with(bytes, {0x20, 0x01, 0x0d, 0xb8}) &&
           !begins_with(bytes, {0x20, 0x01, 0, 0});
}

/// Nobody can mean these, whatever the policy.
bool is_nonsense(const Address& address) {
    return address.is_multicast() || address.is_unspecified() ||
           (address.is_v4() && address.to_v4() == ip::address_v4::broadcast());
}

/// At most `per_family` of each family, alternating, IPv6 first (RFC 8305 §4).
std::vector<Address> interleave(const std::vector<Address>& addresses, std::size_t per_family) {
    std::array<std::vector<Address>, 2> families;
    for (const Address& address : addresses) {
        auto& family = families[address.is_v6() ? 0 : 1];
        if (family.size() < per_family) family.push_back(address);
    }
    std::vector<Address> order;
    for (std::size_t i = 0; i < per_family; ++i) {
        for (const auto& family : families) {
            if (i < family.size()) order.push_back(family[i]);
        }
    }
    return order;
}

}  // namespace

bool is_public_address(const Address& address) {
    return address.is_v4() ? is_public(address.to_v4()) : is_public(address.to_v6());
}

std::string to_string(const ConnectTarget& target) {
    const bool six = target.host.find(':') != std::string::npos;
    return (six ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
}

Connector::Connector(Network& network, Resolver& resolver, TimerWheel& timers, const Clock& clock,
                     std::vector<ConnectTarget> targets, const ConnectorLimits& limits, Done done)
    : network_(network),
      resolver_(resolver),
      timers_(timers),
      clock_(clock),
      targets_(std::move(targets)),
      limits_(limits),
      done_(std::move(done)),
      next_id_(first_attempt),
      time_left_(limits.total),
      resumed_(clock.now()) {
    outcomes_.reserve(targets_.size());
    for (const ConnectTarget& target : targets_) outcomes_.push_back({.target = target});
    timers_.arm(timed_.total, time_left_, *this, total_over);
    proceed();
}

Connector::~Connector() = default;

void Connector::on_timer(std::uint32_t which) {
    switch (which) {
        case stagger_over: return proceed();
        case total_over: record_rest(); return finish();
        case look_up_over:
            // A late answer finds that nobody waits for it any more.
            record(*std::exchange(resolving_, std::nullopt),
                   Outcome::retry("no address in " + in_seconds(limits_.attempt)));
            return proceed();
        case nothing_left: return finish();
        default:
            return give_up(which, Outcome::retry("no answer in " + in_seconds(limits_.attempt)));
    }
}

/// The time for everything is over: what became of those without a verdict.
void Connector::record_rest() {
    const Outcome silent = Outcome::retry("no answer in " + in_seconds(limits_.total));
    const Outcome untried = Outcome::retry("not tried for lack of time");
    for (const Attempt& attempt : running_) record(attempt.candidate.target, silent);
    if (resolving_) record(*resolving_, Outcome::retry("no address in time"));
    for (const Candidate& candidate : ready_) record(candidate.target, untried);
    for (; next_target_ < targets_.size(); ++next_target_) record(next_target_, untried);
}

/// Starts whatever is next, or ends when nothing is left and nothing is under way.
void Connector::proceed() {
    if (ready_.empty() && !resolving_ && next_target_ < targets_.size()) {
        resolve(next_target_++);
        return;
    }
    if (ready_.empty() && !resolving_ && running_.empty() && !later_.empty()) {
        ready_.assign(later_.begin(), later_.end());
        later_.clear();
    }
    if (!ready_.empty()) {
        const Candidate candidate = ready_.front();
        ready_.pop_front();
        start(candidate);
        return;
    }
    // Not from within: the owner may be in the middle of creating us or of calling next().
    if (!resolving_ && running_.empty())
        timers_.arm(timed_.finish, Duration(0), *this, nothing_left);
}

void Connector::resolve(std::size_t target) {
    resolving_ = target;
    timers_.arm(timed_.look_up, limits_.attempt, *this, look_up_over);
    resolver_.addresses(targets_[target].host,
                        [this, target, alive = std::weak_ptr<bool>(alive_)](auto answer) {
                            if (!alive.expired()) on_addresses(target, answer);
                        });
}

void Connector::on_addresses(std::size_t target, const Result<AddressAnswer>& answer) {
    if (resolving_ != target) return;
    resolving_.reset();
    timed_.look_up.cancel();
    if (answer.ok()) {
        enqueue(target, answer->addresses);
    } else {
        record(target, answer.error());
    }
    proceed();
}

void Connector::enqueue(std::size_t target, const std::vector<Address>& addresses) {
    std::vector<Address> allowed;
    const std::size_t told = std::min(addresses.size(), TargetOutcome::addresses_told);
    outcomes_[target].addresses.assign(addresses.begin(),
                                       addresses.begin() + static_cast<std::ptrdiff_t>(told));
    if (addresses.empty()) return record(target, Outcome::absent("has no address"));
    for (const Address& address : addresses) {
        const bool forbidden = !limits_.allow_private_targets && !is_public_address(address);
        if (!forbidden && !is_nonsense(address)) allowed.push_back(address);
    }
    if (allowed.empty()) {
        record(target, Outcome::policy("has only addresses that policy forbids, such as " +
                                       addresses.front().to_string()));
    }
    for (const Address& address : interleave(allowed, limits_.addresses_per_family)) {
        ready_.push_back({target, address});
    }
}

void Connector::start(Candidate candidate) {
    Attempt& attempt = running_.emplace_back();
    attempt.candidate = candidate;
    attempt.id = next_id_++;
    timers_.arm(attempt.deadline, limits_.attempt, *this, attempt.id);
    timers_.arm(timed_.stagger,
                next_is_same_target(candidate.target) ? limits_.stagger : limits_.target_patience,
                *this, stagger_over);
    const Endpoint endpoint(candidate.address, targets_[candidate.target].port);
    attempt.connecting = network_.connect(
        endpoint, candidate.address.is_v6() ? limits_.source_v6 : limits_.source_v4,
        [this, id = attempt.id](auto result) { on_connected(id, std::move(result)); });
}

bool Connector::next_is_same_target(std::size_t target) const {
    return !ready_.empty() && ready_.front().target == target;
}

void Connector::on_connected(std::uint32_t id, Result<std::unique_ptr<Socket>> result) {
    if (!result.ok()) return give_up(id, result.error());
    const auto winner = std::find_if(running_.begin(), running_.end(),
                                     [id](const Attempt& attempt) { return attempt.id == id; });
    if (winner != running_.end()) hand_over(winner, std::move(*result));
}

void Connector::give_up(std::uint32_t id, const Outcome& why) {
    const auto found = std::find_if(running_.begin(), running_.end(),
                                    [id](const Attempt& attempt) { return attempt.id == id; });
    if (found == running_.end()) return;
    const std::size_t target = found->candidate.target;
    record(target, why);
    running_.erase(found);
    // A failure makes room at once for another address, but a later target waits while an earlier
    // one may still answer.
    if (running_.empty() || next_is_same_target(target)) {
        timed_.stagger.cancel();
        proceed();
    }
}

void Connector::hand_over(std::list<Attempt>::iterator winner, std::unique_ptr<Socket> socket) {
    const std::size_t target = winner->candidate.target;
    for (const Attempt& attempt : running_) {
        if (attempt.id != winner->id) later_.push_back(attempt.candidate);
    }
    running_.clear();
    if (resolving_) next_target_ = *std::exchange(resolving_, std::nullopt);
    timed_.stagger.cancel();
    timed_.look_up.cancel();
    timed_.total.cancel();
    time_left_ -= std::min(time_left_, clock_.now() - resumed_);
    handed_ = target;
    outcomes_[target].last_error.clear();
    const Done done = done_;
    done(ConnectedTarget{std::move(socket), targets_[target]});
}

void Connector::next(const Outcome& why, bool skip_host) {
    if (!handed_) return;
    const std::size_t target = *std::exchange(handed_, std::nullopt);
    record(target, why);
    if (skip_host) {
        const auto same = [target](const Candidate& other) { return other.target == target; };
        std::erase_if(ready_, same);
        std::erase_if(later_, same);
    }
    resumed_ = clock_.now();
    timers_.arm(timed_.total, time_left_, *this, total_over);
    proceed();
}

void Connector::record(std::size_t target, const Outcome& why) {
    // Whatever may work later outweighs what never will; a rule outweighs mere absence.
    const bool lasting = why.cause() == Cause::absent || why.cause() == Cause::policy;
    if (!lasting) verdict_.cause = Cause::retry;
    if (why.cause() == Cause::policy && verdict_.cause == Cause::absent)
        verdict_.cause = Cause::policy;
    outcomes_[target].failed(why);
    Failure failure{to_string(targets_[target]), why.why()};
    if (std::find(verdict_.failures.begin(), verdict_.failures.end(), failure) ==
        verdict_.failures.end()) {
        verdict_.failures.push_back(std::move(failure));
    }
}

void Connector::finish() {
    running_.clear();
    ready_.clear();
    later_.clear();
    resolving_.reset();
    for (Timer* timer : {&timed_.stagger, &timed_.total, &timed_.look_up, &timed_.finish})
        timer->cancel();
    std::string text = verdict_.failures.empty() ? "there is no target to connect to" : "";
    for (std::size_t i = 0; i < verdict_.failures.size() && i < failures_told; ++i) {
        text += (i == 0 ? "" : "; ") + verdict_.failures[i].target + " " + verdict_.failures[i].why;
    }
    if (verdict_.failures.size() > failures_told) {
        text += "; and " + std::to_string(verdict_.failures.size() - failures_told) + " more";
    }
    const Done done = done_;
    done(Outcome(verdict_.cause, std::move(text)));
}

}  // namespace causeway
