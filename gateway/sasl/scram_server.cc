#include "gateway/sasl/scram_server.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/sasl/scram_message.h"

namespace causeway {
namespace {

SaslFailure malformed(std::string why) {
    return {sasl_condition::malformed_request, std::move(why)};
}

SaslFailure refused(std::string why) { return {sasl_condition::not_authorized, std::move(why)}; }

/// The rules of RFC 5802 §6 on the flag; texts are that RFC's server-error-values where one fits.
std::optional<SaslFailure> check_flag(scram::BindingFlag flag,
                                      const ScramServer::Options& options) {
    switch (flag) {
        case scram::BindingFlag::used:
            if (!options.plus) return malformed("channel-binding-not-supported");
            return std::nullopt;
        case scram::BindingFlag::not_offered:
            if (options.plus) return malformed("the -PLUS mechanism takes channel binding");
            if (options.plus_offered) return refused("server-does-support-channel-binding");
            return std::nullopt;
        case scram::BindingFlag::unsupported:
            if (options.plus) return malformed("the -PLUS mechanism takes channel binding");
            return std::nullopt;
    }
    return malformed("the channel binding flag is malformed");
}

}  // namespace

SaslResult<ScramServer::Request> ScramServer::begin(std::string_view client_first) {
    const State before = std::exchange(state_, State::ended);
    if (before != State::initial) return malformed("this is out of turn");
    auto message = scram::parse_client_first(client_first);
    if (!message) return message.error();
    if (auto failure = check_flag(message->flag, options_)) return *failure;

    binding_input_ = message->gs2_header;
    if (message->flag == scram::BindingFlag::used) {
        const auto binding = options_.bindings.find(message->binding_name);
        if (binding == options_.bindings.end() || binding->second.empty()) {
            return refused("unsupported-channel-binding-type");
        }
        binding_input_ += binding->second;
    }
    nonce_ = fmt::format("{}{}", message->nonce, options_.nonce);
    auth_message_ = message->bare;
    state_ = State::begun;
    return Request{std::move(message->username), std::move(message->authzid)};
}

std::string ScramServer::challenge(const ScramKeys& keys) {
    const State before = std::exchange(state_, State::ended);
    if (before != State::begun) return {};
    keys_ = keys;
    std::string server_first =
        fmt::format("r={},s={},i={}", nonce_, base64_encode(keys.salt), keys.iterations);
    auth_message_ += fmt::format(",{},", server_first);
    state_ = State::challenged;
    return server_first;
}

SaslResult<std::string> ScramServer::finish(std::string_view client_final) {
    const State before = std::exchange(state_, State::ended);
    if (before != State::challenged) return malformed("this is out of turn");
    auto message = scram::parse_client_final(client_final);
    if (!message) return message.error();
    if (!equal_in_constant_time(message->nonce, nonce_)) return refused("the nonce is another");
    if (!equal_in_constant_time(message->channel_binding, binding_input_)) {
        return refused("channel-bindings-dont-match");
    }

    auth_message_ += message->without_proof;
    const std::string signature = scram_hmac(options_.hash, keys_.stored_key, auth_message_);
    std::string client_key = scram::exclusive_or(message->proof, signature);
    const bool proven =
        scram_key_size(options_.hash) == client_key.size() &&
        equal_in_constant_time(scram_digest(options_.hash, client_key), keys_.stored_key);
    wipe(client_key);
    // Also the end of the exchange for a name without an account: the two must not differ.
    if (!proven) return refused("the name or the password is wrong");
    std::string verifier =
        base64_encode(scram_hmac(options_.hash, keys_.server_key, auth_message_));
    forget();
    return "v=" + verifier;
}

void ScramServer::forget() {
    wipe(keys_.stored_key);
    wipe(keys_.server_key);
}

}  // namespace causeway
