#include "gateway/sasl/scram_keys.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/base/random.h"
#include "gateway/xmpp/unicode.h"

namespace causeway {
namespace {

constexpr std::size_t salt_size = 16;
constexpr std::size_t max_salt = 1024;
constexpr std::string_view format_version = "1";

struct HashRow {
    std::string_view mechanism;
    std::string_view mechanism_plus;
    std::size_t size;
    const EVP_MD* (*algorithm)();
};

constexpr std::array<HashRow, scram_hashes.size()> hash_rows{{
    {"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", 20, EVP_sha1},
    {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", 32, EVP_sha256},
    {"SCRAM-SHA-512", "SCRAM-SHA-512-PLUS", 64, EVP_sha512},
}};

const HashRow& row(ScramHash hash) { return hash_rows[static_cast<std::size_t>(hash)]; }

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string random_salt() {
    std::array<unsigned char, salt_size> salt{};
    random_bytes(salt);
    return {reinterpret_cast<const char*>(salt.data()), salt.size()};
}

Outcome derivation_failed() { return Outcome::retry("the key derivation failed"); }

Outcome check_iterations(std::uint32_t iterations) {
    if (iterations >= 1 && iterations <= maximum_scram_iterations) return {};
    return Outcome::policy(
        fmt::format("the iteration count is not from 1 to {}", maximum_scram_iterations));
}

/// Fails rather than giving keys that are shorter than the hash.
Result<ScramKeys> keys_from(ScramHash hash, std::string_view prepared_password,
                            std::string_view salt, std::uint32_t iterations) {
    auto salted = salted_password(hash, prepared_password, salt, iterations);
    if (!salted) return salted.error();
    std::string client_key = scram_hmac(hash, *salted, "Client Key");
    ScramKeys keys{std::string(salt), iterations, scram_digest(hash, client_key),
                   scram_hmac(hash, *salted, "Server Key")};
    const bool worked = !client_key.empty() && !keys.stored_key.empty() && !keys.server_key.empty();
    wipe(*salted);
    wipe(client_key);
    if (!worked) return derivation_failed();
    return keys;
}

/// Cuts off and returns what stands before the next separator.
std::string_view take_field(std::string_view& rest, char separator) {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view field = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    return field;
}

std::optional<ScramKeys> parse_keys(ScramHash hash, std::string_view text) {
    const std::string_view count = take_field(text, ',');
    auto salt = base64_decode(take_field(text, ','));
    auto stored_key = base64_decode(take_field(text, ','));
    auto server_key = base64_decode(text);
    if (!salt || !stored_key || !server_key) return std::nullopt;
    std::uint32_t iterations = 0;
    const auto [end, error] =
        std::from_chars(count.data(), count.data() + count.size(), iterations);
    if (error != std::errc{} || end != count.data() + count.size()) return std::nullopt;
    if (!check_iterations(iterations) || salt->empty() || salt->size() > max_salt) {
        return std::nullopt;
    }
    if (stored_key->size() != row(hash).size || server_key->size() != row(hash).size) {
        return std::nullopt;
    }
    return ScramKeys{std::move(*salt), iterations, std::move(*stored_key), std::move(*server_key)};
}

}  // namespace

std::string_view scram_mechanism(ScramHash hash, bool plus) {
    return plus ? row(hash).mechanism_plus : row(hash).mechanism;
}

std::size_t scram_key_size(ScramHash hash) { return row(hash).size; }

void wipe(std::string& secret) {
    OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

Result<std::string> prepare_password(std::string_view password) {
    if (password.empty()) return Outcome::malformed("the password is empty");
    if (password.size() > max_password) return Outcome::malformed("the password is too long");
    const bool plain =
        std::all_of(password.begin(), password.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
    if (plain) return std::string(password);
    auto prepared = unicode::stringprep(unicode::Profile::sasl, password, max_password);
    if (!prepared) return Outcome::malformed("password: " + prepared.error().why());
    if (prepared->empty()) return Outcome::malformed("the password is empty");
    if (prepared->size() > max_password) return Outcome::malformed("the password is too long");
    return prepared;
}

Result<std::string> salted_password(ScramHash hash, std::string_view prepared_password,
                                    std::string_view salt, std::uint32_t iterations) {
    if (auto counted = check_iterations(iterations); !counted) return counted;
    std::string key(row(hash).size, '\0');
    const int worked =
        PKCS5_PBKDF2_HMAC(prepared_password.data(), static_cast<int>(prepared_password.size()),
                          bytes(salt), static_cast<int>(salt.size()), static_cast<int>(iterations),
                          row(hash).algorithm(), static_cast<int>(key.size()), bytes(key));
    if (worked != 1) return derivation_failed();
    return key;
}

std::string scram_hmac(ScramHash hash, std::string_view key, std::string_view text) {
    std::string out(row(hash).size, '\0');
    unsigned length = 0;
    const auto* made = HMAC(row(hash).algorithm(), key.data(), static_cast<int>(key.size()),
                            bytes(text), text.size(), bytes(out), &length);
    if (made == nullptr) return {};
    return out;
}

std::string scram_digest(ScramHash hash, std::string_view text) {
    std::string out(row(hash).size, '\0');
    const int worked =
        EVP_Digest(text.data(), text.size(), bytes(out), nullptr, row(hash).algorithm(), nullptr);
    if (worked != 1) return {};
    return out;
}

Result<ScramKeys> derive_scram_keys(ScramHash hash, std::string_view password,
                                    std::string_view salt, std::uint32_t iterations) {
    auto prepared = prepare_password(password);
    if (!prepared) return prepared.error();
    auto keys = keys_from(hash, *prepared, salt, iterations);
    wipe(*prepared);
    return keys;
}

std::string Credentials::serialise() const {
    std::string text(format_version);
    for (const ScramKeys& each : keys) {
        text += fmt::format(" {},{},{},{}", each.iterations, base64_encode(each.salt),
                            base64_encode(each.stored_key), base64_encode(each.server_key));
    }
    return text;
}

Result<Credentials> Credentials::parse(std::string_view text) {
    std::string_view rest = text;
    if (take_field(rest, ' ') != format_version) {
        return Outcome::malformed("stored credentials have a version that is not known");
    }
    Credentials credentials;
    for (const ScramHash hash : scram_hashes) {
        auto keys = parse_keys(hash, take_field(rest, ' '));
        if (!keys) return Outcome::malformed("stored credentials are damaged");
        credentials.of(hash) = std::move(*keys);
    }
    if (!rest.empty() || text.ends_with(' ')) {
        return Outcome::malformed("stored credentials are damaged");
    }
    return credentials;
}

Result<Credentials> make_credentials(std::string_view password, std::uint32_t iterations) {
    auto prepared = prepare_password(password);
    if (!prepared) return prepared.error();
    Credentials credentials;
    for (const ScramHash hash : scram_hashes) {
        auto keys = keys_from(hash, *prepared, random_salt(), iterations);
        if (!keys) return keys.error();
        credentials.of(hash) = std::move(*keys);
    }
    wipe(*prepared);
    return credentials;
}

bool verify_plain(const Credentials& credentials, std::string_view password) {
    // SHA-256: the cheapest of the hashes without doubts about it.
    constexpr ScramHash hash = ScramHash::sha256;
    const ScramKeys& keys = credentials.of(hash);
    auto prepared = prepare_password(password);
    // A password that cannot be prepared costs the same as a wrong one.
    std::string candidate = prepared ? std::move(*prepared) : std::string("x");
    auto derived = keys_from(hash, candidate, keys.salt, keys.iterations);
    wipe(candidate);
    if (!derived) return false;
    const bool equal = equal_in_constant_time(derived->stored_key, keys.stored_key);
    wipe(derived->stored_key);
    wipe(derived->server_key);
    return equal && prepared.ok();
}

ScramKeys fake_keys(ScramHash hash, std::string_view server_secret, std::string_view username,
                    std::uint32_t iterations) {
    const auto part = [&](std::string_view purpose) {
        // NUL cannot occur in a name, so purpose and name cannot run into each other.
        std::string text = fmt::format("{} {}", scram_mechanism(hash, false), purpose);
        text.append(1, '\0').append(username);
        return scram_hmac(ScramHash::sha512, server_secret, text);
    };
    const std::size_t size = row(hash).size;
    return {part("salt").substr(0, salt_size), iterations, part("stored key").substr(0, size),
            part("server key").substr(0, size)};
}

Credentials fake_credentials(std::string_view server_secret, std::string_view username,
                             std::uint32_t iterations) {
    Credentials credentials;
    for (const ScramHash hash : scram_hashes) {
        credentials.of(hash) = fake_keys(hash, server_secret, username, iterations);
    }
    return credentials;
}

}  // namespace causeway
