// RFC 6120 §7: resource binding; and the session request of RFC 3921, which does nothing but is
// still sent by old clients.
#include <array>

#include "gateway/route/router.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void offer(Negotiation&, std::string& out) {
    out +=
        XmlBuilder().empty("bind", ns::bind).open("session", ns::session).empty("optional").take();
}

void handle(Negotiation& negotiation, Element& iq, Arena& arena) {
    const Element* request = iq.child(ns::bind, "bind");
    if (request == nullptr || iq.element_count() != 1 || iq.attribute("id").empty()) {
        std::string inner;
        append_error(inner, {.condition = StanzaCondition::bad_request,
                             .text = "That iq needs an id and one <bind/>."});
        negotiation.stream().send(
            Packet::make(StanzaKind::iq, StanzaType::error, {}, {}, iq.attribute("id"), inner)
                ->bytes());
        return;
    }
    const Element* resource = request->child(ns::bind, "resource");
    negotiation.bind(resource == nullptr ? std::string_view{} : resource->text(arena),
                     iq.attribute("id"));
}

void session(const IqRequest& request) { IqReturn(request).result({}); }

void already_bound(const IqRequest& request) {
    IqReturn(request).error(
        {.condition = StanzaCondition::not_allowed, .text = "A stream has one resource."});
}

constexpr std::array stream_features{
    StreamFeature{.side = StreamSide::client,
                  .ns = ns::bind,
                  .needs = stream_bits::authenticated,
                  .forbids = stream_bits::bound,
                  .offer = offer,
                  .handle = handle},
};

constexpr std::array handlers{
    IqHandler{StanzaType::set, ns::session, "session", IqTarget::own, session},
    IqHandler{StanzaType::set, ns::session, "session", IqTarget::server, session},
    IqHandler{StanzaType::set, ns::bind, "bind", IqTarget::own, already_bound},
};

}  // namespace

extern const Feature bind;
const Feature bind{.name = "bind", .iq = handlers, .stream = stream_features};

}  // namespace causeway
