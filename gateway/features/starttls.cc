// RFC 6120 §5: STARTTLS, required on both edges.
#include <array>

#include "gateway/stream/negotiation.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void offer(Negotiation&, std::string& out) {
    out += "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
}

void handle(Negotiation& negotiation, Element& element, Arena&) {
    XmppStream& stream = negotiation.stream();
    const auto snapshot = negotiation.hub().tls;
    const DomainTls* tls = snapshot->find(negotiation.domain());
    if (element.name != "starttls" || tls == nullptr) {
        stream.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        stream.close();
        return;
    }
    SSL_CTX* context = negotiation.side() == StreamSide::client ? tls->client_facing.get()
                                                                : tls->peer_facing.get();
    stream.start_tls("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
                     std::make_unique<TlsEngine>(context, TlsEngine::Role::server, snapshot));
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
