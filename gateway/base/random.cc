#include "gateway/base/random.h"

#include <openssl/rand.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "gateway/base/encoding.h"

namespace causeway {

void random_bytes(std::span<unsigned char> out) {
    if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) std::abort();
}

std::string random_token(std::size_t bytes) {
    std::vector<unsigned char> raw(bytes);
    random_bytes(raw);
    std::string text = base64_encode({reinterpret_cast<const char*>(raw.data()), raw.size()});
    while (!text.empty() && text.back() == '=') text.pop_back();
    for (char& c : text) {
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    return text;
}

std::uint64_t random_below(std::uint64_t bound) {
    // Rejection keeps it uniform: values above the largest multiple of bound are drawn again.
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t value = 0;
    do {
        std::array<unsigned char, sizeof value> raw{};
        random_bytes(raw);
        for (const unsigned char byte : raw) value = value << 8 | byte;
    } while (value >= limit);
    return value % bound;
}

}  // namespace causeway
