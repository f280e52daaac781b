#include "gateway/route/router.h"

#include "gateway/session/accounts.h"

namespace causeway {

void Router::enter(Stanza& stanza, Source source, Resource* sender, AcknowledgementTicket ticket) {
    for (const EntryHook& hook : hub_.shared.features.entry_hooks()) {
        const Verdict verdict = hook.run(hub_, stanza, source);
        if (verdict == Verdict::next) continue;
        hub_.settle(ticket);
        return;
    }
    if (stanza.kind == StanzaKind::iq) {
        enter_iq(stanza, sender, ticket);
    } else {
        route(Packet::from_stanza(stanza), ticket);
    }
}

void Router::enter_iq(Stanza& stanza, Resource* sender, AcknowledgementTicket ticket) {
    const bool request = stanza.type == StanzaType::get || stanza.type == StanzaType::set;
    const auto refuse = [&](StanzaCondition condition, std::string text) {
        bounce(*Packet::from_stanza(stanza), {.condition = condition, .text = std::move(text)},
               ticket);
    };
    // RFC 6120 §8.2.3: an id always, and exactly one child in a request.
    if (stanza.id().empty()) {
        refuse(StanzaCondition::bad_request, "An iq needs an id.");
        return;
    }
    if (request && stanza.element.element_count() != 1) {
        refuse(StanzaCondition::bad_request, "An iq request has exactly one child.");
        return;
    }
    const bool own = sender != nullptr && stanza.to.full() == sender->jid().bare();
    const bool server =
        !stanza.to.has_local() && !stanza.to.has_resource() && hub_.serves(stanza.to.domain());
    if (!request || (!own && !server)) {
        route(Packet::from_stanza(stanza), ticket);
        return;
    }
    hub_.settle(ticket);
    Element& payload = *stanza.payload();
    const FeatureRegistry& features = hub_.shared.features;
    const IqHandler* handler = features.find_iq(stanza.type, own ? IqTarget::own : IqTarget::server,
                                                payload.ns, payload.name);
    if (handler == nullptr && own) {
        handler = features.find_iq(stanza.type, IqTarget::account, payload.ns, payload.name);
    }
    if (handler == nullptr) {
        ticket = {};
        refuse(StanzaCondition::service_unavailable, {});
        return;
    }
    handler->handle({hub_, stanza, payload, sender});
}

void Router::route(PacketRef packet, AcknowledgementTicket ticket) {
    const Jid& to = packet->to();
    if (!hub_.serves(to.domain())) {
        Hub& home = hub_.home_of(to.domain());
        hub_.at(home, [&home, packet, ticket] { home.remote->send(packet, ticket); });
        return;
    }
    if (!to.has_local()) {
        to_server(packet, ticket);
        return;
    }
    Hub& home = hub_.home_of(to.bare());
    if (&home == &hub_) {
        to_account(packet, ticket);
    } else {
        home.shard.post([&home, packet, ticket] { home.routing->route(packet, ticket); });
    }
}

void Router::to_account(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (Account* known = hub_.accounts->find(packet->to().bare()); known == nullptr) {
        // Nobody is online there: what only a resource could take needs no account to be loaded.
        const bool request =
            packet->kind() == StanzaKind::iq &&
            (packet->type() == StanzaType::get || packet->type() == StanzaType::set);
        const bool for_account =
            packet->kind() == StanzaKind::message || packet->type() == StanzaType::probe ||
            is_subscription(packet->type()) || (request && !packet->to().has_resource());
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
    Account& user = hub_.accounts->get(packet->to().bare());
    switch (packet->kind()) {
        case StanzaKind::message: user.message_in(packet, ticket); return;
        case StanzaKind::presence: user.presence_in(packet, ticket); return;
        case StanzaKind::iq: user.iq_in(packet, ticket); return;
    }
}

void Router::to_server(const PacketRef& packet, AcknowledgementTicket ticket) {
    const bool request = packet->kind() == StanzaKind::iq &&
                         (packet->type() == StanzaType::get || packet->type() == StanzaType::set);
    if (request || packet->kind() == StanzaKind::message) {
        bounce(*packet, {.condition = StanzaCondition::service_unavailable, .text = {}}, ticket);
        return;
    }
    hub_.settle(ticket);
    if (packet->kind() == StanzaKind::iq) {
        Hub& home = hub_.home_of(packet->from().domain());
        hub_.at(home, [&home, packet] { home.remote->answered(*packet); });
    }
}

void Router::bounce(const Packet& packet, const StanzaError& error, AcknowledgementTicket ticket) {
    if (PacketRef reply = Packet::error_reply(packet, error)) route(std::move(reply));
    hub_.settle(ticket);
}

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
