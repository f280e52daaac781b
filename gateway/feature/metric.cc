#include "gateway/feature/metric.h"

#include <bit>

namespace causeway {

MetricCounts::MetricCounts(std::span<const Metric* const> metrics)
    : places_(std::bit_ceil(2 * metrics.size() + 1)) {
    std::size_t first = 0;
    for (const Metric* metric : metrics) {
        std::size_t at = slot_of(*metric);
        while (places_[at].metric != nullptr) at = (at + 1) & (places_.size() - 1);
        places_[at] = {metric, first};
        first += metric->samples();
    }
    numbers_.resize(first);
}

MetricSamples samples_of(std::span<const Metric* const> metrics,
                         const std::vector<std::vector<std::int64_t>>& shards) {
    MetricSamples samples;
    std::size_t at = 0;
    for (const Metric* metric : metrics) {
        for (std::size_t value = 0; value < metric->samples(); ++value, ++at) {
            std::int64_t sum = 0;
            for (const std::vector<std::int64_t>& shard : shards) sum += shard.at(at);
            samples.push_back(
                {metric, metric->label.empty() ? std::string() : std::string(metric->values[value]),
                 static_cast<double>(sum)});
        }
    }
    return samples;
}

}  // namespace causeway
