// Latencies in a bounded histogram: logarithmic steps, each cut into equal parts, so that any
// percentile is exact to within one per cent whatever its size.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace causeway::bench {

class LatencyHistogram {
public:
    /// Adds one sample; negative ones count as zero, ones beyond the range as the longest.
    void record(std::chrono::nanoseconds latency);

    /// The latency that `fraction` (0 to 1) of the samples do not exceed; zero without samples.
    [[nodiscard]] std::chrono::nanoseconds percentile(double fraction) const;

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::chrono::nanoseconds max() const { return max_; }

    void clear() { *this = LatencyHistogram(); }

private:
    static constexpr unsigned part_bits = 7;  // 128 parts a power of two
    static constexpr std::size_t parts = std::size_t{1} << part_bits;
    static constexpr unsigned max_bits = 42;  // 2^42 ns: over an hour
    static constexpr std::size_t slots = (max_bits - part_bits + 1) * parts;

    [[nodiscard]] static std::size_t slot_of(std::uint64_t nanoseconds);
    [[nodiscard]] static std::uint64_t upper_bound_of(std::size_t slot);

    std::array<std::uint64_t, slots> counts_{};
    std::uint64_t count_ = 0;
    std::chrono::nanoseconds max_{0};
};

}  // namespace causeway::bench
