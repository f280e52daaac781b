// StableHash: FNV-1a, the same in every build and at every start, which std::hash is not: for what is
// stored. Nothing secret hangs on it, and nobody gains by two texts that are alike.
#pragma once

#include <cstdint>
#include <string_view>

namespace causeway {

class StableHash {
public:
    void add(std::string_view text) {
        for (const char byte : text) {
            value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
        }
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace causeway
