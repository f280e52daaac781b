// Takes the place of gateway/base/random.cc: the linker takes a function of a library only where
// the program itself has none.
#include "tests/loss/seeded_random.h"

#include "gateway/base/encoding.h"
#include "gateway/base/random.h"
#include "tests/loss/dice.h"

namespace causeway {
namespace {
loss::Dice dice(0);
}  // namespace

void loss::seed_random(std::uint64_t seed) { dice = Dice(seed); }

void random_bytes(std::span<unsigned char> out) {
    for (unsigned char& byte : out) byte = static_cast<unsigned char>(dice.next() >> 32U);
}

std::string random_token(std::size_t bytes) {
    std::string raw(bytes, '\0');
    for (char& byte : raw) byte = static_cast<char>(dice.next() >> 32U);
    std::string text = base64_encode(raw);
    while (!text.empty() && text.back() == '=') text.pop_back();
    for (char& c : text) {
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    return text;
}

std::uint64_t random_below(std::uint64_t bound) { return dice.below(bound); }

}  // namespace causeway
