#include "s2s/discover.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "gateway/base/random.h"

namespace causeway {
namespace {

using std::chrono::seconds;

constexpr std::uint16_t server_port = 5269;

struct Service {
    const char* prefix;
    bool direct_tls;
};
constexpr std::array<Service, 2> services = {
    {{"_xmpps-server._tcp.", true}, {"_xmpp-server._tcp.", false}}};

struct Candidate {
    SrvRecord record;
    bool direct_tls = false;
};

/// What the SRV answer of one service amounts to.
enum class Verdict : unsigned char { records, refused, absent, unknown, silent };

Verdict verdict_of(const Result<SrvAnswer>& answer) {
    if (!answer.ok()) {
        return answer.error().cause() == Cause::absent ? Verdict::absent : Verdict::unknown;
    }
    if (answer->records.empty()) return Verdict::silent;
    const bool any = std::any_of(answer->records.begin(), answer->records.end(),
                                 [](const SrvRecord& record) { return !record.target.empty(); });
    return any ? Verdict::records : Verdict::refused;
}

/// RFC 2782: moves a record chosen by weight to the front of [first, last). Those of weight zero
/// come first in the running sum, so that each has a small chance.
void choose_by_weight(std::vector<Candidate>::iterator first, std::vector<Candidate>::iterator last,
                      const std::function<std::uint64_t(std::uint64_t)>& random) {
    std::stable_partition(first, last,
                          [](const Candidate& item) { return item.record.weight == 0; });
    std::uint64_t sum = 0;
    for (auto item = first; item != last; ++item) sum += item->record.weight;
    // Zero is the chance of those without weight; without any of them it would go to the first.
    const std::uint64_t chosen = first->record.weight == 0 ? random(sum + 1) : 1 + random(sum);
    std::uint64_t running = 0;
    for (auto item = first; item != last; ++item) {
        running += item->record.weight;
        if (running < chosen) continue;
        std::rotate(first, item, item + 1);
        return;
    }
}

void order(std::vector<Candidate>& candidates,
           const std::function<std::uint64_t(std::uint64_t)>& random) {
    std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
        return a.record.priority < b.record.priority;
    });
    for (auto first = candidates.begin(); first != candidates.end();) {
        const auto last = std::find_if(first, candidates.end(), [first](const Candidate& item) {
            return item.record.priority != first->record.priority;
        });
        // Equal weights of zero would always leave the order of the reply: shuffle those by hand.
        if (std::all_of(first, last, [](const Candidate& i) { return i.record.weight == 0; })) {
            for (auto at = first; at != last; ++at) {
                const auto count = static_cast<std::uint64_t>(last - at);
                std::iter_swap(at, at + static_cast<std::ptrdiff_t>(random(count)));
            }
        } else {
            for (auto at = first; at != last; ++at) choose_by_weight(at, last, random);
        }
        first = last;
    }
}

