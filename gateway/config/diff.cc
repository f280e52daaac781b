#include "gateway/config/diff.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/config/options.h"

namespace causeway {
namespace {

const DomainConfig* find_domain(const Config& config, std::string_view name) {
    const auto found = std::ranges::find(config.domains, name, &DomainConfig::name);
    return found == config.domains.end() ? nullptr : &*found;
}

/// Whether the domain only follows what is said for all, before and after.
bool follows(const Option& option, const DomainConfig& before, const DomainConfig& after) {
    return option.name().find('.') != std::string_view::npos &&
           !before.of_features.contains(option.name()) &&
           !after.of_features.contains(option.name());
}

std::string domain_key(const DomainConfig& domain) {
    return fmt::format("domain.{}", toml_quote(domain.name));
}

void diff_domains(const Config& old_config, const Config& new_config,
                  std::vector<Change>& changes) {
    constexpr std::string_view there = "served";
    constexpr std::string_view gone = "not served";
    for (const DomainConfig& domain : old_config.domains) {
        const DomainConfig* const now = find_domain(new_config, domain.name);
        if (now == nullptr) {
            changes.push_back(
                {domain_key(domain), std::string(there), std::string(gone), Reload::restart});
            continue;
        }
        for (const Option& option : options()) {
            if (!option.of_domain() || follows(option, domain, *now)) continue;
            std::string before = option.get(old_config, &domain);
            std::string after = option.get(new_config, now);
            if (before == after) continue;
            changes.push_back({fmt::format("{}.{}", domain_key(domain), option.name()),
                               std::move(before), std::move(after), option.reload});
        }
    }
    for (const DomainConfig& domain : new_config.domains) {
        if (find_domain(old_config, domain.name) != nullptr) continue;
        changes.push_back(
            {domain_key(domain), std::string(gone), std::string(there), Reload::restart});
    }
}

}  // namespace

std::string_view to_string(Reload reload) {
    switch (reload) {
        case Reload::live: return "live";
        case Reload::new_streams: return "new-streams";
        case Reload::restart: return "restart";
    }
    return "unknown";
}

std::vector<Change> diff(const Config& old_config, const Config& new_config) {
    std::vector<Change> changes;
    diff_domains(old_config, new_config, changes);
    for (const Option& option : options()) {
        if (option.of_domain()) continue;
        std::string before = option.get(old_config, nullptr);
        std::string after = option.get(new_config, nullptr);
        if (before == after) continue;
        changes.push_back(
            {std::string(option.key), std::move(before), std::move(after), option.reload});
    }
    return changes;
}

}  // namespace causeway
