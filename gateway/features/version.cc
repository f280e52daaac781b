// XEP-0092 Software Version.
#include <array>

#include "gateway/base/version.h"
#include "gateway/route/router.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

void answer(const IqRequest& request) {
    // The operating system is nobody's business (XEP-0092 §5).
    std::string inner = "<query xmlns='jabber:iq:version'><name>Causeway</name><version>";
    append_escaped(inner, version_text);
    inner += "</version></query>";
    IqReturn(request).result(inner);
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
