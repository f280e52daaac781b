// XEP-0478 Stream Limits Advertisement: tells the peer how large a stanza may be. A larger one is
// passed over and answered, once the peer has authenticated (see XmppStream).
#include <fmt/format.h>

#include <array>

#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void announce(std::string& out, std::size_t bytes) {
    out += XmlBuilder()
               .open("limits", ns::stream_limits)
               .element("max-bytes", fmt::format("{}", bytes))
               .take();
}

/// The lower limit before login is not told: nothing that a client sends there comes near it.
void offer_client(Negotiation& negotiation, std::string& out) {
    announce(out, negotiation.hub().limits().stanza_bytes_client);
}

/// Told before the peer has proven anything, since dialback brings no new features.
void offer_server(Negotiation& negotiation, std::string& out) {
    const Limits& limits = negotiation.hub().limits();
    XmlBuilder xml;
    xml.open("limits", ns::stream_limits)
        .element("max-bytes", fmt::format("{}", limits.stanza_bytes_server))
        .element("idle-seconds", fmt::format("{}", 2 * limits.link_idle_seconds.count()));
    out += xml.take();
}

constexpr std::array features{
    StreamFeature{
        .side = StreamSide::client, .needs = stream_bits::authenticated, .offer = offer_client},
    StreamFeature{.side = StreamSide::server, .needs = stream_bits::secure, .offer = offer_server},
};

}  // namespace

extern const Feature stream_limits;
const Feature stream_limits{
    .name = "stream_limits", .xep = 478, .version = "0.2.0", .stream = features};

}  // namespace causeway
