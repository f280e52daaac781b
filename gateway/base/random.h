// The one source of unpredictable bytes (OpenSSL's CSPRNG), for every id, nonce, key and token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace causeway {

/// Fills `out`. Ends the process if the system has no randomness: nothing secure can go on then.
void random_bytes(std::span<unsigned char> out);

/// `bytes` of randomness as URL-safe base64 without padding; 16 bytes give 128 bits and 22
/// characters.
std::string random_token(std::size_t bytes = 16);

/// Uniform in [0, bound); bound > 0.
std::uint64_t random_below(std::uint64_t bound);

}  // namespace causeway
