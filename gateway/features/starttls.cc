// RFC 6120 §5: STARTTLS, required on both edges.
#include <fmt/format.h>

#include <array>

#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void offer(Negotiation&, std::string& out) {
    out += XmlBuilder().open("starttls", ns::tls).empty("required").take();
}

void handle(Negotiation& negotiation, Element& element, Arena&) {
    XmppStream& stream = negotiation.stream();
    const auto snapshot = negotiation.hub().tls;
    const DomainTls* tls = snapshot->find(negotiation.domain());
    if (element.name != "starttls" || tls == nullptr) {
        stream.send(XmlBuilder().empty("failure", ns::tls).take());
        stream.close();
        return;
    }
    SSL_CTX* context = negotiation.side() == StreamSide::client ? tls->client_facing.get()
                                                                : tls->peer_facing.get();
    auto engine = std::make_unique<TlsEngine>(context, TlsEngine::Role::server, snapshot);
    engine->fix_certificate();  // the `to` of the stream has decided (RFC 6120 §13.7.2)
    stream.start_tls(XmlBuilder().empty("proceed", ns::tls).take(), std::move(engine));
}

// ---- towards another server ----

bool begin(Negotiation& negotiation, const Element* features) {
    if (features == nullptr || features->child(ns::tls, "starttls") == nullptr) {
        negotiation.give_up(
            Outcome::policy(fmt::format("{} offers no TLS", negotiation.peer_domain())));
        return true;
    }
    negotiation.stream().send(XmlBuilder().empty("starttls", ns::tls).take());
    return true;
}

void proceed(Negotiation& negotiation, Element& element, Arena&) {
    if (element.name != "proceed") {
        negotiation.give_up(Outcome::retry("it could not start TLS"));
        return;
    }
    const auto snapshot = negotiation.hub().tls;
    const DomainTls* tls = snapshot->find(negotiation.domain());
    if (tls == nullptr) {
        negotiation.give_up(
            Outcome::policy(fmt::format("{} is no longer served here", negotiation.domain())));
        return;
    }
    negotiation.stream().start_tls(
        {}, std::make_unique<TlsEngine>(tls->connecting.get(), TlsEngine::Role::client, snapshot,
                                        domain_to_ascii(negotiation.peer_domain())));
}

constexpr std::array features{
    StreamFeature{.side = StreamSide::client,
                  .ns = ns::tls,
                  .forbids = stream_bits::secure,
                  .offer = offer,
                  .handle = handle},
    StreamFeature{.side = StreamSide::server,
                  .ns = ns::tls,
                  .forbids = stream_bits::secure,
                  .offer = offer,
                  .handle = handle},
    StreamFeature{.side = StreamSide::server,
                  .role = StreamRole::initiating,
                  .ns = ns::tls,
                  .forbids = stream_bits::secure,
                  .begin = begin,
                  .handle = proceed},
};

}  // namespace

extern const Feature starttls;
const Feature starttls{.name = "starttls", .stream = features};

}  // namespace causeway
