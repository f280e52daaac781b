// XEP-0203 Delayed Delivery: what comes from the store is stamped where it is read. A peer's stamp
// in the name of a domain here is removed, since it would be taken for ours.
#include <array>

#include "gateway/session/hub.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/domain.h"

namespace causeway {
namespace {

Verdict remove_forged(FromServer& from) {
    const Element* next = nullptr;
    for (const Element* child = from.stanza.element.first_element(); child != nullptr;
         child = next) {
        next = child->next_element();
        if (child->is(ns::delay, "delay") && from.hub.serves(domain_of(child->attribute("from")))) {
            from.stanza.element.remove_child(*child);
        }
    }
    return Verdict::next;
}

constexpr std::array hooks{FromServerHook{Phase::rewrite, remove_forged}};
constexpr std::array disco_features{ns::delay};

}  // namespace

extern const Feature delay;
const Feature delay{.name = "delay",
                    .xep = 203,
                    .version = "2.0",
                    .server_disco = disco_features,
                    .points = {.from_server = hooks}};

}  // namespace causeway
