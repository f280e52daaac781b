#include "gateway/session/account_subscriptions.h"

#include <memory>

#include "gateway/session/account.h"

namespace causeway {
namespace {

/// A request is kept whole, as it is to be shown at each login until it is answered (RFC 6121
/// §3.1.3); one that is longer keeps its addresses, so that no stranger fills the roster.
constexpr std::size_t longest_request = 16384;

StanzaError error_of(const Outcome& outcome) {
    if (outcome.cause() == Cause::policy) {
        return {.condition = StanzaCondition::resource_constraint, .text = outcome.why()};
    }
    return {.condition = StanzaCondition::internal_server_error,
            .text = "The roster could not be changed: try again later.",
            .type = "wait"};
}

std::string kept_request(const Packet& packet) {
    if (packet.bytes().size() <= longest_request) return std::string(packet.bytes());
    return std::string(
        Packet::make(packet.kind(), packet.type(), packet.from(), packet.to(), packet.id(), {})
            ->bytes());
}

}  // namespace

/// What a change's plan tells its end.
struct Subscriptions::Planned {
    SubscriptionStep step;
    bool was_from = false;                    ///< the contact saw the account's presence before
    AccessAnswer answer = AccessAnswer::ask;  ///< of a rule, to a request
};

// ---- a session of the account sends ----

Outcome Subscriptions::plan_outbound(const PacketRef& packet, const Jid& contact, Batch& batch,
                                     Change& change, SubscriptionStep& step) {
    const Roster& roster = account_.roster().items();
    const RosterItem* known = roster.find(contact);
    RosterItem item = known != nullptr ? *known : RosterItem{};
    item.jid = contact;
    change.others_follow = true;
    step = send_subscription(item.state, packet->type());
    const bool adds =
        (step.state.pending_out || step.state.from || step.state.approved) && !item.listed;
    if (adds && roster.listed_count() >= account_.hub().limits().roster_items) {
        return Outcome::policy("The roster is full.");
    }
    if (step.state == item.state && !adds) return {};
    item.state = step.state;
    if (!item.state.pending_in) item.request.clear();
    if (adds) {
        item.listed = true;
        item.removed = false;
    }
    account_.roster().plan_item(batch, change, std::move(item), step.push || adds);
    return {};
}

void Subscriptions::send(const Stanza& stanza, AcknowledgementTicket ticket) {
    // RFC 6121 §3: subscriptions are between bare JIDs, whatever was addressed.
    const Stanza bare{stanza.element, stanza.arena,   stanza.kind,
                      stanza.type,    account_.jid(), stanza.to.bare_jid()};
    const PacketRef packet = Packet::from_stanza(bare);
    Hub& hub = account_.hub();
    if (bare.to.bare() == account_.jid().bare()) {
        hub.routing->bounce(*packet,
                            {.condition = StanzaCondition::not_allowed,
                             .text = "An account is always subscribed to itself."},
                            ticket);
        return;
    }
    account_.when_loaded([this, &hub, packet, ticket](const Outcome& loaded) {
        if (!loaded) {
            hub.routing->bounce(*packet, error_of(loaded), ticket);
            return;
        }
        const auto planned = std::make_shared<Planned>();
        account_.roster().change(
            [this, packet, planned](Batch& batch, Change& change) {
                planned->was_from = account_.presence_visible_to(packet->to());
                return plan_outbound(packet, packet->to(), batch, change, planned->step);
            },
            [this, &hub, packet, planned, ticket](const Outcome& outcome) {
                if (outcome) {
                    sent(packet, planned->step, planned->was_from, ticket);
                } else {
                    hub.routing->bounce(*packet, error_of(outcome), ticket);
                }
            });
    });
}

void Subscriptions::sent(const PacketRef& packet, const SubscriptionStep& step, bool was_from,
                         AcknowledgementTicket ticket) {
    Hub& hub = account_.hub();
    // §3.2.3: presence no longer comes once the subscription is cancelled.
    if (packet->type() == StanzaType::unsubscribed && was_from) {
        account_.presence().send_unavailable(packet->to());
    }
    if (step.forward) {
        hub.routing->route(packet, ticket);
    } else {
        hub.settle(ticket);
    }
    if (packet->type() == StanzaType::subscribed && step.state.from && step.forward) {
        account_.presence().send_current(packet->to());
    }
}

// ---- it arrives for the account ----

/// What the access rules make of a request: with "allow" it is as if it had been approved
/// beforehand; with "deny" and "polite" nothing is asked, now or later.
void Subscriptions::decide(RosterItem& item, const PacketRef& packet, Planned& planned) const {
    planned.step = receive_subscription(item.state, packet->type());
    if (packet->type() != StanzaType::subscribe || item.state.from) return;
    planned.answer = account_.access().decide(item.jid, AccessAct::subscribe).answer;
    SubscriptionState decided = item.state;
    switch (planned.answer) {
        case AccessAnswer::allow:
            decided.approved = true;
            planned.step = receive_subscription(decided, packet->type());
            planned.step.push = true;
            return;
        case AccessAnswer::deny:
        case AccessAnswer::polite:
            decided.pending_in = false;
            planned.step = {.state = decided};
            return;
        default: return;
    }
}

/// Who is told politely that it is subscribed, and who takes leave of that. False: too many are
/// told.
bool Subscriptions::plan_told(const PacketRef& packet, Batch& batch, const Planned& planned) const {
    const bool polite = planned.answer == AccessAnswer::polite;
    if (!polite && packet->type() != StanzaType::unsubscribe) return true;
    return account_.access().plan_told(batch, packet->from().bare_jid(), polite);
}

Outcome Subscriptions::plan_inbound(const PacketRef& packet, Batch& batch, Change& change,
                                    Planned& planned) {
    const Roster& roster = account_.roster().items();
    const Jid contact = packet->from().bare_jid();
    const RosterItem* known = roster.find(contact);
    RosterItem item = known != nullptr ? *known : RosterItem{};
    item.jid = contact;
    planned.was_from = account_.presence_visible_to(item.jid);
    decide(item, packet, planned);
    const SubscriptionStep& step = planned.step;
    if (step.state.from && !item.listed) {
        if (roster.listed_count() >= account_.hub().limits().roster_items) {
            return Outcome::policy("The roster is full.");
        }
        item.listed = true;
        item.removed = false;
    }
    if (step.state.pending_in && !item.state.pending_in &&
        roster.request_count() >= account_.hub().limits().subscription_requests) {
        return Outcome::policy("Too many requests are waiting for this contact.");
    }
    if (!plan_told(packet, batch, planned)) planned.answer = AccessAnswer::deny;
    // Who was told politely is known once that is durable; the next request may count them.
    change.others_follow =
        planned.answer != AccessAnswer::polite && packet->type() != StanzaType::unsubscribe;
    change.before_push = [this, packet, forward = step.forward, answer = planned.answer] {
        if (answer == AccessAnswer::polite) account_.access().told(packet->from().bare_jid(), true);
        if (packet->type() == StanzaType::unsubscribe) {
            account_.access().told(packet->from().bare_jid(), false);
        }
        if (forward) show(packet);
    };
    // A repeated request replaces what waits, so that the newest words are shown.
    const bool renewed = packet->type() == StanzaType::subscribe && step.state.pending_in;
    if (step.state == item.state && !renewed) return {};
    item.state = step.state;
    if (renewed) {
        item.request = kept_request(*packet);
    } else if (!item.state.pending_in) {
        item.request.clear();
    }
    account_.roster().plan_item(batch, change, std::move(item), step.push);
    return {};
}

void Subscriptions::receive(const PacketRef& packet, AcknowledgementTicket ticket) {
    account_.when_loaded([this, packet, ticket](const Outcome& loaded) {
        Hub& hub = account_.hub();
        if (!loaded) {
            hub.routing->bounce(*packet, error_of(loaded), ticket);
            return;
        }
        if (!account_.exists()) {
            // §8.5.1: nobody is told that there is no such account. Whom the domain lets subscribe
            // to nobody is told that in any case.
            hub.settle(ticket);
            const bool asks = packet->type() == StanzaType::subscribe;
            if (asks && account_.access().decide(packet->from(), AccessAct::subscribe).answer ==
                            AccessAnswer::deny) {
                answer(packet, StanzaType::unsubscribed);
            }
            return;
        }
        const auto planned = std::make_shared<Planned>();
        account_.roster().change(
            [this, packet, planned](Batch& batch, Change& change) {
                return plan_inbound(packet, batch, change, *planned);
            },
            [this, &hub, packet, planned, ticket](const Outcome& outcome) {
                if (outcome) {
                    hub.settle(ticket);
                    received(packet, *planned);
                } else if (outcome.cause() == Cause::policy) {
                    hub.settle(ticket);  // an answer would tell a stranger that the account exists
                } else {
                    hub.routing->bounce(*packet, error_of(outcome), ticket);
                }
            });
    });
}

void Subscriptions::answer(const PacketRef& packet, StanzaType type) {
    account_.hub().routing->route(Packet::make(StanzaKind::presence, type, account_.jid(),
                                               packet->from().bare_jid(), packet->id(), {}));
}

void Subscriptions::received(const PacketRef& packet, const Planned& planned) {
    const Jid contact = packet->from().bare_jid();
    if (planned.step.reply_subscribed || planned.answer == AccessAnswer::polite) {
        answer(packet, StanzaType::subscribed);
        account_.presence().send_current(contact);
    } else if (planned.answer == AccessAnswer::deny) {
        answer(packet, StanzaType::unsubscribed);
    }
    // §3.3.3: only a contact that saw presence is told that it ends; a request that is withdrawn
    // tells nothing.
    if (packet->type() == StanzaType::unsubscribe && planned.was_from) {
        account_.presence().send_unavailable(contact);
    }
}

void Subscriptions::show(const PacketRef& packet) {
    // §3.1.3: requests go to available sessions; §3.1.6, §3.2.3, §3.3.3: the rest also to those
    // that asked for the roster, before the push.
    for (Resource* session : account_.sessions().all()) {
        const bool interested = session->interested && packet->type() != StanzaType::subscribe;
        if (session->available() || interested) session->deliver(packet, 0);
    }
}

}  // namespace causeway
