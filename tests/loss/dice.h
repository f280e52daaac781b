// Dice: numbers drawn from a seed, the same with every compiler and library (SplitMix64).
#pragma once

#include <cstdint>

namespace causeway::loss {

class Dice {
public:
    explicit Dice(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t value = (state_ += 0x9e3779b97f4a7c15U);
        value = (value ^ value >> 30U) * 0xbf58476d1ce4e5b9U;
        value = (value ^ value >> 27U) * 0x94d049bb133111ebU;
        return value ^ value >> 31U;
    }
    /// In [0, bound); bound > 0. That it is not quite uniform does not matter here.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    /// In [least, most].
    std::uint64_t between(std::uint64_t least, std::uint64_t most) {
        return least + below(most - least + 1);
    }
    /// True once in so many times.
    bool one_in(std::uint64_t times) { return below(times) == 0; }

private:
    std::uint64_t state_;
};

}  // namespace causeway::loss
