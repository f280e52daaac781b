// Fuzz target: everything a peer says during SASL, and the stored form of credentials. The first
// byte chooses mechanism and offer; the lines after it are the messages of one exchange. Besides
// not crashing: failures carry a known condition, what is parsed can be written again, and only the
// one right proof ends in success.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/sasl/external.h"
#include "gateway/sasl/payload.h"
#include "gateway/sasl/plain.h"
#include "gateway/sasl/scram_client.h"
#include "gateway/sasl/scram_keys.h"
#include "gateway/sasl/scram_message.h"
#include "gateway/sasl/scram_server.h"

using namespace causeway;

namespace {

/// The client derives keys for as long as it is asked to; a fuzzer needs no more than this.
constexpr std::uint32_t affordable_iterations = 16;

void require(bool holds) {
    if (!holds) std::abort();
}

template <class T>
void require_condition(const SaslResult<T>& result) {
    if (!result) require(sasl_condition::is_known(result.error().condition));
}

std::string_view take_line(std::string_view& rest) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return line;
}

/// The keys of the password "pencil", so that a corpus can hold exchanges that succeed.
const ScramKeys& keys_of(ScramHash hash) {
    static const Credentials credentials = [] {
        Credentials made;
        for (const ScramHash each : scram_hashes) {
            made.of(each) = *derive_scram_keys(each, "pencil", "salt", 1);
        }
        return made;
    }();
    return credentials.of(hash);
}

/// The proof for "pencil", computed apart from the server (RFC 5802 §3).
std::string right_proof(ScramHash hash, std::string_view auth_message) {
    const std::string salted = *salted_password(hash, "pencil", "salt", 1);
    const std::string client_key = scram_hmac(hash, salted, "Client Key");
    const std::string stored_key = scram_digest(hash, client_key);
    return scram::exclusive_or(client_key, scram_hmac(hash, stored_key, auth_message));
}

void run_server(ScramHash hash, unsigned choice, std::string_view first, std::string_view last) {
    ScramServer::Options options;
    options.hash = hash;
    options.plus = (choice & 1U) != 0;
    options.plus_offered = (choice & 3U) != 0;
    options.bindings = {{"tls-exporter", "EXPORTED"}, {"tls-server-end-point", "ENDPOINT"}};
    options.nonce = "SERVER";
    ScramServer server(std::move(options));
    const auto request = server.begin(first);
    require_condition(request);
    if (!request) return;
    require(!request->username.empty());
    const std::string server_first = server.challenge(keys_of(hash));
    require(server_first.starts_with("r="));
    const auto verdict = server.finish(last);
    require_condition(verdict);
    if (!verdict) return;
    require(verdict->starts_with("v="));
    require(!server.finish(last).ok());

    const auto opening = scram::parse_client_first(first);
    const auto closing = scram::parse_client_final(last);
    require(opening.ok() && closing.ok());
    std::string auth_message(opening->bare);
    auth_message.append(",").append(server_first).append(",").append(closing->without_proof);
    require(closing->proof == right_proof(hash, auth_message));
    require(closing->channel_binding.starts_with(opening->gs2_header));
}

void run_client(ScramHash hash, std::string_view server_first, std::string_view server_final) {
    const auto message = scram::parse_server_first(server_first);
    require_condition(message);
    if (!message || message->iterations > affordable_iterations) return;
    ScramClient::Options options;
    options.hash = hash;
    options.username = "user";
    options.password = "pencil";
    options.minimum_iterations = 1;
    options.nonce = "CLIENT";
    ScramClient client(std::move(options));
    const auto answer = client.answer(server_first);
    require_condition(answer);
    if (answer) require(scram::parse_client_final(*answer).ok());
    require_condition(client.verify(server_final));
}

void run_single_messages(std::string_view text) {
    const auto plain = parse_plain(text);
    require_condition(plain);
    if (plain) require(plain_message(plain->authzid, plain->authcid, plain->password) == text);
    require_condition(parse_external(text));
    require_condition(decode_initial_response(text));
    const auto payload = decode_sasl_payload(text);
    require_condition(payload);
    if (payload && !text.empty()) require(encode_sasl_payload(*payload) == text);
    if (const auto credentials = Credentials::parse(text)) {
        const auto again = Credentials::parse(credentials->serialise());
        require(again.ok() && *again == *credentials);
    }
    if (const auto password = prepare_password(text)) {
        require(!password->empty() && password->size() <= max_password);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const unsigned choice = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    run_single_messages(rest);
    const ScramHash hash = scram_hashes[(choice >> 2) % scram_hashes.size()];
    const std::string_view first = take_line(rest);
    const std::string_view second = take_line(rest);
    run_server(hash, choice, first, second);
    run_client(hash, first, second);
    return 0;
}
