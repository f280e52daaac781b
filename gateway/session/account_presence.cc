#include "gateway/session/account_presence.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "gateway/base/random.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// The text of a child without the white space around it. Empty as well where there is no such
/// child: some libraries send an empty element where they have nothing to say.
std::string_view child_text(const Stanza& stanza, std::string_view name) {
    const Element* child = stanza.element.child(ns::client, name);
    if (child == nullptr) return {};
    constexpr std::string_view white_space = " \t\r\n";
    std::string_view text = child->text(stanza.arena);
    text.remove_prefix(std::min(text.find_first_not_of(white_space), text.size()));
    return text.substr(0, text.find_last_not_of(white_space) + 1);
}

/// RFC 6121 §4.7.2.3: an xs:byte, 0 if there is none; nullopt if it is no such number.
std::optional<int> priority_of(const Stanza& stanza) {
    std::string_view text = child_text(stanza, "priority");
    if (text.empty()) return 0;
    if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
    int wanted = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
    const bool number = error == std::errc{} && end == text.data() + text.size();
    return number && wanted >= -128 && wanted <= 127 ? std::optional(wanted) : std::nullopt;
}

bool has_known_show(const Stanza& stanza) {
    constexpr std::array<std::string_view, 4> known{"away", "chat", "dnd", "xa"};
    const std::string_view show = child_text(stanza, "show");
    return show.empty() || std::ranges::find(known, show) != known.end();
}

}  // namespace

// ---- its sessions ----

void AccountPresence::refuse(Resource& session, const Stanza& stanza, std::string text) {
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::bad_request, .text = std::move(text)});
    session.deliver(Packet::make(StanzaKind::presence, StanzaType::error,
                                 account_.jid().domain_jid(), session.jid(), stanza.id(), inner),
                    0);
}

void AccountPresence::from_session(Resource& session, Stanza& stanza, const PacketRef& packet,
                                   AcknowledgementTicket ticket) {
    const bool says_itself =
        stanza.type == StanzaType::available || stanza.type == StanzaType::unavailable;
    if (is_subscription(stanza.type) && !stanza.to.empty()) {
        account_.subscriptions().send(stanza, ticket);
        return;
    }
    account_.hub().settle(ticket);
    if (!stanza.to.empty()) {
        if (says_itself) {
            directed(session, packet);
        } else {
            account_.hub().routing->route(packet);
        }
        return;
    }
    if (!says_itself) {
        if (stanza.type != StanzaType::error) {
            refuse(session, stanza, "That presence needs an address.");
        }
        return;
    }
    const auto priority = priority_of(stanza);
    if (!priority) {
        refuse(session, stanza, "A priority is a number from -128 to 127.");
    } else if (!has_known_show(stanza)) {
        refuse(session, stanza, "show is one of away, chat, dnd and xa.");
    } else {
        own(session, packet, *priority);
    }
}

void AccountPresence::own(Resource& session, const PacketRef& packet, int priority) {
    const auto take = [this, packet, priority](Resource& sender) {
        if (packet->type() == StanzaType::unavailable) {
            became_unavailable(sender, packet);
        } else {
            became_available(sender, packet, priority);
        }
    };
    if (account_.at_rest()) {
        take(session);
        return;
    }
    // One after the other, each with all its effects, once the contacts are known.
    account_.in_order([this, take, packet](const Outcome&) {
        if (Resource* still = account_.sessions().find(packet->from().resource())) take(*still);
    });
}

bool AccountPresence::takes_messages(std::string_view presence) {
    bool takes = false;
    static_cast<void>(Packet::visit_bytes(presence, [&](Stanza& stanza) {
        takes = stanza.type == StanzaType::available && priority_of(stanza).value_or(0) >= 0;
    }));
    return takes;
}

void AccountPresence::became_available(Resource& session, const PacketRef& packet, int priority) {
    const bool first = !session.available();
    const bool takes_messages = priority >= 0 && (first || session.priority < 0);
    session.presence = packet;
    session.priority = priority;
    account_.inbox().sessions_changed();
    broadcast(packet);
    account_.hub().shared.features.announce({.event = LifeEvent::presence_changed,
                                             .hub = account_.hub(),
                                             .account = &account_,
                                             .session = &session,
                                             .packet = packet});
    if (first) first_presence(session);
    if (takes_messages) account_.inbox().read_stored();
}

void AccountPresence::first_presence(Resource& session) {
    for (const Resource* other : account_.sessions().all()) {
        if (other != &session && other->available()) {
            session.deliver_as(other->presence, session.jid());
        }
    }
    if (const PacketRef presence = published()) session.deliver_as(presence, session.jid());
    probe_contacts(session);
    send_requests(session);
}

void AccountPresence::probe_contacts(const Resource& session) {
    for (const auto& [key, item] : account_.roster().items().items()) {
        if (!item.state.to || account_.access().blocks(item.jid)) continue;
        account_.hub().routing->route(Packet::make(StanzaKind::presence, StanzaType::probe,
                                                   session.jid(), item.jid, random_token(6), {}));
    }
}

