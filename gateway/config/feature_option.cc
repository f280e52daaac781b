#include "gateway/config/feature_option.h"

namespace causeway {
namespace {

std::vector<const FeatureOption*>& declared() {
    static std::vector<const FeatureOption*> all;
    return all;
}

template <class T>
T value_or(const Config& config, std::string_view key, T fallback) {
    const auto found = config.of_features.find(key);
    return found == config.of_features.end() ? fallback : std::get<T>(found->second);
}

}  // namespace

std::int64_t FeatureOption::integer(const Config& config) const {
    return value_or<std::int64_t>(config, key, fallback);
}

std::string FeatureOption::text(const Config& config) const {
    return value_or<std::string>(config, key, {});
}

std::vector<std::string> FeatureOption::list(const Config& config) const {
    return value_or<std::vector<std::string>>(config, key, {});
}

void declare_options(std::span<const FeatureOption* const> options) {
    declared().insert(declared().end(), options.begin(), options.end());
}

const std::vector<const FeatureOption*>& declared_options() { return declared(); }

}  // namespace causeway
