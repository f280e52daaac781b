// XEP-0203 Delayed Delivery: what comes from the store is stamped where it is read. A stamp
// in the name of a domain here that came with the stanza is removed: it would be taken for ours.
#include <array>

#include "gateway/session/hub.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/domain.h"

namespace causeway {
namespace {

/// XEP-0203 §5: the sender of a stanza cannot know that it was late here.
void remove_ours(const Hub& hub, Element& stanza) {
    const Element* next = nullptr;
    for (const Element* child = stanza.first_element(); child != nullptr; child = next) {
        next = child->next_element();
        if (child->is(ns::delay, "delay") && hub.serves(domain_of(child->attribute("from")))) {
            stanza.remove_child(*child);
        }
    }
}

Verdict from_a_client(FromClient& from) {
    if (from.stanza.kind == StanzaKind::message) remove_ours(from.hub, from.stanza.element);
    return Verdict::next;
}

Verdict from_a_server(FromServer& from) {
    remove_ours(from.hub, from.stanza.element);
    return Verdict::next;
}

constexpr std::array from_client{FromClientHook{Phase::rewrite, from_a_client}};
constexpr std::array from_server{FromServerHook{Phase::rewrite, from_a_server}};
constexpr std::array disco_features{ns::delay};

}  // namespace

extern const Feature delay;
const Feature delay{.name = "delay",
                    .xep = 203,
                    .version = "2.0",
                    .server_disco = disco_features,
                    .points = {.from_client = from_client, .from_server = from_server}};

}  // namespace causeway
