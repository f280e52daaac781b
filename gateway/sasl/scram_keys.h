// What the server keeps of a password: SCRAM's StoredKey and ServerKey for each hash (RFC 5802 §3,
// RFC 7677), from which PLAIN is verified as well; never the password. Pure functions over OpenSSL,
// callable from any thread; the derivations cost iterations × hash and belong off a shard's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway {

enum class ScramHash : unsigned char { sha1, sha256, sha512 };

/// From the weakest to the strongest.
inline constexpr std::array scram_hashes{ScramHash::sha1, ScramHash::sha256, ScramHash::sha512};

/// "SCRAM-SHA-256" or "SCRAM-SHA-256-PLUS" and so on.
std::string_view scram_mechanism(ScramHash hash, bool plus);

/// Bytes of the hash, and of every key made with it.
std::size_t scram_key_size(ScramHash hash);

/// What a new password gets when nothing else is configured.
inline constexpr std::uint32_t default_scram_iterations = 10000;
/// The least a configuration should allow (RFC 7677 §4); the functions here take fewer, for
/// accounts made in bulk for tests.
inline constexpr std::uint32_t minimum_scram_iterations = 4096;
/// The most that is computed: what a stored or received count may cost is bounded by it.
inline constexpr std::uint32_t maximum_scram_iterations = 10'000'000;
/// Longest password in bytes, before and after preparation.
inline constexpr std::size_t max_password = 1024;
/// Longest password that an account may get, in bytes.
inline constexpr std::size_t max_new_password = 1023;

/// What is stored of a password for one hash (RFC 5802 §3).
struct ScramKeys {
    std::string salt;
    std::uint32_t iterations = 0;
    std::string stored_key;
    std::string server_key;

    friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
};

/// Overwrites the bytes and empties the string; for passwords and keys that are done with.
void wipe(std::string& secret);

/// SASLprep (RFC 4013); malformed when the password is empty, too long or has a prohibited
/// character.
Result<std::string> prepare_password(std::string_view password);

/// Hi(password, salt, iterations) of RFC 5802 §2.2, the password prepared already; policy when the
/// count is out of bounds, retry when OpenSSL fails (no memory).
Result<std::string> salted_password(ScramHash hash, std::string_view prepared_password,
                                    std::string_view salt, std::uint32_t iterations);

/// HMAC and H of RFC 5802 §2.2; empty, which equals no key, when OpenSSL fails.
std::string scram_hmac(ScramHash hash, std::string_view key, std::string_view text);
std::string scram_digest(ScramHash hash, std::string_view text);

/// Keys for an unprepared password: malformed when it cannot be prepared, otherwise fails as
/// salted_password does.
Result<ScramKeys> derive_scram_keys(ScramHash hash, std::string_view password,
                                    std::string_view salt, std::uint32_t iterations);

/// All that is stored for an account's password.
struct Credentials {
    std::array<ScramKeys, scram_hashes.size()> keys;

    [[nodiscard]] const ScramKeys& of(ScramHash hash) const {
        return keys[static_cast<std::size_t>(hash)];
    }
    [[nodiscard]] ScramKeys& of(ScramHash hash) { return keys[static_cast<std::size_t>(hash)]; }

    friend bool operator==(const Credentials&, const Credentials&) = default;

    /// One line of printable ASCII (about 420 bytes) that begins with the format's version.
    [[nodiscard]] std::string serialise() const;
    /// malformed unless it is exactly what serialise wrote.
    static Result<Credentials> parse(std::string_view text);
};

/// Credentials with fresh random salts; fails as derive_scram_keys does.
Result<Credentials> make_credentials(std::string_view password,
                                     std::uint32_t iterations = default_scram_iterations);

/// Whether the password is the one (RFC 4616 against stored keys). One derivation, whatever the
/// password; compared in constant time.
bool verify_plain(const Credentials& credentials, std::string_view password);

/// Keys for a name that has no account, always the same for the same arguments, which no password
/// fits: the exchange goes its usual way and fails in the end (RFC 6120 §6.5.10). `server_secret`
/// is at least 16 random bytes that stay the same across restarts; `username` is normalised.
ScramKeys fake_keys(ScramHash hash, std::string_view server_secret, std::string_view username,
                    std::uint32_t iterations = default_scram_iterations);

/// The same for every hash, so that verify_plain takes as long as for a real account.
Credentials fake_credentials(std::string_view server_secret, std::string_view username,
                             std::uint32_t iterations = default_scram_iterations);

}  // namespace causeway
