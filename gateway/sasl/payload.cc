#include "gateway/sasl/payload.h"

#include <utility>

#include "gateway/base/encoding.h"

namespace causeway {

SaslResult<std::optional<std::string>> decode_initial_response(std::string_view text) {
    if (text.empty()) return std::optional<std::string>{};
    auto bytes = decode_sasl_payload(text);
    if (!bytes) return bytes.error();
    return std::optional<std::string>(std::move(*bytes));
}

SaslResult<std::string> decode_sasl_payload(std::string_view text) {
    if (text.empty() || text == "=") return std::string{};
    auto bytes = base64_decode(text);
    if (!bytes) return SaslFailure{sasl_condition::incorrect_encoding, "this is not base64"};
    return std::move(*bytes);
}

std::string encode_sasl_payload(std::string_view bytes) {
    return bytes.empty() ? "=" : base64_encode(bytes);
}

}  // namespace causeway
