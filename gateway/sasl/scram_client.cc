#include "gateway/sasl/scram_client.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/base/encoding.h"

namespace causeway {
namespace {

SaslFailure refused(std::string why) { return {sasl_condition::not_authorized, std::move(why)}; }

std::string gs2_header_of(const ScramClient::Options& options) {
    std::string header;
    switch (options.flag) {
        case scram::BindingFlag::unsupported: header = "n,"; break;
        case scram::BindingFlag::not_offered: header = "y,"; break;
        case scram::BindingFlag::used: header = fmt::format("p={},", options.binding_name); break;
    }
    if (!options.authzid.empty()) header += "a=" + scram::escape_name(options.authzid);
    return header + ",";
}

}  // namespace

ScramClient::ScramClient(Options options)
    : options_(std::move(options)),
      gs2_header_(gs2_header_of(options_)),
      bare_(fmt::format("n={},r={}", scram::escape_name(options_.username), options_.nonce)) {}

ScramClient::~ScramClient() { wipe(options_.password); }

SaslResult<std::string> ScramClient::answer(std::string_view server_first) {
    auto message = scram::parse_server_first(server_first);
    if (!message) return message.error();
    if (!message->nonce.starts_with(options_.nonce) ||
        message->nonce.size() == options_.nonce.size()) {
        return refused("the server's nonce does not extend ours");
    }
    if (message->iterations < options_.minimum_iterations) {
        return refused("the server asks for too few iterations");
    }
    auto prepared = prepare_password(options_.password);
    if (!prepared) return refused(prepared.error().why());
    auto salted = salted_password(options_.hash, *prepared, message->salt, message->iterations);
    wipe(*prepared);
    if (!salted) return refused(salted.error().why());

    std::string binding = gs2_header_;
    if (options_.flag == scram::BindingFlag::used) binding += options_.binding_data;
    const std::string without_proof =
        fmt::format("c={},r={}", base64_encode(binding), message->nonce);
    const std::string auth_message = fmt::format("{},{},{}", bare_, server_first, without_proof);

    std::string client_key = scram_hmac(options_.hash, *salted, "Client Key");
    const std::string stored_key = scram_digest(options_.hash, client_key);
    const std::string proof =
        scram::exclusive_or(client_key, scram_hmac(options_.hash, stored_key, auth_message));
    const std::string server_key = scram_hmac(options_.hash, *salted, "Server Key");
    wipe(client_key);
    wipe(*salted);
    server_signature_ = scram_hmac(options_.hash, server_key, auth_message);
    return fmt::format("{},p={}", without_proof, base64_encode(proof));
}

SaslResult<bool> ScramClient::verify(std::string_view server_final) {
    const std::string expected = std::exchange(server_signature_, {});
    if (expected.empty()) return refused("the server's signature came out of turn");
    auto signature = scram::parse_server_final(server_final);
    if (!signature) return signature.error();
    if (!equal_in_constant_time(*signature, expected)) {
        return refused("the server does not know the password's keys");
    }
    return true;
}

}  // namespace causeway