void AccountPresence::renew(std::string_view domain) {
    for (const auto& [key, item] : account_.roster().items().items()) {
        if (item.jid.domain() != domain) continue;
        if (item.state.to && !account_.access().blocks(item.jid)) {
            account_.hub().routing->route(Packet::make(StanzaKind::presence, StanzaType::probe,
                                                       account_.jid(), item.jid, random_token(6),
                                                       {}));
        }
        if (!item.state.from) continue;
        for (const Resource* session : account_.sessions().all()) {
            if (session->available()) send_shown(session->presence, item.jid);
        }
    }
}

void AccountPresence::send_requests(Resource& session) {
    // §3.1.3: every request that waits is sent again at each login, until it is answered. One of
    // somebody who was blocked since then waits on (XEP-0191 §3.3).
    for (const auto& [key, item] : account_.roster().items().items()) {
        if (item.request.empty() || account_.access().blocks(item.jid)) continue;
        if (auto request = Packet::from_bytes(item.request)) session.deliver(*request, 0);
    }
}

void AccountPresence::session_gone(Resource& session) {
    became_unavailable(session, unavailable(session.jid()));
}

void AccountPresence::never_back(const Jid& session, bool was_available,
                                 const std::set<Jid>& directed) {
    const PacketRef packet = unavailable(session);
    if (account_.takes_part()) {
        broadcast_end(packet, was_available, directed);
        return;
    }
    // It did when they saw the session.
    if (was_available) broadcast_to_contacts(packet);
    for (const Jid& to : directed) send_view(packet, to);
}

void AccountPresence::broadcast_end(const PacketRef& packet, bool was_available,
                                    const std::set<Jid>& directed) {
    if (was_available) broadcast(packet);
    for (const Jid& to : directed) {
        // §4.6.3: the recipients of directed presence are told, unless the broadcast told them.
        const RosterItem* item = account_.roster().items().find(to.bare_jid());
        if (item != nullptr && item->state.from && was_available) continue;
        send_shown(packet, to);
    }
}

void AccountPresence::became_unavailable(Resource& session, const PacketRef& packet) {
    const bool was_available = session.available();
    if (!was_available && session.directed.empty()) return;
    session.presence = nullptr;
    session.priority = 0;
    broadcast_end(packet, was_available, std::exchange(session.directed, {}));
    if (!was_available) return;
    // §4.5.2: the session itself hears its own unavailable presence, as the others do.
    if (account_.sessions().has(session)) session.deliver_as(packet, session.jid());
    account_.inbox().sessions_changed();
    account_.hub().shared.features.announce({.event = LifeEvent::presence_changed,
                                             .hub = account_.hub(),
                                             .account = &account_,
                                             .session = &session,
                                             .packet = packet});
}

void AccountPresence::directed(Resource& session, const PacketRef& packet) {
    if (packet->type() == StanzaType::unavailable) {
        session.directed.erase(packet->to());
    } else if (session.directed.size() < account_.hub().limits().directed_presences) {
        session.directed.insert(packet->to());
    }
    if (account_.at_rest()) {
        send_directed(packet);
    } else {
        account_.in_order([this, packet](const Outcome&) { send_directed(packet); });
    }
}

void AccountPresence::send_directed(const PacketRef& packet) {
    Resource* const session = account_.sessions().find(packet->from().resource());
    const bool hidden = account_.access().view_for(packet->to()).hides_all();
    if (!hidden || packet->type() == StanzaType::unavailable || session == nullptr) {
        send_shown(packet, packet->to());
        return;
    }
    // A client that joins a room waits for an answer, and would wait for ever.
    session->directed.erase(packet->to());
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::not_acceptable,
                         .text = "An access rule shows no presence to this address.",
                         .type = "cancel"});
    session->deliver(Packet::make(StanzaKind::presence, StanzaType::error, packet->to(),
                                  session->jid(), packet->id(), inner),
                     0);
}

void AccountPresence::send_shown(const PacketRef& packet, const Jid& to) {
    if (account_.takes_part()) send_view(packet, to);
}

void AccountPresence::send_view(const PacketRef& packet, const Jid& to) {
    const PacketRef shown = account_.access().view_for(to).apply(packet);
    if (shown == nullptr) return;
    account_.hub().routing->route(shown->to() == to ? shown : shown->readdressed(to));
}

