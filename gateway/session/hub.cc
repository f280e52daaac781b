#include "gateway/session/hub.h"

#include "gateway/session/accounts.h"

namespace causeway {
namespace {
constexpr Duration tick_interval{60'000};
}  // namespace

Hub::Hub(Shared& shared_parts, Shard& own_shard, Network& own_network, Resolver& own_resolver,
         std::shared_ptr<const Config> initial, std::shared_ptr<const TlsSnapshot> initial_tls)
    : shared(shared_parts),
      shard(own_shard),
      network(own_network),
      resolver(own_resolver),
      metrics(shared_parts.features.metrics()),
      stream_records(*this),
      trace(own_shard, initial->limits.trace_bytes),
      domain_access(*this),
      ledger(*this),
      accounts(std::make_unique<Accounts>(*this)),
      next_id_(own_shard.index()) {
    adopt(std::move(initial), std::move(initial_tls));
}

Hub::~Hub() = default;

void Hub::adopt(std::shared_ptr<const Config> new_config,
                std::shared_ptr<const TlsSnapshot> new_tls) {
    config = std::move(new_config);
    tls = std::move(new_tls);
    trace.resize(config->limits.trace_bytes);
    targets.clear();
    for (const DomainConfig& domain : config->domains) {
        targets.emplace(domain.name, Target{Target::Kind::accounts});
    }
    for (const auto& [domain, service] : shared.services) {
        targets.emplace(domain, Target{Target::Kind::service, service});
    }
    shared.features.announce({.event = LifeEvent::configuration_changed, .hub = *this});
}

void Hub::begin() {
    shared.features.announce({.event = LifeEvent::started, .hub = *this});
    shard.timers().arm(tick_, tick_interval, *this);
}

void Hub::on_timer(std::uint32_t) {
    shared.features.announce({.event = LifeEvent::tick, .hub = *this});
    shard.timers().arm(tick_, tick_interval, *this);
}

void Hub::drain() { shared.features.announce({.event = LifeEvent::draining, .hub = *this}); }

void Hub::note_verdict(const TraceSubject& subject, TraceStage stage, Verdict verdict,
                       std::string_view feature, const StanzaError& error,
                       std::string_view reason) {
    switch (verdict) {
        case Verdict::next: return;
        case Verdict::taken:
            trace.note(subject, {stage, TraceVerdict::taken, feature, reason});
            return;
        case Verdict::dropped:
            trace.note(subject, {stage, TraceVerdict::dropped, feature,
                                 reason.empty() ? "nobody here is to get it" : reason});
            return;
        case Verdict::refused:
            trace.note(subject, {stage, TraceVerdict::refused, feature,
                                 reason.empty() ? words_of(error) : std::string(reason)});
            return;
    }
}

void Hub::at(Hub& other, std::function<void()> task) const {
    if (&other == this) {
        task();
    } else {
        other.shard.post(std::move(task));
    }
}

void Hub::settle(AcknowledgementTicket ticket) {
    if (!ticket.owed()) return;
    if (ticket.shard != shard.index()) {
        Hub& home = *shared.hubs[ticket.shard];
        home.shard.post([&home, ticket] { home.settle(ticket); });
    } else if (const auto found = ticket_holders.find(ticket.holder);
               found != ticket_holders.end()) {
        if (ticket.noted) found->second->noted(ticket.number, ticket.handled);
        found->second->settled(ticket.number);
    }
}

void Hub::expect_again(AcknowledgementTicket ticket) {
    const auto found = ticket_holders.find(ticket.holder);
    if (found != ticket_holders.end()) found->second->expect_again(ticket.number);
}

}  // namespace causeway
