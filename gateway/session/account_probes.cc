// RFC 6121 §4.3.2, §4.6.6: what an account answers to a probe.
#include <algorithm>

#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// A contact's server asks in the name of a client or of the account, whichever of the two it was.
bool had_directed(const Resource& session, const Jid& who) {
    return std::ranges::any_of(session.directed, [&](const Jid& to) {
        return to == who || (to.bare() == who.bare() && to.has_resource() != who.has_resource());
    });
}

}  // namespace

void AccountPresence::probed(const PacketRef& packet) {
    const Jid& prober = packet->from();
    if (account_.presence_visible_to(prober)) {
        send_current(prober);
        return;
    }
    if (account_.known_to(prober)) {
        account_.hub().routing->route(hidden(prober));
        return;
    }
    if (answered_as_directed(*packet)) return;
    // §4.3.2: a prober that is not subscribed learns that, and no more. A request that still waits
    // for its answer must not be answered by a probe.
    const RosterItem* item = account_.roster().items().find(prober.bare_jid());
    if (item != nullptr && item->state.pending_in) return;
    account_.hub().routing->route(Packet::make(StanzaKind::presence, StanzaType::unsubscribed,
                                               account_.jid(), prober.bare_jid(), {}, {}));
}

/// Somebody without a subscription to whom a session sent its presence may ask whether that is
/// still there, as rooms do, and learns that and nothing of what it shows (§4.6.6), but for what a
/// rule shows instead.
bool AccountPresence::answered_as_directed(const Packet& probe) {
    const Jid& prober = probe.from();
    if (!account_.takes_part() || account_.access().view_for(prober).hides_all()) return false;
    bool any = false;
    for (const Resource* session : account_.sessions().all()) {
        if (probe.to().has_resource() && session->jid() != probe.to()) continue;
        if (!had_directed(*session, prober)) continue;
        send_view(Packet::make(StanzaKind::presence, StanzaType::available, session->jid(), prober,
                               {}, {}),
                  prober);
        any = true;
    }
    return any;
}

/// The answer for who is shown nothing: that of an account that went away when the rule was made.
PacketRef AccountPresence::hidden(const Jid& to) const {
    const UnixMillis since = account_.access().hidden_since(to);
    XmlBuilder inner;
    if (since != 0) {
        inner.open("delay", ns::delay)
            .attribute("from", account_.jid().bare())
            .attribute("stamp", format_date_time_exactly(since));
    }
    return Packet::make(StanzaKind::presence, StanzaType::unavailable, account_.jid(), to, {},
                        inner.take());
}

void AccountPresence::send_current(const Jid& to) {
    if (!account_.takes_part()) return;
    bool any = false;
    const PresenceView& view = account_.access().view_for(to);
    if (view.hides_all()) {
        account_.hub().routing->route(hidden(to));
        return;
    }
    for (const Resource* session : account_.sessions().all()) {
        if (!session->available()) continue;
        any = true;
        account_.hub().routing->route(view.apply(session->presence)->readdressed(to));
    }
    if (const PacketRef presence = published()) {
        any = true;
        account_.hub().routing->route(view.apply(presence)->readdressed(to));
    }
    if (!any && last_ != nullptr) {
        account_.hub().routing->route(view.apply(last_)->readdressed(to));
    } else if (!any) {
        account_.hub().routing->route(Packet::make(StanzaKind::presence, StanzaType::unavailable,
                                                   account_.jid(), to, {}, {}));
    }
}

}  // namespace causeway
