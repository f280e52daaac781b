// Counters that wrap, as those of XEP-0198 §4 do: distances are compared, never values.
#pragma once

#include <cstdint>

namespace causeway {

/// How far `a` is beyond `b`; negative if it is behind.
constexpr std::int32_t serial_distance(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b);
}

}  // namespace causeway
