#include "gateway/features/personal_events/resolver.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

constexpr Slot<CapabilitiesResolver> slot{"capabilities"};
constexpr Duration patience = std::chrono::seconds(30);

}  // namespace

CapabilitiesResolver& CapabilitiesResolver::of(Hub& hub) { return hub.slots.make(slot, hub); }

void CapabilitiesResolver::resolve(const AnnouncedCapabilities& announced, const Jid& account,
                                   const Jid& client, Done done) {
    std::string key = announced.key();
    if (!is_known_hash(announced.hash)) key += ' ' + std::string(client.full());
    if (const auto found = known_.find(key); found != known_.end()) {
        done({.interests = found->second, .verified = true});
        return;
    }
    if (Hub& keeper = hub_.home_of(key); &keeper != &hub_) {
        resolve_elsewhere(keeper, {announced, account, client, std::move(done)});
        return;
    }
    if (!admit(client)) {
        done({});
        return;
    }
    Pending& pending = pending_[key];
    pending.waiting.push_back({announced, account, client, std::move(done)});
    if (pending.waiting.size() == 1) ask(key);
}

std::string CapabilitiesResolver::source_of(const Jid& client) const {
    return std::string(hub_.serves(client.domain()) ? client.bare() : client.domain());
}

bool CapabilitiesResolver::admit(const Jid& client) {
    const std::size_t most = hub_.serves(client.domain()) ? waiting_of_address : waiting_of_domain;
    std::size_t& own = waiting_of_[source_of(client)];
    if (waiting_ >= waiting_limit || own >= most) {
        if (own == 0) waiting_of_.erase(source_of(client));
        return false;
    }
    ++own;
    ++waiting_;
    return true;
}

void CapabilitiesResolver::leave(const Jid& client) {
    --waiting_;
    const auto own = waiting_of_.find(source_of(client));
    if (own != waiting_of_.end() && --own->second == 0) waiting_of_.erase(own);
}

void CapabilitiesResolver::resolve_elsewhere(Hub& keeper, Waiting waiting) {
    Hub& here = hub_;
    hub_.at(keeper, [&keeper, &here, waiting = std::move(waiting)] {
        of(keeper).resolve(waiting.announced, waiting.account, waiting.client,
                           [&keeper, &here, key = waiting.announced.key(),
                            done = waiting.done](const Answer& answer) {
                               keeper.at(here, [&here, key, done, answer] {
                                   if (answer.verified) of(here).remember(key, answer.interests);
                                   done(answer);
                               });
                           });
    });
}

void CapabilitiesResolver::ask(const std::string& key) {
    // The answer arrives where the account is that asks.
    const Waiting whom = pending_[key].waiting.front();
    Hub& home = hub_.home_of(whom.account.bare());
    hub_.at(home, [this, &home, key, whom] { of(home).ask_here(hub_, key, whom); });
}

void CapabilitiesResolver::ask_here(Hub& asking, const std::string& key, const Waiting& whom) {
    const std::uint64_t number = ++next_question_;
    const std::string query =
        XmlBuilder()
            .open("query", ns::disco_info)
            .attribute("node", fmt::format("{}#{}", whom.announced.node, whom.announced.ver))
            .take();
    const auto tell = [this, &asking, key](const Answer& answer) {
        hub_.at(asking, [&asking, key, answer] { of(asking).answered(key, answer); });
    };
    questions_.try_emplace(number);  // it may be answered before ask() returns
    Question question = hub_.asking->ask(
        whom.account, whom.client, query, patience,
        [this, number, tell, announced = whom.announced](const IqAnswer& answer) {
            Answer told;
            if (answer.kind == IqAnswer::Kind::result) {
                static_cast<void>(Packet::visit_bytes(answer.packet->bytes(), [&](Stanza& stanza) {
                    const Element* found = stanza.element.child(ns::disco_info, "query");
                    if (found == nullptr) return;
                    told.interests = std::make_shared<const Interests>(*found);
                    told.verified =
                        verification_of(*found, announced.hash, stanza.arena) == announced.ver;
                }));
            }
            questions_.erase(number);
            tell(told);
        });
    if (question.id().empty()) {
        // Too many are open. Never now: whoever waits has not been told that it waits.
        questions_.erase(number);
        hub_.shard.post([tell] { tell({}); });
    } else if (const auto open = questions_.find(number); open != questions_.end()) {
        open->second = std::move(question);
    }
}

void CapabilitiesResolver::answered(const std::string& key, const Answer& answer) {
    const auto found = pending_.find(key);
    if (found == pending_.end()) return;
    Pending& pending = found->second;
    std::deque<Waiting> told;
    const bool given_up = !answer.verified && ++pending.tried >= tries;
    if (answer.verified || given_up || pending.waiting.size() == 1) {
        told = std::move(pending.waiting);
        pending_.erase(found);
    } else {
        told.push_back(std::move(pending.waiting.front()));
        pending.waiting.pop_front();
        ask(key);
    }
    if (answer.verified) remember(key, answer.interests);
    for (const Waiting& each : told) leave(each.client);
    // What could not be verified counts for the one that said it.
    for (std::size_t i = 0; i < told.size(); ++i) {
        told[i].done(i == 0 || answer.verified ? answer : Answer{});
    }
}

void CapabilitiesResolver::remember(const std::string& key, const InterestsRef& interests) {
    if (!known_.insert_or_assign(key, interests).second) return;
    order_.push_back(key);
    if (order_.size() <= cache_limit) return;
    known_.erase(order_.front());
    order_.pop_front();
}

}  // namespace causeway::personal_events
