// The grammar of SCRAM messages (RFC 5802 §7), for both sides. Parsers check the form and what must
// fail whatever the keys are (the attribute m, wrong order, broken escapes); the meaning is judged
// by scram_server and scram_client. All views point into the message that was parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/sasl/sasl_error.h"

namespace causeway::scram {

/// Longest message of either side in bytes; more is refused unread.
inline constexpr std::size_t max_message = 8192;

/// What the client says about channel binding (gs2-cbind-flag).
enum class BindingFlag : unsigned char {
    unsupported,  ///< "n": the client cannot
    not_offered,  ///< "y": the client can, and thinks that the server cannot
    used,         ///< "p=name"
};

/// client-first-message (RFC 5802 §7).
struct ClientFirst {
    BindingFlag flag = BindingFlag::unsupported;
    std::string_view binding_name;  ///< when used
    std::string authzid;            ///< unescaped; empty: none
    std::string_view gs2_header;    ///< flag and authzid with both commas, as sent
    std::string_view bare;          ///< what follows it
    std::string username;           ///< unescaped, never empty
    std::string_view nonce;
};

/// server-first-message.
struct ServerFirst {
    std::string_view nonce;
    std::string salt;  ///< decoded
    std::uint32_t iterations = 0;
};

/// client-final-message.
struct ClientFinal {
    std::string channel_binding;  ///< decoded: GS2 header and binding data
    std::string_view nonce;
    std::string proof;  ///< decoded
    std::string_view without_proof;
};

SaslResult<ClientFirst> parse_client_first(std::string_view message);
SaslResult<ServerFirst> parse_server_first(std::string_view message);
SaslResult<ClientFinal> parse_client_final(std::string_view message);
/// The server's signature, decoded; not-authorized when it is an error attribute instead.
SaslResult<std::string> parse_server_final(std::string_view message);

/// saslname: ',' and '=' escaped.
std::string escape_name(std::string_view name);

/// Printable ASCII without comma, at least one and at most 1024 characters.
bool is_nonce(std::string_view text);

/// a XOR b; empty when the lengths differ.
std::string exclusive_or(std::string_view a, std::string_view b);

}  // namespace causeway::scram