void AccountPresence::broadcast_to_contacts(const PacketRef& packet) {
    const AccountAccess& access = account_.access();
    const bool all_alike = access.usual(AccessAct::see);
    struct Audience {
        const PresenceView* view;
        std::vector<const Jid*> contacts;
    };
    std::vector<Audience> audiences{{&PresenceView::whole(), {}}};
    for (const auto& [key, item] : account_.roster().items().items()) {
        if (!item.state.from) continue;
        const PresenceView* view = all_alike ? &PresenceView::whole() : &access.view_for(item.jid);
        auto audience = std::ranges::find(audiences, view, &Audience::view);
        if (audience == audiences.end()) audience = audiences.insert(audience, {view, {}});
        audience->contacts.push_back(&item.jid);
    }
    for (const Audience& audience : audiences) {
        const PacketRef shown = audience.view->apply(packet);
        if (shown != nullptr) account_.hub().routing->fan_out(shown, audience.contacts);
    }
}

void AccountPresence::broadcast(const PacketRef& packet) {
    if (!account_.takes_part()) return;
    broadcast_to_contacts(packet);
    // §4.2.2: the account's own available sessions hear of it as well.
    for (Resource* session : account_.sessions().all()) {
        if (session->available()) session->deliver_as(packet, session->jid());
    }
}

// ---- others ----

void AccountPresence::receive(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (is_subscription(packet->type())) {
        account_.subscriptions().receive(packet, ticket);
        return;
    }
    account_.hub().settle(ticket);
    if (packet->type() == StanzaType::probe) {
        // Behind a change of the subscription that came before it.
        account_.in_order([this, packet](const Outcome& outcome) {
            if (outcome) probed(packet);
        });
    } else if (!packet->to().has_resource()) {
        deliver(packet);
    } else {
        account_.roster().in_order([this, packet](const Outcome&) {
            Resource* session = account_.sessions().find(packet->to().resource());
            if (session != nullptr) session->deliver(packet, 0);
        });
    }
}

void AccountPresence::deliver_as(const PacketRef& packet, const Jid& to) {
    const auto deliver_now = [this](const PacketRef& presence, const Jid& address) {
        for (Resource* session : account_.sessions().all()) {
            if (session->available()) session->deliver_as(presence, address);
        }
    };
    if (account_.roster().at_rest()) {
        deliver_now(packet, to);  // the usual case, which copies nothing
    } else {
        account_.roster().in_order(
            [deliver_now, packet, to](const Outcome&) { deliver_now(packet, to); });
    }
}

void AccountPresence::deliver(const PacketRef& packet) {
    account_.roster().in_order([this, packet](const Outcome&) {
        for (Resource* session : account_.sessions().all()) {
            if (session->available()) session->deliver(packet, 0);
        }
    });
}

void AccountPresence::send_unavailable(const Jid& to) {
    if (!account_.takes_part()) return;
    for (const Resource* session : account_.sessions().all()) {
        if (!session->available()) continue;
        account_.hub().routing->route(unavailable(session->jid())->readdressed(to));
    }
    if (const PacketRef presence = published()) {
        account_.hub().routing->route(unavailable(presence->from())->readdressed(to));
    }
}

// ---- access rules ----

bool AccountPresence::subscribed(const Jid& who) const {
    const RosterItem* item = account_.roster().items().find(who.bare_jid());
    return item != nullptr && item->state.from;
}

std::vector<Jid> AccountPresence::watchers() const {
    std::vector<Jid> all;
    for (const auto& [key, item] : account_.roster().items().items()) {
        if (item.state.from) all.push_back(item.jid);
    }
    std::set<Jid> directed;
    for (const Resource* session : account_.sessions().all()) {
        for (const Jid& to : session->directed) {
            if (!subscribed(to)) directed.insert(to);
        }
    }
    all.insert(all.end(), directed.begin(), directed.end());
    return all;
}

void AccountPresence::views_changed(const std::vector<AccountAccess::Shown>& before) {
    if (!account_.takes_part()) return;
    for (const AccountAccess::Shown& shown : before) {
        const PresenceView& now = account_.access().view_for(shown.who);
        if (now == shown.view) continue;
        for (Resource* session : account_.sessions().all()) show_anew(*session, shown, now);
        const PacketRef presence = published();
        if (presence == nullptr || !subscribed(shown.who)) continue;
        const PacketRef seen = now.apply(presence);
        account_.hub().routing->route(
            (seen != nullptr ? seen : unavailable(presence->from()))->readdressed(shown.who));
    }
}

void AccountPresence::show_anew(Resource& session, const AccountAccess::Shown& before,
                                const PresenceView& now) {
    const bool directed = session.directed.contains(before.who);
    const bool watches = session.available() && subscribed(before.who);
    if (!directed && !watches) return;
    PacketRef shown;
    if (now.hides_all()) {
        session.directed.erase(before.who);
        shown = Packet::make(StanzaKind::presence, StanzaType::unavailable, session.jid(),
                             before.who, {}, {});
    } else if (watches) {
        shown = now.apply(session.presence)->readdressed(before.who);
    }
    // What was sent to one address alone is not known any more, and is not shown anew.
    if (shown != nullptr) account_.hub().routing->route(shown);
}

}  // namespace causeway
