// Subscriptions: requests, approvals and cancellations of one account (RFC 6121 §3): the state
// machine of subscription.h applied to the stored roster. Nothing is forwarded or answered before
// the change it makes is durable. It has no state but the roster's.
#pragma once

#include "gateway/feature/acknowledgement.h"
#include "gateway/session/account_roster.h"
#include "gateway/session/subscription.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

class Subscriptions {
public:
    explicit Subscriptions(Account& account) : account_(account) {}

    /// A session of the account sends it.
    void send(const Stanza& stanza, AcknowledgementTicket ticket);
    /// It arrives for the account.
    void receive(const PacketRef& packet, AcknowledgementTicket ticket);

private:
    using Change = AccountRoster::Change;

    struct Planned;

    Outcome plan_outbound(const PacketRef& packet, const Jid& contact, Batch& batch, Change& change,
                          SubscriptionStep& step);
    Outcome plan_inbound(const PacketRef& packet, Batch& batch, Change& change, Planned& planned);
    bool plan_told(const PacketRef& packet, Batch& batch, const Planned& planned) const;
    void decide(RosterItem& item, const PacketRef& packet, Planned& planned) const;
    void sent(const PacketRef& packet, const SubscriptionStep& step, bool was_from,
              AcknowledgementTicket ticket);
    void received(const PacketRef& packet, const Planned& planned);
    void answer(const PacketRef& packet, StanzaType type);
    void show(const PacketRef& packet);

    Account& account_;
};

}  // namespace causeway
