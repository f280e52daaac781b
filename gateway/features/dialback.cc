// XEP-0220 Server Dialback: offered to servers once the stream is secure, where policy allows it.
#include <fmt/format.h>

#include <array>

#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void offer(Negotiation& negotiation, std::string& out) {
    if (negotiation.hub().config->s2s.authentication == Config::PeerAuthentication::certificate) {
        return;
    }
    out += XmlBuilder().open("dialback", ns::dialback_feature).empty("errors").take();
}

void handle(Negotiation& negotiation, Element& element, Arena& arena) {
    negotiation.dialback(element, arena);
}

// Towards another server: used if the peer does not offer EXTERNAL or refuses our certificate. The
// peer need not offer dialback: older servers take a key without that.
bool begin(Negotiation& negotiation, const Element*) {
    if (negotiation.hub().config->s2s.authentication == Config::PeerAuthentication::certificate) {
        negotiation.give_up(Outcome::refused(
            fmt::format("{} does not accept certificates from us", negotiation.peer_domain())));
        return true;
    }
    negotiation.send_dialback_key();
    return true;
}

// Also after SASL: further domain pairs on the stream are verified this way (XEP-0220 §2.6).
constexpr std::array features{
    StreamFeature{.side = StreamSide::server,
                  .ns = ns::dialback,
                  .needs = stream_bits::secure,
                  .offer = offer,
                  .handle = handle},
    StreamFeature{.side = StreamSide::server,
                  .role = StreamRole::initiating,
                  .ns = ns::dialback,
                  .needs = stream_bits::secure,
                  .forbids = stream_bits::authenticated | stream_bits::only_asks,
                  .begin = begin,
                  .handle = handle},
};

}  // namespace

extern const Feature dialback;
const Feature dialback{.name = "dialback", .xep = 220, .version = "1.1.1", .stream = features};

}  // namespace causeway
