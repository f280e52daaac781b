#include "s2s/domain_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/xmpp/jid.h"

namespace causeway {
namespace {
using Found = DomainFinding::Verdict;
}  // namespace

DomainCheck::DomainCheck(Hub& hub, std::string domain, Done done)
    : hub_(hub), domain_(std::move(domain)), done_(std::move(done)) {
    hub_.shard.timers().arm(
        timer_, std::chrono::duration_cast<Duration>(hub_.limits().connect_seconds), *this);
    records_due_ = 2;
    ask_for_records("_xmpps-server._tcp.", "direct TLS");
    ask_for_records("_xmpp-server._tcp.", "STARTTLS");
}

void DomainCheck::ask_for_records(std::string_view service, std::string_view meaning) {
    hub_.resolver.srv(std::string(service) + domain_to_ascii(domain_),
                      [this, alive = std::weak_ptr<bool>(alive_), service,
                       meaning](const Result<SrvAnswer>& answer) {
                          if (alive.expired() || discovery_ != nullptr) return;
                          take_records(service, meaning, answer);
                          if (--records_due_ == 0) look_for_targets();
                      });
}

void DomainCheck::take_records(std::string_view service, std::string_view meaning,
                               const Result<SrvAnswer>& answer) {
    const auto note = [&](std::string target, Found verdict, std::string text) {
        findings_.push_back({.target = std::move(target),
                             .step = "srv",
                             .verdict = verdict,
                             .text = std::move(text)});
    };
    if (!answer && answer.error().cause() == Cause::absent) {
        note({}, Found::ok, fmt::format("{}{}: no record", service, domain_));
        return;
    }
    if (!answer) {
        note({}, Found::failure, fmt::format("{}{}: {}", service, domain_, answer.error().why()));
        return;
    }
    if (answer->records.empty()) {
        note({}, Found::failure, fmt::format("{}{}: no name server answered", service, domain_));
    }
    for (const SrvRecord& record : answer->records) {
        if (record.target.empty()) {
            note({}, Found::ok,
                 fmt::format("{}{}: not offered (its target is \".\")", service, domain_));
            continue;
        }
        note(to_string(ConnectTarget{record.target, record.port}), Found::ok,
             fmt::format("{}, priority {}, weight {}", meaning, record.priority, record.weight));
    }
}

/// What has not been answered by now is taken as silence.
void DomainCheck::on_timer(std::uint32_t) {
    findings_.push_back({.step = "srv",
                         .verdict = Found::failure,
                         .text = "the name servers did not answer in time"});
    look_for_targets();
}

void DomainCheck::look_for_targets() {
    timer_.cancel();
    const Limits& limits = hub_.limits();
    discovery_ = discover(domain_to_ascii(domain_), hub_.resolver, hub_.shard.timers(),
                          {.targets = limits.targets,
                           .patience = std::chrono::duration_cast<Duration>(limits.connect_seconds),
                           .random = {}},
                          [this](const Result<Targets>& targets) { probe(targets); });
}

void DomainCheck::probe(const Result<Targets>& targets) {
    if (!targets) {
        finish(targets.error());
        return;
    }
    if (!targets->from_srv) {
        findings_.push_back(
            {.step = "srv",
             .verdict = Found::warning,
             .text = fmt::format("there is none, so that the domain itself is tried, "
                                 "and it alone; it would be _xmpp-server._tcp.{}. "
                                 "SRV 5 0 5269 and the name of the machine",
                                 domain_to_ascii(domain_))});
    }
    begin_probes(targets->list, TargetProbe::Hop::first);
}

void DomainCheck::begin_probes(const std::vector<ConnectTarget>& targets, TargetProbe::Hop hop) {
    hop_ = hop;
    probes_due_ = targets.size();
    for (const ConnectTarget& target : targets) {
        probes_.push_back(
            std::make_unique<TargetProbe>(hub_, domain_, target, hop, [this] { probed(); }));
    }
}

/// The last one is still on the call stack.
void DomainCheck::probed() {
    if (--probes_due_ != 0) return;
    hub_.shard.post([this, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.expired()) return;
        if (hop_ == TargetProbe::Hop::first) {
            go_elsewhere();
        } else {
            finish(report());
        }
    });
}

/// As OutgoingStream::follow does: once, and what is asked of the server there is the same.
void DomainCheck::go_elsewhere() {
    for (const auto& each : probes_) {
        const std::optional<OtherHost>& other = each->other_host();
        if (other && std::ranges::find(elsewhere_, *other) == elsewhere_.end()) {
            elsewhere_.push_back(*other);
        }
    }
    look_for_next();
}

void DomainCheck::look_for_next() {
    while (!elsewhere_.empty() && there_.size() < hub_.limits().targets) {
        const OtherHost other = std::move(elsewhere_.back());
        elsewhere_.pop_back();
        if (other.port == 0) {
            look_for(other);
            return;
        }
        there_.push_back({.host = without_brackets(other.host), .port = other.port});
    }
    if (there_.empty()) {
        finish(report());
    } else {
        begin_probes(there_, TargetProbe::Hop::elsewhere);
    }
}

void DomainCheck::look_for(const OtherHost& other) {
    const Limits& limits = hub_.limits();
    discovery_ =
        discover(other.host, hub_.resolver, hub_.shard.timers(),
                 {.targets = limits.targets - there_.size(),
                  .patience = std::chrono::duration_cast<Duration>(limits.connect_seconds),
                  .random = {}},
                 [this, host = other.host](const Result<Targets>& targets) {
                     if (targets) {
                         there_.insert(there_.end(), targets->list.begin(), targets->list.end());
                     } else {
                         findings_.push_back({.target = host,
                                              .step = "srv",
                                              .verdict = Found::failure,
                                              .text = targets.error().why()});
                     }
                     look_for_next();
                 });
}

DomainCheck::Report DomainCheck::report() {
    Report report{.findings = std::move(findings_)};
    for (const auto& each : probes_) {
        report.findings.insert(report.findings.end(), each->findings().begin(),
                               each->findings().end());
    }
    if (std::ranges::none_of(probes_, [](const auto& each) { return each->passed(); })) {
        report.fault = fmt::format("no server of {} can be reached as it should be", domain_);
    } else if (std::ranges::none_of(probes_, [](const auto& each) { return each->proven(); })) {
        report.caveat = fmt::format(
            "no certificate proves {}: servers that ask for one do not reach it, only those that "
            "are content with dialback do",
            domain_);
    }
    return report;
}

void DomainCheck::finish(Result<Report> report) {
    const Done done = std::move(done_);
    done(std::move(report));  // may destroy this
}

}  // namespace causeway
