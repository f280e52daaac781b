// XEP-0478 Stream Limits Advertisement: how large a stanza may be, told to whoever sends them. A
// larger one is passed over and answered, once the sender has proven who it is (see XmppStream).
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

/// The limit before logging in is another, which nothing that belongs there comes near.
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
