#include "gateway/route/router.h"

#include <utility>

#include "gateway/route/asking.h"
#include "gateway/session/accounts.h"

namespace causeway {
namespace {

bool is_request(StanzaType type) { return type == StanzaType::get || type == StanzaType::set; }

/// What stands behind an address, for people.
std::string_view words_for(const Hub& hub, const Jid& to) {
    if (to.empty()) return "those who see the presence";
    switch (hub.target_of(to.domain()).kind) {
        case Target::Kind::accounts: return to.has_local() ? "an account here" : "this server";
        case Target::Kind::service: return "a service here";
        case Target::Kind::remote: return "another server";
    }
    return {};
}

/// It was taken from a stream, and goes on. `packet`, of a message, knows more than the stanza.
void note_accepted(Hub& hub, TraceStage stage, const Stanza& stanza, const PacketRef& packet) {
    const TraceStep step{
        stage, TraceVerdict::accepted, words_for(hub, stanza.to), {}, stanza.stanza_id};
    if (stanza.type == StanzaType::error) {
        TraceStep of_error = step;
        const std::string words = error_words_of(stanza);
        of_error.reason = words;
        hub.trace.note(stanza, of_error);
    } else if (packet != nullptr) {
        hub.trace.note(*packet, step);
    } else {
        hub.trace.note(stanza, step);
    }
}

}  // namespace

// ---- from a stream ----

void Router::from_client(Stanza& stanza, Account& account, Resource& session,
                         AcknowledgementTicket ticket) {
    // RFC 6120 §10.3: without an address it is for the sender's own account.
    if (stanza.to.empty() && stanza.kind != StanzaKind::presence) stanza.to = account.jid();
    if (stanza.kind == StanzaKind::iq && !well_formed_iq(stanza, ticket)) return;
    FromClient from{{hub_, ticket}, account, session, stanza};
    const auto packet = [&]() -> const PacketRef& { return from.packet(); };
    if (!hub_.pass(hub_.shared.features.from_client(), from, packet)) return;
    note_accepted(hub_, TraceStage::from_client, stanza,
                  stanza.kind == StanzaKind::message ? packet() : nullptr);
    switch (stanza.kind) {
        case StanzaKind::presence:
            account.presence().from_session(session, stanza, from.packet(), ticket);
            return;
        case StanzaKind::iq:
            hub_.settle(std::exchange(ticket, {}));
            if (is_request(stanza.type) && stanza.to.full() == account.jid().full()) {
                account.own_iq(stanza, session);
                return;
            }
            if (domain_iq(stanza, &session)) return;
            break;
        case StanzaKind::message: break;
    }
    if (account.at_rest()) {
        from.packet();
        // Handed on, not shared: at the recipient's home it can be stamped in place.
        route(std::move(from.routed), ticket);
    } else {
        // Behind a subscription that is being stored: it was sent first (RFC 6120 §10.1).
        account.in_order(
            [this, packet = from.packet(), ticket](const Outcome&) { route(packet, ticket); });
    }
}

void Router::from_server(Stanza& stanza, AcknowledgementTicket ticket) {
    if (stanza.kind == StanzaKind::iq && !well_formed_iq(stanza, ticket)) return;
    FromServer from{{hub_, ticket}, stanza};
    const auto packet = [&] { return Packet::from_stanza(stanza); };
    if (!hub_.pass(hub_.shared.features.from_server(), from, packet)) return;
    if (stanza.kind == StanzaKind::iq) {
        note_accepted(hub_, TraceStage::from_server, stanza, nullptr);
        if (domain_iq(stanza, nullptr)) {
            hub_.settle(ticket);
            return;
        }
    }
    PacketRef routed = packet();
    if (stanza.kind != StanzaKind::iq) {
        note_accepted(hub_, TraceStage::from_server, stanza, routed);
    }
    route(std::move(routed), ticket);
}

bool Router::well_formed_iq(const Stanza& stanza, AcknowledgementTicket ticket) {
    const auto refuse = [&](std::string text) {
        bounce(*Packet::from_stanza(stanza),
               {.condition = StanzaCondition::bad_request, .text = std::move(text)}, ticket);
        return false;
    };
    // RFC 6120 §8.2.3: an id always, and exactly one child in a request.
    if (stanza.id().empty()) return refuse("An iq needs an id.");
    if (is_request(stanza.type) && stanza.element.element_count() != 1) {
        return refuse("An iq request has exactly one child.");
    }
    return true;
}

bool Router::domain_iq(Stanza& stanza, Resource* session) {
    const bool to_domain = !stanza.to.has_local() && !stanza.to.has_resource() &&
                           hub_.target_of(stanza.to.domain()).kind == Target::Kind::accounts;
    if (!to_domain || !is_request(stanza.type)) return false;
    Element& payload = *stanza.payload();
    const IqHandler* handler =
        hub_.shared.features.find_iq(stanza.type, IqTarget::server, payload.ns, payload.name);
    if (handler == nullptr) {
        bounce(*Packet::from_stanza(stanza),
               {.condition = StanzaCondition::service_unavailable, .text = {}});
    } else {
        handler->handle({hub_, stanza, payload, session, nullptr});
    }
    return true;
}

// ---- to its target ----

void Router::route(PacketRef packet, AcknowledgementTicket ticket) {
    const Target target = hub_.target_of(packet->to().domain());
    switch (target.kind) {
        case Target::Kind::remote: to_remote(packet, ticket); return;
        case Target::Kind::service: {
            Hub& home = *hub_.shared.hubs[target.service->home_of(packet->to())];
            Service& service = *target.service;
            hub_.at(home,
                    [&home, &service, packet, ticket] { service.receive(home, packet, ticket); });
            return;
        }
        case Target::Kind::accounts: break;
    }
    if (!packet->to().has_local()) {
        to_domain(packet, ticket);
        return;
    }
    Hub& home = hub_.home_of(packet->to().bare());
    if (&home == &hub_) {
        to_account(std::move(packet), ticket);
    } else {
        home.shard.post([&home, packet = std::move(packet), ticket]() mutable {
            home.routing->route(std::move(packet), ticket);
        });
    }
}

void Router::fan_out(const PacketRef& packet, const std::vector<const Jid*>& to) {
    std::vector<std::vector<Jid>> elsewhere(hub_.shared.hubs.size());
    for (const Jid* address : to) {
        if (hub_.target_of(address->domain()).kind != Target::Kind::accounts) {
            route(packet->readdressed(*address));
            continue;
        }
        Hub& home = hub_.home_of(address->bare());
        if (&home != &hub_) {
            elsewhere[home.shard.index()].push_back(*address);
        } else if (Account* account = hub_.accounts->find(address->bare())) {
            account->receive_broadcast(packet, *address);
        }
    }
    for (std::size_t i = 0; i < elsewhere.size(); ++i) {
        if (elsewhere[i].empty()) continue;
        Hub& home = *hub_.shared.hubs[i];
        home.shard.post([&home, packet, addresses = std::move(elsewhere[i])] {
            for (const Jid& address : addresses) {
                if (Account* account = home.accounts->find(address.bare())) {
                    account->receive_broadcast(packet, address);
                }
            }
        });
    }
}

void Router::to_remote(const PacketRef& packet, AcknowledgementTicket ticket) {
    ToServer outgoing{{hub_, ticket}, packet};
    if (!hub_.pass(hub_.shared.features.to_server(), outgoing, packet)) return;
    Hub& home = hub_.home_of(packet->to().domain());
    hub_.at(home, [&home, packet, ticket] { home.remote->send(packet, ticket); });
}

/// An answer to what a session of an earlier process asked, which may come back for it.
bool Router::may_be_awaited(const Packet& packet) const {
    return packet.kind() == StanzaKind::iq && !is_request(packet.type()) &&
           !AccountInbox::none_comes_back(hub_);
}

void Router::to_account(PacketRef packet, AcknowledgementTicket ticket) {
    if (packet->kind() == StanzaKind::iq && !is_request(packet->type()) &&
        !packet->to().has_resource()) {
        // RFC 6121 §8.5.2.2: it answers something that the account asked, or nothing.
        hub_.settle(ticket);
        if (hub_.asking != nullptr) hub_.asking->answered(packet);
        return;
    }
    if (hub_.accounts->find(packet->to().bare()) == nullptr) {
        // Nobody is online there: what only a session could take needs no account to be loaded.
        const bool request = packet->kind() == StanzaKind::iq && is_request(packet->type());
        const bool for_account =
            packet->kind() == StanzaKind::message || packet->type() == StanzaType::probe ||
            is_subscription(packet->type()) || (request && !packet->to().has_resource()) ||
            may_be_awaited(*packet);
        if (!for_account) {
            if (request) {
                bounce(*packet, {.condition = StanzaCondition::service_unavailable, .text = {}},
                       ticket);
            } else {
                hub_.settle(ticket);
            }
            return;
        }
    }
    Account& account = hub_.accounts->get(packet->to().bare());
    account.receive(std::move(packet), ticket);
}

void Router::to_domain(const PacketRef& packet, AcknowledgementTicket ticket) {
    const bool request = packet->kind() == StanzaKind::iq && is_request(packet->type());
    if (request || packet->kind() == StanzaKind::message) {
        hub_.trace.note(*packet, {TraceStage::account, TraceVerdict::refused, packet->to().domain(),
                                  "a domain by itself takes no messages"});
        bounce(*packet, {.condition = StanzaCondition::service_unavailable, .text = {}}, ticket);
        return;
    }
    hub_.settle(ticket);
    if (packet->kind() == StanzaKind::iq) {
        Hub& home = hub_.home_of(packet->from().domain());
        hub_.at(home, [&home, packet] {
            if (home.asking != nullptr) home.asking->answered(packet);
        });
    }
}

void Router::bounce(const Packet& packet, const StanzaError& error, AcknowledgementTicket ticket) {
    if (PacketRef reply = Packet::error_reply(packet, error)) {
        // An iq's error is of interest to those that look on, if to anybody.
        if (packet.kind() != StanzaKind::iq || hub_.trace.watched()) {
            hub_.trace.note(packet, {TraceStage::answer, TraceVerdict::refused,
                                     packet.from().full(), words_of(error)});
        }
        route(std::move(reply));
    }
    hub_.settle(ticket);
}

// ---- answers ----

IqReturn::IqReturn(const IqRequest& request)
    : hub(request.hub), from(request.stanza.to), to(request.stanza.from), id(request.stanza.id()) {}

void IqReturn::result(std::string_view inner) const {
    hub.routing->route(Packet::make(StanzaKind::iq, StanzaType::result, from, to, id, inner));
}

void IqReturn::error(const StanzaError& error) const {
    std::string inner;
    append_error(inner, error);
    hub.routing->route(Packet::make(StanzaKind::iq, StanzaType::error, from, to, id, inner));
}

}  // namespace causeway
