// The part of AccountPresence that somebody publishes in the account's name, as if a session were
// available.
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"

namespace causeway {
namespace {
/// The resource that it has, which no client asks for.
constexpr std::string_view published_resource = "published presence";
}  // namespace

PacketRef AccountPresence::published() const {
    const PublishedPresence& presence = account_.access().published();
    if (presence.empty()) return nullptr;
    XmlBuilder xml;
    if (!presence.show.empty()) xml.element("show", presence.show);
    if (!presence.status.empty()) xml.element("status", presence.status);
    xml.element("priority", "-1");  // nobody reads messages there
    return Packet::make(StanzaKind::presence, StanzaType::available,
                        account_.jid().with_resource(published_resource), {}, {}, xml.take());
}

PacketRef AccountPresence::unavailable(const Jid& from) const {
    return Packet::make(StanzaKind::presence, StanzaType::unavailable, from, {}, {}, {});
}

void AccountPresence::published_changed() {
    const PacketRef presence = published();
    broadcast(presence != nullptr ? presence
                                  : unavailable(account_.jid().with_resource(published_resource)));
}

void AccountPresence::settle_published() {
    const PacketRef presence = account_.takes_part() ? published() : nullptr;
    if (presence != nullptr) {
        broadcast(presence);
    } else {
        end_published();
    }
}

void AccountPresence::end_published() {
    if (account_.access().state().published.empty()) return;
    // To those who may have seen it, though it may be none's to see any more.
    broadcast_to_contacts(unavailable(account_.jid().with_resource(published_resource)));
}

}  // namespace causeway
