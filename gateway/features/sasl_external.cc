// XEP-0178 §3: SASL EXTERNAL towards another server, which knows us by our certificate.
#include <array>

#include "gateway/sasl/payload.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view mechanism_name = "EXTERNAL";

/// The peer may ask for the identity once more, with an empty challenge.
class ExternalAttempt final : public NegotiationState {
public:
    bool challenged = false;
};

bool begin(Negotiation& negotiation, const Element* features) {
    const Element* mechanisms =
        features == nullptr ? nullptr : features->child(ns::sasl, "mechanisms");
    if (mechanisms == nullptr) return false;
    Arena scratch;
    for (const Element* m = mechanisms->first_element(); m != nullptr; m = m->next_element()) {
        if (m->text(scratch) != mechanism_name) continue;
        negotiation.state = std::make_unique<ExternalAttempt>();
        negotiation.gain(stream_bits::external_tried);
        XmlBuilder auth;
        auth.open("auth", ns::sasl)
            .attribute("mechanism", mechanism_name)
            .text(encode_sasl_payload(negotiation.domain()));
        negotiation.stream().send(auth.take());
        return true;
    }
    return false;
}

void handle(Negotiation& negotiation, Element& element, Arena&) {
    auto& attempt = static_cast<ExternalAttempt&>(*negotiation.state);
    if (element.name == "success") {
        negotiation.state.reset();
        negotiation.authenticated({}, "external", {});
    } else if (element.name == "challenge" && !std::exchange(attempt.challenged, true)) {
        negotiation.stream().send(XmlBuilder().element("response", "=", ns::sasl).take());
    } else {
        negotiation.state.reset();
        const Element* condition = element.first_element();
        negotiation.external_refused(condition == nullptr ? "it gave no reason" : condition->name);
    }
}

constexpr std::array features{
    StreamFeature{.side = StreamSide::server,
                  .role = StreamRole::initiating,
                  .ns = ns::sasl,
                  .needs = stream_bits::secure,
                  .forbids = stream_bits::authenticated | stream_bits::external_refused |
                             stream_bits::only_asks,
                  .begin = begin,
                  .handle = handle},
};

}  // namespace

extern const Feature sasl_external;
const Feature sasl_external{
    .name = "sasl_external", .xep = 178, .version = "1.2", .stream = features};

}  // namespace causeway
