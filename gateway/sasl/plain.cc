#include "gateway/sasl/plain.h"

#include "gateway/sasl/scram_keys.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/unicode.h"

namespace causeway {

SaslResult<PlainRequest> parse_plain(std::string_view message) {
    const auto malformed = [](std::string why) {
        return SaslFailure{sasl_condition::malformed_request, std::move(why)};
    };
    const std::size_t first = message.find('\0');
    const std::size_t second =
        first == std::string_view::npos ? first : message.find('\0', first + 1);
    if (second == std::string_view::npos) return malformed("PLAIN takes three parts");
    const std::string_view authzid = message.substr(0, first);
    const std::string_view authcid = message.substr(first + 1, second - first - 1);
    const std::string_view password = message.substr(second + 1);
    if (password.find('\0') != std::string_view::npos) return malformed("PLAIN takes three parts");
    if (authcid.empty()) return malformed("the name is empty");
    if (password.empty()) return malformed("the password is empty");
    // Some clients give the whole bare address as the name, so that is the bound.
    if (authzid.size() > Jid::max_size || authcid.size() > Jid::max_size ||
        password.size() > max_password) {
        return malformed("a part is too long");
    }
    if (!unicode::decode(message)) return malformed("this is not UTF-8");
    return PlainRequest{std::string(authzid), std::string(authcid), std::string(password)};
}

std::string plain_message(std::string_view authzid, std::string_view authcid,
                          std::string_view password) {
    std::string message(authzid);
    message.append(1, '\0').append(authcid).append(1, '\0').append(password);
    return message;
}

}  // namespace causeway
