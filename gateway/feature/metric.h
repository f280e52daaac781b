// Metric: a number that a feature or the engine tells a monitoring system, declared as a constant;
// its address is its identity. MetricCounts: one shard's numbers of all features, plain integers
// that only the shard's thread touches; they are read when somebody asks, and added up over shards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

struct Metric {
    enum class Kind : unsigned char {
        counter,  ///< only rises; since the start of the process
        gauge,    ///< how many there are now
    };
    /// Without what every name has: "carbons_copies" is told as "causeway_carbons_copies_total",
    /// and a gauge without the last part. Letters, digits and underscores.
    std::string_view name;
    Kind kind = Kind::counter;
    std::string_view help;  ///< one sentence
    /// The label that tells its samples apart; empty: there is one sample, without a label.
    std::string_view label = {};
    /// Of a feature's metric with a label, every value that the label may have. A closed list, so
    /// that no metric grows with what peers send.
    std::span<const std::string_view> values = {};

    [[nodiscard]] std::size_t samples() const { return label.empty() ? 1 : values.size(); }
};

/// One number, as it is told.
struct MetricSample {
    const Metric* metric = nullptr;
    std::string value;  ///< of the label, if the metric has one
    double number = 0;
};

using MetricSamples = std::vector<MetricSample>;

class MetricCounts {
public:
    /// All zero.
    explicit MetricCounts(std::span<const Metric* const> metrics);

    /// Counts `by` for the sample of that label value (its place in Metric::values); a gauge also
    /// goes down. A metric that no feature declares is not counted.
    void add(const Metric& metric, std::size_t value = 0, std::int64_t by = 1) {
        const Place& place = find(metric);
        if (place.metric != nullptr && value < metric.samples()) {
            numbers_[place.first + value] += by;
        }
    }
    [[nodiscard]] std::int64_t at(const Metric& metric, std::size_t value = 0) const {
        const Place& place = find(metric);
        return place.metric == nullptr || value >= metric.samples() ? 0
                                                                    : numbers_[place.first + value];
    }
    /// Every sample, in the order of the features; equally many on every shard.
    [[nodiscard]] const std::vector<std::int64_t>& all() const { return numbers_; }

private:
    /// Where a metric's numbers begin. The table is open addressing by the metric's address, at
    /// most half full, its size a power of two: counting looks at one or two entries.
    struct Place {
        const Metric* metric = nullptr;
        std::size_t first = 0;
    };
    [[nodiscard]] const Place& find(const Metric& metric) const {
        std::size_t at = slot_of(metric);
        while (places_[at].metric != nullptr && places_[at].metric != &metric) {
            at = (at + 1) & (places_.size() - 1);
        }
        return places_[at];
    }
    [[nodiscard]] std::size_t slot_of(const Metric& metric) const {
        return reinterpret_cast<std::uintptr_t>(&metric) / sizeof(Metric) & (places_.size() - 1);
    }

    std::vector<Place> places_;
    std::vector<std::int64_t> numbers_;
};

/// The samples of `metrics`, whose numbers are the sums over `shards` (MetricCounts::all of each).
MetricSamples samples_of(std::span<const Metric* const> metrics,
                         const std::vector<std::vector<std::int64_t>>& shards);

}  // namespace causeway
