// ScramServer: one SCRAM exchange on the server's side (RFC 5802, RFC 7677), as a state machine
// without input or output of its own:
//
//     begin(client-first)   gives the Request. The caller looks up the keys of its username (for a
//                           name without an account: fake_keys) and judges its authzid.
//     challenge(keys)       gives server-first.
//     finish(client-final)  gives server-final, which goes into <success/>.
//
// A failure at any step ends the exchange; a step out of turn is such a failure. The user is
// authenticated when finish succeeds, and not before.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "gateway/base/random.h"
#include "gateway/sasl/sasl_error.h"
#include "gateway/sasl/scram_keys.h"

namespace causeway {

/// Data of this connection by the name of the channel binding type ("tls-exporter" of RFC 9266,
/// "tls-server-end-point" of RFC 5929).
using ChannelBindings = std::map<std::string, std::string, std::less<>>;

class ScramServer {
public:
    struct Options {
        ScramHash hash = ScramHash::sha256;
        /// Whether the -PLUS form of the mechanism was selected.
        bool plus = false;
        /// Whether any -PLUS mechanism was offered on this stream; decides what "y" means.
        bool plus_offered = false;
        /// What the client may bind to.
        ChannelBindings bindings;
        /// The server's part of the nonce; to be given in tests only.
        std::string nonce = random_token(18);
    };

    struct Request {
        std::string username;  ///< unescaped, as given: normalise it before the look-up
        std::string authzid;   ///< unescaped, as given; empty: none
    };

    explicit ScramServer(Options options) : options_(std::move(options)) {}
    ScramServer(const ScramServer&) = delete;
    ScramServer& operator=(const ScramServer&) = delete;
    ~ScramServer() { forget(); }

    /// malformed-request for what the grammar or the mechanism excludes; not-authorized for a
    /// downgrade ("y" although -PLUS was offered) and for a binding type that is not at hand.
    SaslResult<Request> begin(std::string_view client_first);

    /// The server-first message, once, after begin succeeded; empty otherwise.
    std::string challenge(const ScramKeys& keys);

    /// The server-final message; not-authorized for a wrong proof, nonce or channel binding.
    SaslResult<std::string> finish(std::string_view client_final);

private:
    enum class State : unsigned char { initial, begun, challenged, ended };

    void forget();

    Options options_;
    State state_ = State::initial;
    ScramKeys keys_;
    std::string binding_input_;  // GS2 header and binding data: what c= must decode to
    std::string nonce_;          // both parts
    std::string auth_message_;   // client-first-bare "," server-first "," (final added at the end)
};

}  // namespace causeway
