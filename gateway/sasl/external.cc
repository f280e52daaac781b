#include "gateway/sasl/external.h"

#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/unicode.h"

namespace causeway {

SaslResult<std::string> parse_external(std::string_view message) {
    if (message.empty() || message == "=") return std::string{};
    if (message.size() > Jid::max_size || message.find('\0') != std::string_view::npos ||
        !unicode::decode(message)) {
        return SaslFailure{sasl_condition::malformed_request, "this cannot be an identity"};
    }
    return std::string(message);
}

}  // namespace causeway
