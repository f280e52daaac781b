// SCRAM over OpenSSL's digests.
#include "tools/bench/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace causeway::bench {
namespace {

constexpr std::string_view gs2_header = "n,,";
constexpr std::string_view encoded_gs2_header = "biws";

const EVP_MD* digest_of(ScramHash hash) {
    return hash == ScramHash::sha1 ? EVP_sha1() : EVP_sha256();
}

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac(ScramHash hash, std::string_view key, std::string_view data) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> result{};
    unsigned size = 0;
    HMAC(digest_of(hash), key.data(), static_cast<int>(key.size()), bytes_of(data), data.size(),
         result.data(), &size);
    return {reinterpret_cast<const char*>(result.data()), size};
}

std::string digest(ScramHash hash, std::string_view data) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> result{};
    unsigned size = 0;
    EVP_Digest(data.data(), data.size(), result.data(), &size, digest_of(hash), nullptr);
    return {reinterpret_cast<const char*>(result.data()), size};
}

/// The value of one letter's field in a comma-separated SCRAM message.
std::string_view field(std::string_view message, char letter) {
    while (!message.empty()) {
        const std::string_view item = message.substr(0, message.find(','));
        if (item.size() >= 2 && item[0] == letter && item[1] == '=') {
            return item.substr(2);
        }
        message.remove_prefix(std::min(item.size() + 1, message.size()));
    }
    return {};
}

std::string escape_name(std::string_view name) {
    std::string escaped;
    for (const char byte : name) {
        if (byte == '=') {
            escaped += "=3D";
        } else if (byte == ',') {
            escaped += "=2C";
        } else {
            escaped += byte;
        }
    }
    return escaped;
}

}  // namespace

ScramKeys derive_scram_keys(ScramHash hash, const std::string& password, const std::string& salt,
                            int iterations) {
    std::string salted(static_cast<std::size_t>(EVP_MD_get_size(digest_of(hash))), '\0');
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                      static_cast<int>(salt.size()), iterations, digest_of(hash),
                      static_cast<int>(salted.size()),
                      reinterpret_cast<unsigned char*>(salted.data()));
    return {hmac(hash, salted, "Client Key"), hmac(hash, salted, "Server Key")};
}

const ScramKeys& ScramCache::keys(ScramHash hash, const std::string& password,
                                  const std::string& salt, int iterations) {
    auto key = std::make_tuple(hash, password, salt, iterations);
    auto entry = entries_.find(key);
    if (entry == entries_.end()) {
        if (entries_.size() >= max_entries) {
            entries_.clear();
        }
        entry =
            entries_.emplace(std::move(key), derive_scram_keys(hash, password, salt, iterations))
                .first;
    }
    return entry->second;
}

ScramExchange::ScramExchange(ScramHash hash, std::string user, std::string password,
                             std::string nonce)
    : hash_(hash),
      user_(escape_name(user)),
      password_(std::move(password)),
      nonce_(std::move(nonce)) {}

std::string ScramExchange::first_message() const {
    return fmt::format("{}n={},r={}", gs2_header, user_, nonce_);
}

std::string ScramExchange::final_message(std::string_view server_first, ScramCache& cache,
                                         Failure& failure) {
    const std::string_view nonce = field(server_first, 'r');
    const auto salt = decode_base64(field(server_first, 's'));
    const std::string_view count = field(server_first, 'i');
    int iterations = 0;
    std::from_chars(count.data(), count.data() + count.size(), iterations);
    if (!nonce.starts_with(nonce_) || nonce.size() == nonce_.size()) {
        failure = "the server's SCRAM nonce does not extend the client's";
        return {};
    }
    if (!salt || salt->empty() || iterations < 1 || iterations > max_iterations) {
        failure = "the server's SCRAM challenge has no usable salt or iteration count";
        return {};
    }
    const ScramKeys& keys = cache.keys(hash_, password_, *salt, iterations);
    const std::string without_proof = fmt::format("c={},r={}", encoded_gs2_header, nonce);
    const std::string signed_text =
        fmt::format("n={},r={},{},{}", user_, nonce_, server_first, without_proof);
    std::string proof = hmac(hash_, digest(hash_, keys.client_key), signed_text);
    std::ranges::transform(proof, keys.client_key, proof.begin(),
                           [](char a, char b) { return static_cast<char>(a ^ b); });
    server_signature_ = hmac(hash_, keys.server_key, signed_text);
    return fmt::format("{},p={}", without_proof, encode_base64(proof));
}

bool ScramExchange::verify(std::string_view server_final) const {
    return !server_signature_.empty() &&
           decode_base64(field(server_final, 'v')) == server_signature_;
}

std::string encode_base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes_of(bytes),
                                     static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(text),
                                     static_cast<int>(text.size()));
    if (size < 0) {
        return std::nullopt;
    }
    const std::size_t padding =
        text.ends_with("==") ? 2U : static_cast<std::size_t>(text.ends_with('='));
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

std::string make_nonce() {
    std::array<unsigned char, 18> random{};
    RAND_bytes(random.data(), static_cast<int>(random.size()));
    return encode_base64({reinterpret_cast<const char*>(random.data()), random.size()});
}

}  // namespace causeway::bench
