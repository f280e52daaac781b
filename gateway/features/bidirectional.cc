// XEP-0288 Bidirectional Server-to-Server Connections: offered to servers once the stream is
// secure, and enabled towards those that offer it, before either side has proven who it is. What
// then goes the other way, and for which domains, is decided in s2s.
#include "gateway/stream/bidirectional.h"

#include <array>

#include "gateway/config/feature_option.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr FeatureOption enabled{
    .key = "s2s.bidirectional",
    .kind = FeatureOption::Kind::boolean,
    .reload = Reload::new_streams,
    .form = {},
    .example = "false",
    .doc =
        "Whether one connection carries stanzas in both directions, with servers that can do "
        "that too (XEP-0288). A server that cannot be reached from outside gets what waits for "
        "it on the connection that it opens.",
    .fallback = 1};
constexpr std::array<const FeatureOption*, 1> options{&enabled};

bool wanted(Negotiation& negotiation) { return enabled.boolean(*negotiation.hub().config); }

void offer(Negotiation& negotiation, std::string& out) {
    if (wanted(negotiation)) out += XmlBuilder().empty("bidi", ns::bidi_feature).take();
}

void handle(Negotiation& negotiation, Element& element, Arena&) {
    if (element.name == "bidi" && wanted(negotiation)) negotiation.gain(stream_bits::bidirectional);
}

/// There is no answer to it: what comes next is due at once.
bool begin(Negotiation& negotiation, const Element* features) {
    if (features != nullptr && features->child(ns::bidi_feature, "bidi") != nullptr &&
        wanted(negotiation)) {
        negotiation.stream().send(XmlBuilder().empty("bidi", ns::bidi).take());
        negotiation.gain(stream_bits::bidirectional);
    }
    return false;
}

constexpr std::array features{
    StreamFeature{.side = StreamSide::server,
                  .ns = ns::bidi,
                  .needs = stream_bits::secure,
                  .forbids = stream_bits::authenticated,
                  .offer = offer,
                  .handle = handle},
    StreamFeature{
        .side = StreamSide::server,
        .role = StreamRole::initiating,
        .ns = ns::bidi,
        .needs = stream_bits::secure,
        .forbids = stream_bits::authenticated | stream_bits::only_asks | stream_bits::bidirectional,
        .begin = begin},
};

}  // namespace

extern const Feature bidirectional;
const Feature bidirectional{
    .name = "bidirectional", .xep = 288, .version = "0.4", .stream = features, .options = options};

}  // namespace causeway
