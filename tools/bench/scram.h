// SCRAM (RFC 5802, RFC 7677) and PLAIN as a client speaks them, without channel binding.
//
// A ScramExchange is one login. Keys derived from a password are kept in a ScramCache, so that the
// load generator's own hashing stays out of the way when accounts log in again or share a salt.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "tools/bench/failure.h"

namespace causeway::bench {

enum class ScramHash { sha1, sha256 };

/// The two keys that a client needs of a password.
struct ScramKeys {
    std::string client_key;
    std::string server_key;
};

/// Derives keys as RFC 5802 §3 says. `salt` is binary.
[[nodiscard]] ScramKeys derive_scram_keys(ScramHash hash, const std::string& password,
                                          const std::string& salt, int iterations);

class ScramCache {
public:
    const ScramKeys& keys(ScramHash hash, const std::string& password, const std::string& salt,
                          int iterations);

private:
    static constexpr std::size_t max_entries = 65536;
    std::map<std::tuple<ScramHash, std::string, std::string, int>, ScramKeys> entries_;
};

/// One login. Messages are the bare SCRAM messages; base64 and XML are the caller's.
class ScramExchange {
public:
    ScramExchange(ScramHash hash, std::string user, std::string password, std::string nonce);

    [[nodiscard]] std::string first_message() const;

    /// Answers the server's first message; empty, with `failure` set, if that is not acceptable.
    [[nodiscard]] std::string final_message(std::string_view server_first, ScramCache& cache,
                                            Failure& failure);

    /// True if the server's final message proves that it knows the account's keys.
    [[nodiscard]] bool verify(std::string_view server_final) const;

private:
    /// More iterations than any server asks of a client; beyond it the server is not believed.
    static constexpr int max_iterations = 10'000'000;

    ScramHash hash_;
    std::string user_;
    std::string password_;
    std::string nonce_;
    std::string server_signature_;
};

[[nodiscard]] std::string encode_base64(std::string_view bytes);

/// Empty if the text is not base64.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

/// A fresh printable nonce.
[[nodiscard]] std::string make_nonce();

}  // namespace causeway::bench
