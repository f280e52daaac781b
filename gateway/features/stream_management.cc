// XEP-0198 Stream Management: offered to clients; the session in c2s counts the stanzas.
#include <array>

#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void offer(Negotiation&, std::string& out) {
    out += XmlBuilder().empty("sm", ns::stream_management).take();
}

void handle(Negotiation& negotiation, Element& element, Arena&) { negotiation.manage(element); }

constexpr std::array features{
    StreamFeature{.side = StreamSide::client,
                  .ns = ns::stream_management,
                  .needs = stream_bits::authenticated,
                  .offer = offer,
                  .handle = handle},
};

}  // namespace

extern const Feature stream_management;
const Feature stream_management{
    .name = "stream_management", .xep = 198, .version = "1.6.3", .stream = features};

}  // namespace causeway
