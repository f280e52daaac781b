// Slots: values below 2^7 one each, then 128 equal parts for each power of two.
#include "tools/bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace causeway::bench {

std::size_t LatencyHistogram::slot_of(std::uint64_t nanoseconds) {
    const auto width = static_cast<unsigned>(std::bit_width(nanoseconds));
    if (width <= part_bits) {
        return static_cast<std::size_t>(nanoseconds);
    }
    const unsigned shift = width - part_bits - 1;
    // The top bit is implied by the power of two; the next seven choose the part.
    const std::size_t part = static_cast<std::size_t>(nanoseconds >> shift) - parts;
    return std::min((shift + 1) * parts + part, slots - 1);
}

std::uint64_t LatencyHistogram::upper_bound_of(std::size_t slot) {
    if (slot < parts) {
        return slot;
    }
    const std::size_t shift = slot / parts - 1;
    return ((parts + slot % parts + 1) << shift) - 1;
}

void LatencyHistogram::record(std::chrono::nanoseconds latency) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(0, latency.count()));
    ++counts_[slot_of(value)];
    ++count_;
    max_ = std::max(max_, latency);
}

std::chrono::nanoseconds LatencyHistogram::percentile(double fraction) const {
    const auto wanted = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t slot = 0; slot < slots; ++slot) {
        seen += counts_[slot];
        if (seen >= wanted) {
            const auto bound = static_cast<std::int64_t>(upper_bound_of(slot));
            return std::min(std::chrono::nanoseconds(bound), max_);
        }
    }
    return std::chrono::nanoseconds(0);
}

}  // namespace causeway::bench
