// RFC 6120 §5: STARTTLS, required on both edges.
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
};

}  // namespace

extern const Feature starttls;
const Feature starttls{.name = "starttls", .stream = features};

}  // namespace causeway
