// XEP-0359 Unique and Stable Stanza IDs: every message for an account here gets an id in its name; ids
// that claim to be ours are removed first, all of them.
#include <fmt/format.h>

#include <array>

#include "gateway/session/hub.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

bool forged(const Element& id, const Stanza& stanza) {
    const auto by = Jid::parse(id.attribute("by"));
    // Compared as addresses: another spelling of ours is ours, too.
    return !by || by->bare() == stanza.to.bare() || by->full() == stanza.to.domain();
}

Verdict stamp(Hub& hub, Stanza& stanza, Source) {
    if (stanza.kind != StanzaKind::message || !stanza.to.has_local() ||
        !hub.serves(stanza.to.domain())) {
        return Verdict::next;
    }
    const Element* next = nullptr;
    for (const Element* child = stanza.element.first_element(); child != nullptr; child = next) {
        next = child->next_element();
        if (child->is(ns::stanza_ids, "stanza-id") && forged(*child, stanza)) {
            stanza.element.remove_child(*child);
        }
    }
    if (stanza.type != StanzaType::chat && stanza.type != StanzaType::normal) return Verdict::next;
    Element& id = stanza.element.add_child(stanza.arena, ns::stanza_ids, "stanza-id");
    id.set_attribute(stanza.arena, "by", stanza.arena.copy(stanza.to.bare()));
    std::array<char, 24> text{};
    const auto end = fmt::format_to(text.data(), "{}", hub.shared.ids.next_id());
    id.set_attribute(stanza.arena, "id",
                     stanza.arena.copy({text.data(), static_cast<std::size_t>(end - text.data())}));
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
