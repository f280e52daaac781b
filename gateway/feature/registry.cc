#include "gateway/feature/registry.h"

#include <fmt/format.h>

#include <algorithm>

namespace causeway {
namespace {

std::string iq_key(StanzaType type, IqTarget target, std::string_view ns, std::string_view name) {
    std::string key;
    key.reserve(ns.size() + name.size() + 3);
    key += static_cast<char>('0' + static_cast<int>(target));
    key += type == StanzaType::get ? 'g' : 's';
    key += ns;
    key += ' ';
    key += name;
    return key;
}

template <class T>
void append(std::vector<T>& table, std::span<const T> rows) {
    table.insert(table.end(), rows.begin(), rows.end());
}

template <class HookType>
void in_phases(std::vector<HookType>& table) {
    std::ranges::stable_sort(table, {}, &HookType::phase);
}

}  // namespace

Result<FeatureRegistry> FeatureRegistry::build(std::span<const Feature* const> features) {
    FeatureRegistry registry;
    for (const Feature* feature : features) {
        for (const IqHandler& handler : feature->iq) {
            if (handler.type != StanzaType::get && handler.type != StanzaType::set) {
                return Outcome::malformed(
                    fmt::format("feature {}: its handler of {} is neither for get nor for set",
                                feature->name, handler.ns));
            }
            const std::string key = iq_key(handler.type, handler.target, handler.ns, handler.name);
            if (!registry.iq_.emplace(key, handler).second) {
                return Outcome::malformed(
                    fmt::format("feature {}: {} is handled twice", feature->name, key));
            }
        }
        for (const Metric* metric : feature->metrics) {
            if (std::ranges::find(registry.metrics_, metric->name, &Metric::name) !=
                registry.metrics_.end()) {
                return Outcome::malformed(fmt::format("feature {}: the metric {} is there already",
                                                      feature->name, metric->name));
            }
            registry.metrics_.push_back(metric);
        }
        registry.add(*feature);
    }
    in_phases(registry.from_client_);
    in_phases(registry.from_server_);
    for (auto& table : registry.at_account_) in_phases(table);
    in_phases(registry.delivered_);
    in_phases(registry.undelivered_);
    in_phases(registry.to_client_);
    in_phases(registry.to_server_);
    for (auto* list : {&registry.server_disco_, &registry.account_disco_}) {
        std::ranges::sort(*list);
        list->erase(std::ranges::unique(*list).begin(), list->end());
    }
    return registry;
}

void FeatureRegistry::add(const Feature& feature) {
    features_.push_back(&feature);
    append(from_client_, feature.points.from_client);
    append(from_server_, feature.points.from_server);
    for (const AtAccountHook& hook : feature.points.at_account) {
        at_account_[static_cast<std::size_t>(hook.kind)].push_back(hook);
    }
    append(delivered_, feature.points.delivered);
    append(undelivered_, feature.points.undelivered);
    append(to_client_, feature.points.to_client);
    append(to_server_, feature.points.to_server);
    for (const LifeHook& hook : feature.points.life) {
        life_[static_cast<std::size_t>(hook.event)].push_back(hook.run);
    }
    for (const StreamFeature& stream : feature.stream) {
        stream_[static_cast<std::size_t>(stream.side)][static_cast<std::size_t>(stream.role)]
            .push_back(stream);
    }
    append(server_disco_, feature.server_disco);
    append(account_disco_, feature.account_disco);
    append(disco_, feature.disco);
    append(account_data_, feature.account_data);
}

const IqHandler* FeatureRegistry::find_iq(StanzaType type, IqTarget target, std::string_view ns,
                                          std::string_view name) const {
    const auto found = iq_.find(iq_key(type, target, ns, name));
    return found == iq_.end() ? nullptr : &found->second;
}

DiscoInfo FeatureRegistry::info(DiscoSource::Of of, const DiscoQuery& query) const {
    DiscoInfo info;
    if (query.node.empty()) {
        info.found = true;
        const auto& known = of == DiscoSource::Of::server ? server_disco_ : account_disco_;
        info.features.assign(known.begin(), known.end());
    }
    for (const DiscoSource& source : disco_) {
        if (source.of == of && source.info != nullptr) source.info(query, info);
    }
    std::ranges::sort(info.features);
    info.features.erase(std::ranges::unique(info.features).begin(), info.features.end());
    return info;
}

DiscoItems FeatureRegistry::items(DiscoSource::Of of, const DiscoQuery& query) const {
    DiscoItems items;
    items.found = query.node.empty();
    for (const DiscoSource& source : disco_) {
        if (source.of == of && source.items != nullptr) source.items(query, items);
    }
    return items;
}

}  // namespace causeway
