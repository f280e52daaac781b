#include "gateway/config/feature_option.h"

namespace causeway {
namespace {

std::vector<const FeatureOption*>& declared() {
    static std::vector<const FeatureOption*> all;
    return all;
}

/// The domain's own value, or the one of all, or nullptr.
const OptionValue* value_of(const Config& config, std::string_view key, std::string_view domain) {
    if (!domain.empty()) {
        for (const DomainConfig& one : config.domains) {
            if (one.name != domain) continue;
            const auto own = one.of_features.find(key);
            if (own != one.of_features.end()) return &own->second;
        }
    }
    const auto found = config.of_features.find(key);
    return found == config.of_features.end() ? nullptr : &found->second;
}

template <class T>
T value_or(const OptionValue* value, T fallback) {
    return value == nullptr ? fallback : std::get<T>(*value);
}

}  // namespace

std::int64_t FeatureOption::integer(const Config& config, std::string_view domain) const {
    return value_or<std::int64_t>(value_of(config, key, domain), fallback);
}

std::string FeatureOption::text(const Config& config, std::string_view domain) const {
    return value_or<std::string>(value_of(config, key, domain), {});
}

std::vector<std::string> FeatureOption::list(const Config& config, std::string_view domain) const {
    return value_or<std::vector<std::string>>(value_of(config, key, domain), {});
}

bool FeatureOption::boolean(const Config& config, std::string_view domain) const {
    return value_or<bool>(value_of(config, key, domain), fallback != 0);
}

void declare_options(std::span<const FeatureOption* const> options) {
    declared().insert(declared().end(), options.begin(), options.end());
}

const std::vector<const FeatureOption*>& declared_options() { return declared(); }

}  // namespace causeway
