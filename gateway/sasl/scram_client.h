// ScramClient: one SCRAM exchange on the client's side (RFC 5802 §3, §5, §6), without input or
// output of its own:  first() -> client-first;  answer(server-first) -> client-final;
// verify(server-final) says whether the server knows the keys as well. answer() derives the key, which
// costs what the server asks for, up to maximum_scram_iterations.
#pragma once

#include <string>
#include <string_view>

#include "gateway/base/random.h"
#include "gateway/sasl/sasl_error.h"
#include "gateway/sasl/scram_keys.h"
#include "gateway/sasl/scram_message.h"

namespace causeway {

class ScramClient {
public:
    struct Options {
        ScramHash hash = ScramHash::sha256;
        std::string username;
        std::string password;
        std::string authzid;  ///< empty: none
        /// `used` goes with a -PLUS mechanism and takes the type's name and data.
        scram::BindingFlag flag = scram::BindingFlag::unsupported;
        std::string binding_name;
        std::string binding_data;
        /// What a server must at least ask for, so that nobody can cheapen guessing the password.
        std::uint32_t minimum_iterations = minimum_scram_iterations;
        /// The client's part of the nonce; to be given in tests only.
        std::string nonce = random_token(18);
    };

    explicit ScramClient(Options options);
    ScramClient(const ScramClient&) = delete;
    ScramClient& operator=(const ScramClient&) = delete;
    ~ScramClient();

    /// The client-first message.
    [[nodiscard]] std::string first() const { return gs2_header_ + bare_; }

    /// The client-final message; malformed-request for what the grammar excludes, not-authorized
    /// for a nonce that is not ours, a count out of bounds, or a password that cannot be prepared.
    SaslResult<std::string> answer(std::string_view server_first);

    /// True, or why the server is not to be trusted. Fails out of turn.
    SaslResult<bool> verify(std::string_view server_final);

private:
    Options options_;
    std::string gs2_header_;
    std::string bare_;
    std::string server_signature_;  // expected; empty before answer()
};

}  // namespace causeway
