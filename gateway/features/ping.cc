// XEP-0199 XMPP Ping.
#include <array>

#include "gateway/route/router.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr Metric pings_answered{
    .name = "pings_answered",
    .help = "Pings to a domain or to the own account that were answered."};
constexpr std::array metrics{&pings_answered};

void answer(const IqRequest& request) {
    request.hub.metrics.add(pings_answered);
    IqReturn(request).result({});
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::ping, "ping", IqTarget::server, answer},
    IqHandler{StanzaType::get, ns::ping, "ping", IqTarget::own, answer},
};
constexpr std::array disco_features{ns::ping};

}  // namespace

extern const Feature ping;
const Feature ping{.name = "ping",
                   .xep = 199,
                   .version = "2.0.1",
                   .server_disco = disco_features,
                   .iq = handlers,
                   .metrics = metrics};

}  // namespace causeway