class Search final : public Discovery, private TimerTarget {
public:
    Search(const std::string& domain, Resolver& resolver, TimerWheel& timers,
           DiscoveryLimits limits, Done done)
        : domain_(domain), resolver_(resolver), limits_(std::move(limits)), done_(std::move(done)) {
        if (!limits_.random) limits_.random = &random_below;
        if (const auto literal = as_literal(domain_)) {
            ask_addresses(*literal);
            return;
        }
        timers.arm(patience_, limits_.patience, *this);
        for (std::size_t i = 0; i < services.size(); ++i) {
            if (services[i].direct_tls && !limits_.direct_tls) {
                answers_[i] = Outcome::absent("direct TLS is switched off");
                continue;
            }
            resolver_.srv(services[i].prefix + domain_,
                          [this, i, alive = std::weak_ptr<bool>(alive_)](auto answer) {
                              if (!alive.expired()) on_srv(i, std::move(answer));
                          });
        }
    }

private:
    static std::optional<std::string> as_literal(std::string host) {
        if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
            host = host.substr(1, host.size() - 2);
        }
        boost::system::error_code error;
        const Address address = boost::asio::ip::make_address(host, error);
        if (error) return std::nullopt;
        return address.to_string();
    }

    /// What has not been answered by now is taken as silence.
    void on_timer(std::uint32_t) override {
        for (auto& answer : answers_) {
            if (!answer) answer = SrvAnswer{};
        }
        decide();
    }

    void on_srv(std::size_t service, Result<SrvAnswer> answer) {
        if (answers_[service]) return;  // too late
        answers_[service] = std::move(answer);
        if (std::all_of(answers_.begin(), answers_.end(),
                        [](const auto& a) { return a.has_value(); })) {
            decide();
        }
    }

    void decide() {
        patience_.cancel();
        const Result<SrvAnswer>& direct = *answers_[0];
        const Result<SrvAnswer>& plain = *answers_[1];
        const Verdict of_direct = verdict_of(direct);
        const Verdict of_plain = verdict_of(plain);
        if (of_direct == Verdict::records || of_plain == Verdict::records) return use_records();
        // A server may be behind the answer that failed: to fall back now would be to guess.
        if (of_plain == Verdict::unknown) return finish(unknown(plain));
        if (of_direct == Verdict::unknown) return finish(unknown(direct));
        if (of_plain == Verdict::refused) {
            return finish(
                Outcome::absent(domain_ + " offers no federation (its SRV target is \".\")"));
        }
        // No record, no answer, or only "no direct TLS here": the domain itself is the server
        // (RFC 6120 §3.2.2).
        ask_addresses(domain_);
    }

    Outcome unknown(const Result<SrvAnswer>& answer) const {
        return {answer.error().cause(),
                "cannot find the server of " + domain_ + " now: " + answer.error().why()};
    }

    void use_records() {
        std::vector<Candidate> candidates;
        seconds ttl = seconds::max();
        for (std::size_t i = 0; i < services.size(); ++i) {
            const Result<SrvAnswer>& answer = *answers_[i];
            if (!answer.ok() || answer->records.empty()) continue;
            ttl = std::min(ttl, answer->ttl);
            for (const SrvRecord& record : answer->records) {
                if (record.target.empty()) continue;
                candidates.push_back({record, services[i].direct_tls});
            }
        }
        order(candidates, limits_.random);
        Targets targets{{}, ttl, true};
        for (const Candidate& candidate : candidates) {
            if (targets.list.size() == limits_.targets) break;
            ConnectTarget target{candidate.record.target, candidate.record.port,
                                 candidate.direct_tls, candidate.record.priority,
                                 candidate.record.weight};
            if (std::find(targets.list.begin(), targets.list.end(), target) == targets.list.end()) {
                targets.list.push_back(std::move(target));
            }
        }
        finish(std::move(targets));
    }

    void ask_addresses(const std::string& host) {
        resolver_.addresses(host, [this, host, alive = std::weak_ptr<bool>(alive_)](auto answer) {
            if (!alive.expired()) on_addresses(host, answer);
        });
    }

    void on_addresses(const std::string& host, const Result<AddressAnswer>& answer) {
        if (answer.ok()) {
            return finish(Targets{{{host, server_port, false}}, answer->ttl, false});
        }
        if (answer.error().cause() == Cause::absent) {
            return finish(Outcome::absent("no such domain: " + domain_ +
                                          " has neither an SRV record nor an address"));
        }
        finish(Outcome(answer.error().cause(),
                       "cannot find the server of " + domain_ + " now: " + answer.error().why()));
    }

    void finish(Result<Targets> result) {
        const Done done = std::move(done_);
        done(std::move(result));  // may destroy this
    }

    std::string domain_;
    Resolver& resolver_;
    DiscoveryLimits limits_;
    Done done_;
    std::array<std::optional<Result<SrvAnswer>>, services.size()> answers_;
    Timer patience_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Discovery> discover(const std::string& domain, Resolver& resolver,
                                    TimerWheel& timers, DiscoveryLimits limits,
                                    Discovery::Done done) {
    return std::make_unique<Search>(domain, resolver, timers, std::move(limits), std::move(done));
}

}  // namespace causeway
