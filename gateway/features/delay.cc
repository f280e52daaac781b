// XEP-0203 Delayed Delivery: stamped on what comes from the store; a client's or peer's own stamps
// in our name are removed, since they would be taken for ours.
#include <array>

#include "gateway/session/hub.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

Verdict remove_forged(Hub& hub, Stanza& stanza, Source source) {
    if (source == Source::client) return Verdict::next;
    const Element* next = nullptr;
    for (const Element* child = stanza.element.first_element(); child != nullptr; child = next) {
        next = child->next_element();
        if (child->is(ns::delay, "delay") && hub.serves(child->attribute("from"))) {
            stanza.element.remove_child(*child);
        }
    }
    return Verdict::next;
}

constexpr std::array hooks{EntryHook{Phase::rewrite, remove_forged}};
constexpr std::array disco_features{ns::delay};

}  // namespace

extern const Feature delay;
const Feature delay{
    .name = "delay", .xep = 203, .version = "2.0", .server_disco = disco_features, .entry = hooks};

}  // namespace causeway
