// Presence of one account (RFC 6121 §4): broadcast, probes, directed presence.
#include <algorithm>

#include "gateway/base/random.h"
#include "gateway/session/account.h"
#include "gateway/session/accounts.h"

namespace causeway {
namespace {

/// Sends `packet` to each of `contacts`: on this server straight to their accounts, one message per
/// shard; elsewhere as a stanza of its own.
void fan_out(Hub& hub, const PacketRef& packet, const std::vector<const Jid*>& contacts) {
    std::vector<std::vector<Jid>> elsewhere(hub.shared.hubs.size());
    for (const Jid* contact : contacts) {
        if (!hub.serves(contact->domain())) {
            hub.routing->route(packet->readdressed(*contact));
            continue;
        }
        Hub& home = hub.home_of(contact->bare());
        if (&home != &hub) {
            elsewhere[home.shard.index()].push_back(*contact);
        } else if (Account* user = hub.accounts->find(contact->bare())) {
            user->deliver_presence_as(packet, *contact);
        }
    }
    for (std::size_t i = 0; i < elsewhere.size(); ++i) {
        if (elsewhere[i].empty()) continue;
        Hub& home = *hub.shared.hubs[i];
        home.shard.post([&home, packet, names = std::move(elsewhere[i])] {
            for (const Jid& name : names) {
                if (Account* user = home.accounts->find(name.bare())) {
                    user->deliver_presence_as(packet, name);
                }
            }
        });
    }
}

}  // namespace

void Account::deliver_presence_as(const PacketRef& packet, const Jid& to) {
    const auto deliver = [this](const PacketRef& presence, const Jid& address) {
        for (Resource* resource : resources_) {
            if (resource->available()) resource->deliver_as(presence, address);
        }
    };
    if (roster_at_rest()) {
        deliver(packet, to);  // the usual case, which copies nothing
    } else {
        in_order([deliver, packet, to] { deliver(packet, to); });
    }
}

void Account::broadcast(const PacketRef& packet) {
    std::vector<const Jid*> contacts;
    for (const auto& [key, item] : roster_.items()) {
        if (item.state.from) contacts.push_back(&item.jid);
    }
    fan_out(hub_, packet, contacts);
    // §4.2.2: the user's own available resources hear of it, too.
    for (Resource* resource : resources_) {
        if (resource->available()) resource->deliver_as(packet, resource->jid());
    }
}

void Account::own_presence(Resource& resource, const PacketRef& packet, int priority) {
    if (packet->type() == StanzaType::unavailable) {
        became_unavailable(resource, packet);
        return;
    }
    const bool first = !resource.available();
    const bool takes_messages = priority >= 0 && (first || resource.priority < 0);
    resource.presence = packet;
    resource.priority = priority;
    resources_changed();
    when_loaded(
        [this, full = resource.jid(), packet, first, takes_messages](const Outcome& outcome) {
            Resource* still = find(full.resource());
            if (!outcome || still == nullptr || still->presence != packet) return;
            broadcast(packet);
            if (first) first_presence(*still);
            if (takes_messages) deliver_offline();
        });
}

void Account::first_presence(Resource& resource) {
    for (const Resource* other : resources_) {
        if (other != &resource && other->available()) {
            resource.deliver_as(other->presence, resource.jid());
        }
    }
    probe_contacts(resource);
    send_requests(resource);
}

void Account::probe_contacts(const Resource& resource) {
    for (const auto& [key, item] : roster_.items()) {
        if (!item.state.to) continue;
        hub_.routing->route(Packet::make(StanzaKind::presence, StanzaType::probe, resource.jid(),
                                         item.jid, random_token(6), {}));
    }
}

void Account::send_requests(Resource& resource) {
    // §3.1.3: every request that waits is sent again at each login, until it is answered.
    for (const auto& [key, item] : roster_.items()) {
        if (!item.state.pending_in || item.request.empty()) continue;
        if (auto request = Packet::from_bytes(item.request)) resource.deliver(*request, 0);
    }
}

void Account::became_unavailable(Resource& resource, const PacketRef& packet) {
    const bool was_available = resource.available();
    resource.presence = nullptr;
    resource.priority = 0;
    const std::set<Jid> directed = std::exchange(resource.directed, {});
    if (was_available && state_ == State::loaded) broadcast(packet);
    for (const Jid& to : directed) {
        // §4.6.3: whoever had directed presence is told, unless the broadcast did.
        const RosterItem* item = roster_.find(to.bare_jid());
        if (item != nullptr && item->state.from && was_available) continue;
        hub_.routing->route(packet->readdressed(to));
    }
    // §4.5.2: the resource itself hears its own unavailable presence, as the others do.
    if (was_available && find(resource.jid().resource()) == &resource) {
        resource.deliver_as(packet, resource.jid());
    }
    resources_changed();
}

void Account::directed_presence(Resource& resource, const PacketRef& packet) {
    if (packet->type() == StanzaType::unavailable) {
        resource.directed.erase(packet->to());
    } else if (resource.directed.size() < hub_.limits().directed_presences) {
        resource.directed.insert(packet->to());
    }
    hub_.routing->route(packet);
}

void Account::presence_in(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (is_subscription(packet->type())) {
        subscription_in(packet, ticket);
        return;
    }
    hub_.settle(ticket);
    if (packet->type() == StanzaType::probe) {
        when_loaded([this, packet](const Outcome& outcome) {
            if (outcome) probe_in(packet);
        });
        return;
    }
    if (!packet->to().has_resource()) {
        deliver_presence(packet);
        return;
    }
    in_order([this, packet] {
        if (Resource* resource = find(packet->to().resource())) resource->deliver(packet, 0);
    });
}

void Account::deliver_presence(const PacketRef& packet) {
    in_order([this, packet] {
        for (Resource* resource : resources_) {
            if (resource->available()) resource->deliver(packet, 0);
        }
    });
}

void Account::probe_in(const PacketRef& packet) {
    const Jid& prober = packet->from();
    if (prober.bare() == jid_.bare()) {
        send_current_presence(prober);
        return;
    }
    const RosterItem* item = exists_ ? roster_.find(prober.bare_jid()) : nullptr;
    if (item != nullptr && item->state.from) {
        send_current_presence(prober);
        return;
    }
    // §4.3.2: whoever is not subscribed learns that, and no more. A request that still waits for
    // its answer must not be answered by a probe.
    if (item != nullptr && item->state.pending_in) return;
    hub_.routing->route(Packet::make(StanzaKind::presence, StanzaType::unsubscribed, jid_,
                                     prober.bare_jid(), {}, {}));
}

void Account::send_current_presence(const Jid& to) {
    bool any = false;
    for (const Resource* resource : resources_) {
        if (!resource->available()) continue;
        any = true;
        hub_.routing->route(resource->presence->readdressed(to));
    }
    if (!any) {
        hub_.routing->route(
            Packet::make(StanzaKind::presence, StanzaType::unavailable, jid_, to, {}, {}));
    }
}

void Account::send_unavailable(const Jid& to) {
    for (const Resource* resource : resources_) {
        if (!resource->available()) continue;
        hub_.routing->route(Packet::make(StanzaKind::presence, StanzaType::unavailable,
                                         resource->jid(), to, {}, {}));
    }
}

}  // namespace causeway
