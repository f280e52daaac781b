// XEP-0202 Entity Time: the server's clock, in UTC.
#include <array>

#include "gateway/route/router.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void answer(const IqRequest& request) {
    // Where the server stands is nobody's business: its offset is that of UTC (XEP-0202 §3).
    IqReturn(request).result(XmlBuilder()
                                 .open("time", ns::time)
                                 .element("tzo", "+00:00")
                                 .element("utc", format_date_time(request.hub.clock().wall()))
                                 .take());
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::time, "time", IqTarget::server, answer},
};
constexpr std::array disco_features{ns::time};

}  // namespace

extern const Feature entity_time;
const Feature entity_time{.name = "entity_time",
                          .xep = 202,
                          .version = "2.0",
                          .server_disco = disco_features,
                          .iq = handlers};

}  // namespace causeway
