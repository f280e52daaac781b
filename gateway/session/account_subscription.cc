// Subscriptions of one account (RFC 6121 §3): the state machine of subscription.h applied to the
// stored roster. Nothing is forwarded or answered before the change it makes is durable.
#include "gateway/session/account.h"

namespace causeway {
namespace {

std::string_view text_of(const Outcome& outcome) { return outcome.why(); }

StanzaError error_of(const Outcome& outcome) {
    if (outcome.cause() == Cause::policy) {
        return {.condition = StanzaCondition::resource_constraint,
                .text = std::string(text_of(outcome))};
    }
    return {.condition = StanzaCondition::internal_server_error,
            .text = "The roster could not be changed: try again later.",
            .type = "wait"};
}

/// What is stored of a request, to be shown at each login until it is answered: a stranger must not
/// be able to fill the roster, nor every login, with long ones.
std::string kept_request(const Packet& packet) {
    constexpr std::size_t longest = 512;
    if (packet.bytes().size() <= longest) return std::string(packet.bytes());
    return std::string(
        Packet::make(packet.kind(), packet.type(), packet.from(), packet.to(), packet.id(), {})
            ->bytes());
}

}  // namespace

Outcome Account::plan_outbound(const PacketRef& packet, const Jid& contact, Batch& batch,
                               Change& change, SubscriptionStep& step) {
    const RosterItem* known = roster_.find(contact);
    RosterItem item = known != nullptr ? *known : RosterItem{};
    item.jid = contact;
    step = send_subscription(item.state, packet->type());
    const bool adds =
        (step.state.pending_out || step.state.from || step.state.approved) && !item.listed;
    if (adds && roster_.listed_count() >= hub_.limits().roster_items) {
        return Outcome::policy("The roster is full.");
    }
    if (step.state == item.state && !adds) return {};
    item.state = step.state;
    if (!item.state.pending_in) item.request.clear();
    if (adds) {
        item.listed = true;
        item.removed = false;
    }
    plan_item(batch, change, std::move(item), step.push || adds);
    return {};
}

void Account::subscription_out(const Stanza& stanza, AcknowledgementTicket ticket) {
    // RFC 6121 §3: subscriptions are between bare JIDs, whatever was addressed.
    Stanza bare{stanza.element, stanza.arena, stanza.kind, stanza.type, jid_, stanza.to.bare_jid()};
    const PacketRef packet = Packet::from_stanza(bare);
    if (bare.to.bare() == jid_.bare()) {
        hub_.routing->bounce(*packet,
                             {.condition = StanzaCondition::not_allowed,
                              .text = "An account is always subscribed to itself."},
                             ticket);
        return;
    }
    when_loaded([this, packet, ticket](const Outcome& loaded) {
        if (!loaded) {
            hub_.routing->bounce(*packet, error_of(loaded), ticket);
            return;
        }
        const auto step = std::make_shared<SubscriptionStep>();
        const auto was_from = std::make_shared<bool>(false);
        change_roster(
            [this, packet, step, was_from](Batch& batch, Change& change) {
                const RosterItem* known = roster_.find(packet->to());
                *was_from = known != nullptr && known->state.from;
                return plan_outbound(packet, packet->to(), batch, change, *step);
            },
            [this, packet, step, was_from, ticket](const Outcome& outcome) {
                if (!outcome) {
                    hub_.routing->bounce(*packet, error_of(outcome), ticket);
                    return;
                }
                // §3.2.3: presence no longer comes once the subscription is cancelled.
                if (packet->type() == StanzaType::unsubscribed && *was_from) {
                    send_unavailable(packet->to());
                }
                if (step->forward) {
                    hub_.routing->route(packet, ticket);
                } else {
                    hub_.settle(ticket);
                }
                if (packet->type() == StanzaType::subscribed && step->state.from && step->forward) {
                    send_current_presence(packet->to());
                }
            });
    });
}

Outcome Account::plan_inbound(const PacketRef& packet, Batch& batch, Change& change,
                              SubscriptionStep& step) {
    const Jid contact = packet->from().bare_jid();
    const RosterItem* known = roster_.find(contact);
    RosterItem item = known != nullptr ? *known : RosterItem{};
    item.jid = contact;
    step = receive_subscription(item.state, packet->type());
    if (step.state.pending_in && !item.state.pending_in &&
        roster_.request_count() >= hub_.limits().subscription_requests) {
        return Outcome::policy("Too many requests are waiting for this contact.");
    }
    if (step.forward) {
        change.before_push = [this, packet] { show_subscription(packet); };
    }
    // A repeated request replaces what waits, so that the newest words are shown.
    const bool renewed = packet->type() == StanzaType::subscribe && step.state.pending_in;
    if (step.state == item.state && !renewed) return {};
    item.state = step.state;
    item.request = renewed                 ? kept_request(*packet)
                   : item.state.pending_in ? item.request
                                           : std::string{};
    plan_item(batch, change, std::move(item), step.push);
    return {};
}

void Account::show_subscription(const PacketRef& packet) {
    // §3.1.3: requests go to available resources; §3.1.6, §3.2.3, §3.3.3: the rest to interested
    // ones, too, which learn of it before the push.
    for (Resource* resource : resources_) {
        const bool interested = resource->interested && packet->type() != StanzaType::subscribe;
        if (resource->available() || interested) resource->deliver(packet, 0);
    }
}

void Account::subscription_in(const PacketRef& packet, AcknowledgementTicket ticket) {
    when_loaded([this, packet, ticket](const Outcome& loaded) {
        if (loaded && !exists_) {
            hub_.settle(ticket);
            // §3.1.3: a request to an account that does not exist is refused.
            if (packet->type() == StanzaType::subscribe) {
                hub_.routing->route(Packet::make(StanzaKind::presence, StanzaType::unsubscribed,
                                                 jid_, packet->from().bare_jid(), {}, {}));
            }
            return;
        }
        if (!loaded) {
            hub_.routing->bounce(*packet, error_of(loaded), ticket);
            return;
        }
        const auto step = std::make_shared<SubscriptionStep>();
        const auto was_from = std::make_shared<bool>(false);
        change_roster(
            [this, packet, step, was_from](Batch& batch, Change& change) {
                const RosterItem* known = roster_.find(packet->from().bare_jid());
                *was_from = known != nullptr && known->state.from;
                return plan_inbound(packet, batch, change, *step);
            },
            [this, packet, step, was_from, ticket](const Outcome& outcome) {
                if (!outcome) {
                    hub_.routing->bounce(*packet, error_of(outcome), ticket);
                    return;
                }
                hub_.settle(ticket);
                const Jid contact = packet->from().bare_jid();
                if (step->reply_subscribed) {
                    hub_.routing->route(Packet::make(StanzaKind::presence, StanzaType::subscribed,
                                                     jid_, contact, packet->id(), {}));
                    send_current_presence(contact);
                }
                // §3.3.3: only who saw presence is told that it ends; a request withdrawn tells
                // nothing.
                if (packet->type() == StanzaType::unsubscribe && *was_from) {
                    send_unavailable(contact);
                }
            });
    });
}

}  // namespace causeway
