#include "s2s/dialback_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "gateway/base/encoding.h"

namespace causeway {

std::string dialback_key(std::string_view secret, std::string_view receiving,
                         std::string_view originating, std::string_view stream_id) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length{};
    EVP_Digest(secret.data(), secret.size(), digest.data(), &length, EVP_sha256(), nullptr);
    const std::string hashed = hex_encode({reinterpret_cast<const char*>(digest.data()), length});
    std::string text;
    text += receiving;
    text += ' ';
    text += originating;
    text += ' ';
    text += stream_id;
    HMAC(EVP_sha256(), hashed.data(), static_cast<int>(hashed.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &length);
    return hex_encode({reinterpret_cast<const char*>(digest.data()), length});
}

}  // namespace causeway
