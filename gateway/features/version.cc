// XEP-0092 Software Version.
#include <array>

#include "gateway/base/version.h"
#include "gateway/route/router.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void answer(const IqRequest& request) {
    // The operating system is nobody's business (XEP-0092 §5).
    IqReturn(request).result(XmlBuilder()
                                 .open("query", ns::version)
                                 .element("name", "Causeway")
                                 .element("version", version_text)
                                 .take());
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::version, "query", IqTarget::server, answer},
};
constexpr std::array disco_features{ns::version};

}  // namespace

extern const Feature version;
const Feature version{
    .name = "version", .xep = 92, .version = "1.1", .server_disco = disco_features, .iq = handlers};

}  // namespace causeway
