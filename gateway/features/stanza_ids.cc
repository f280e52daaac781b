// XEP-0359 Unique and Stable Stanza IDs: every message for an account here gets an id in its name,
// every message to another domain one in the name of ours; ids that claim to be ours are removed
// first.
#include <fmt/format.h>

#include <array>

#include "gateway/session/hub.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::size_t longest_id = 128;

/// Whether `id` claims to be by `owner`, a bare JID, or by its server. Compared as addresses:
/// another spelling of ours is ours, too.
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

void add_id(Hub& hub, Stanza& stanza, std::string_view by) {
    Element& id = stanza.element.add_child(stanza.arena, ns::stanza_ids, "stanza-id");
    id.set_attribute(stanza.arena, "by", stanza.arena.copy(by));
    std::array<char, 24> text{};
    const auto end = fmt::format_to(text.data(), "{}", hub.shared.ids.next_id());
    id.set_attribute(stanza.arena, "id",
                     stanza.arena.copy({text.data(), static_cast<std::size_t>(end - text.data())}));
}

/// The id that the sender's server gave; that it speaks for its domain was proven by its stream.
void recognise(const Hub& hub, Stanza& stanza) {
    for (const Element* child = stanza.element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (!child->is(ns::stanza_ids, "stanza-id")) continue;
        const std::string_view id = child->attribute("id");
        if (id.empty() || id.size() > longest_id) continue;
        if (child->attribute("by") != stanza.from.domain()) continue;
        stanza.resend_key =
            SeenMessages::key(hub.shared.secret, stanza.from.domain(), id, stanza.to.bare());
        return;
    }
}

Verdict stamp(Hub& hub, Stanza& stanza, Source source) {
    if (stanza.kind != StanzaKind::message) return Verdict::next;
    const bool kept = stanza.type == StanzaType::chat || stanza.type == StanzaType::normal;
    if (!hub.serves(stanza.to.domain())) {
        // To another domain, in the name of ours: by that id its server may know the message again.
        remove_claims(stanza.element, stanza.from);
        if (kept) add_id(hub, stanza, stanza.from.domain());
        return Verdict::next;
    }
    if (!stanza.to.has_local()) return Verdict::next;
    remove_claims(stanza.element, stanza.to);
    if (!kept) return Verdict::next;
    if (source == Source::server) recognise(hub, stanza);
    add_id(hub, stanza, stanza.to.bare());
    return Verdict::next;
}

constexpr std::array hooks{EntryHook{Phase::rewrite, stamp}};
constexpr std::array disco_features{ns::stanza_ids};

}  // namespace

extern const Feature stanza_ids;
const Feature stanza_ids{.name = "stanza_ids",
                         .xep = 359,
                         .version = "0.7.0",
                         .server_disco = disco_features,
                         .account_disco = disco_features,
                         .entry = hooks};

}  // namespace causeway
