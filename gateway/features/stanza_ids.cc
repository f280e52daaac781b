// XEP-0359 Unique and Stable Stanza IDs: a message for an account here gets an id in its name,
// every message to another domain one in the name of ours; ids that claim to be ours are removed
// first.
//
// Where accounts have an archive, the id is that of the archived message (XEP-0313 §3.5), and a
// client asks for what came after it. So what is not archived has none there.
#include "gateway/features/stanza_ids.h"

#include <fmt/format.h>

#include <array>

#include "gateway/features/message_archive.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// Whether `id` claims to be by `owner`, a bare JID, or by its server. Compared as addresses:
/// another spelling of our domain is ours as well.
bool claims(const Element& id, const Jid& owner) {
    const auto by = Jid::parse(id.attribute("by"));
    return !by || by->bare() == owner.bare() || by->full() == owner.domain();
}

void remove_claims(Element& message, const Jid& owner) {
    const Element* next = nullptr;
    for (const Element* child = message.first_element(); child != nullptr; child = next) {
        next = child->next_element();
        if (child->is(ns::stanza_ids, "stanza-id") && claims(*child, owner)) {
            message.remove_child(*child);
        }
    }
}

/// To another domain a message carries an id by its sender: by that its server may know it again.
void add_id(Hub& hub, Stanza& stanza, std::string_view by) {
    Element& id = stanza.element.add_child(stanza.arena, ns::stanza_ids, "stanza-id");
    id.set_attribute(stanza.arena, "by", stanza.arena.copy(by));
    stanza.stanza_id = hub.shared.ids.next_id();
    id.set_attribute(stanza.arena, "id", stanza.arena.copy(fmt::format("{}", stanza.stanza_id)));
}

bool is_kept(StanzaType type) { return type == StanzaType::chat || type == StanzaType::normal; }

/// A message that its server sends again is the same in sender, id and content, and its server says
/// that it gives ids: a bot that copies a payload, id included, sends another message. Until the
/// server has said so, only what its client gave counts, and that only after a break.
void recognise(Hub& hub, Stanza& stanza) {
    RepeatKeys keys = SeenMessages::keys_of(hub.shared.secret, stanza);
    if (keys.by_server_id == 0 && keys.by_client_id == 0) return;
    keys.broke = hub.remote->lately_broken(stanza.from.domain());
    if (keys.by_server_id != 0 && !hub.remote->stamps(stanza.from.domain(), stanza.to.domain())) {
        keys.by_server_id |= RepeatKeys::not_said;
    }
    stanza.repeat_keys = keys;
}

Verdict from_a_client(FromClient& from) {
    Stanza& stanza = from.stanza;
    if (stanza.kind != StanzaKind::message) return Verdict::next;
    const bool here = from.hub.serves(stanza.to.domain());
    // An id by the sender would name a place in its own archive, for its other clients
    // (carbons.cc).
    remove_claims(stanza.element, stanza.from);
    if (here) remove_claims(stanza.element, stanza.to);
    if (!here && is_kept(stanza.type)) add_id(from.hub, stanza, stanza.from.bare());
    return Verdict::next;
}

Verdict from_a_server(FromServer& from) {
    if (from.stanza.kind != StanzaKind::message) return Verdict::next;
    remove_claims(from.stanza.element, from.stanza.to);
    if (is_kept(from.stanza.type)) recognise(from.hub, from.stanza);
    return Verdict::next;
}

/// Whether an id would name something that the owner can find by it, or an archive is not there to
/// be asked.
bool has_use(const Account& account, const Packet& message) {
    return !archive::offered(account.hub(), account.jid().domain()) ||
           (message.traits().archivable && archive::keeps(account, message.from()));
}

/// The id is allotted where its owner lives, so that ids rise in the order in which the owner sees
/// the messages: a client that pages after the last one it knows misses none.
Verdict stamp(AtAccount& at) {
    if (!is_kept(at.packet->type()) || !has_use(at.account, *at.packet)) return Verdict::next;
    at.packet =
        Packet::stamped(std::move(at.packet), at.account.jid(), at.hub.shared.ids.next_id());
    return Verdict::next;
}

constexpr std::array from_client{FromClientHook{Phase::rewrite, from_a_client}};
constexpr std::array from_server{FromServerHook{Phase::rewrite, from_a_server}};
constexpr std::array at_account{AtAccountHook{StanzaKind::message, Phase::rewrite, stamp}};
constexpr std::array disco_features{ns::stanza_ids};

}  // namespace

PacketRef without_ids_of(const PacketRef& message, const Jid& owner) {
    if (message->bytes().find(ns::stanza_ids) == std::string_view::npos) return message;
    PacketRef without = message;
    static_cast<void>(Packet::visit_bytes(message->bytes(), [&](Stanza& stanza) {
        remove_claims(stanza.element, owner);
        without = Packet::from_stanza(stanza);
    }));
    return without;
}

extern const Feature stanza_ids;
const Feature stanza_ids{
    .name = "stanza_ids",
    .xep = 359,
    .version = "0.7.0",
    .server_disco = disco_features,
    .account_disco = disco_features,
    .points = {.from_client = from_client, .from_server = from_server, .at_account = at_account}};

}  // namespace causeway
