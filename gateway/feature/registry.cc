#include "gateway/feature/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

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

/// The hooks of one feature, which know its name from here on.
template <class HookType>
void append(std::vector<HookType>& table, std::span<const HookType> hooks, std::string_view name) {
    for (const HookType& hook : hooks) {
        table.push_back(hook);
        table.back().feature = name;
    }
}

template <class HookType>
void in_phases(std::vector<HookType>& table) {
    std::ranges::stable_sort(table, {}, &HookType::phase);
}

}  // namespace

struct FeatureRegistry::Tables {
    void add(const Feature& feature);
    Outcome add_requests(const Feature& feature);
    Outcome add_metrics(const Feature& feature);
    void put_in_order();

    std::vector<const Feature*> features;
    std::unordered_map<std::string, IqHandler> iq;
    std::vector<FromClientHook> from_client;
    std::vector<FromServerHook> from_server;
    std::array<std::vector<AtAccountHook>, stanza_kinds> at_account;
    std::vector<DeliveredHook> delivered;
    std::vector<UndeliveredHook> undelivered;
    std::vector<ToClientHook> to_client;
    std::vector<ToServerHook> to_server;
    std::array<std::vector<void (*)(const Life&)>, life_events> life;
    std::array<std::array<std::vector<StreamFeature>, 2>, 2> stream;
    std::vector<std::string_view> server_disco, account_disco;
    std::vector<DiscoSource> disco;
    std::vector<AccountData> account_data;
    std::vector<SessionData> session_data;
    std::vector<const Metric*> metrics;
};

FeatureRegistry::FeatureRegistry(std::unique_ptr<Tables> tables)
    : tables_(std::move(tables)),
      features_(tables_->features),
      from_client_(tables_->from_client),
      from_server_(tables_->from_server),
      delivered_(tables_->delivered),
      undelivered_(tables_->undelivered),
      to_client_(tables_->to_client),
      to_server_(tables_->to_server),
      account_data_(tables_->account_data),
      session_data_(tables_->session_data),
      metrics_(tables_->metrics) {
    std::ranges::copy(tables_->at_account, at_account_.begin());
    std::ranges::copy(tables_->life, life_.begin());
    for (std::size_t side = 0; side < stream_.size(); ++side) {
        std::ranges::copy(tables_->stream[side], stream_[side].begin());
    }
}

FeatureRegistry::FeatureRegistry(FeatureRegistry&& other) noexcept = default;
FeatureRegistry& FeatureRegistry::operator=(FeatureRegistry&& other) noexcept = default;
FeatureRegistry::~FeatureRegistry() = default;

Result<FeatureRegistry> FeatureRegistry::build(std::span<const Feature* const> features) {
    auto tables = std::make_unique<Tables>();
    for (const Feature* feature : features) {
        if (Outcome added = tables->add_requests(*feature); !added) return added;
        if (Outcome added = tables->add_metrics(*feature); !added) return added;
        tables->add(*feature);
    }
    tables->put_in_order();
    return FeatureRegistry(std::move(tables));
}

Outcome FeatureRegistry::Tables::add_requests(const Feature& feature) {
    for (const IqHandler& handler : feature.iq) {
        if (handler.type != StanzaType::get && handler.type != StanzaType::set) {
            return Outcome::malformed(
                fmt::format("feature {}: its handler of {} is neither for get nor for set",
                            feature.name, handler.ns));
        }
        const std::string key = iq_key(handler.type, handler.target, handler.ns, handler.name);
        if (!iq.emplace(key, handler).second) {
            return Outcome::malformed(
                fmt::format("feature {}: {} is handled twice", feature.name, key));
        }
    }
    return {};
}

Outcome FeatureRegistry::Tables::add_metrics(const Feature& feature) {
    for (const Metric* metric : feature.metrics) {
        if (std::ranges::find(metrics, metric->name, &Metric::name) != metrics.end()) {
            return Outcome::malformed(fmt::format("feature {}: the metric {} is there already",
                                                  feature.name, metric->name));
        }
        metrics.push_back(metric);
    }
    return {};
}

void FeatureRegistry::Tables::add(const Feature& feature) {
    features.push_back(&feature);
    append(from_client, feature.points.from_client, feature.name);
    append(from_server, feature.points.from_server, feature.name);
    for (const AtAccountHook& hook : feature.points.at_account) {
        append(at_account[static_cast<std::size_t>(hook.kind)], std::span(&hook, 1), feature.name);
    }
    append(delivered, feature.points.delivered, feature.name);
    append(undelivered, feature.points.undelivered, feature.name);
    append(to_client, feature.points.to_client, feature.name);
    append(to_server, feature.points.to_server, feature.name);
    for (const LifeHook& hook : feature.points.life) {
        life[static_cast<std::size_t>(hook.event)].push_back(hook.run);
    }
    for (const StreamFeature& one : feature.stream) {
        stream[static_cast<std::size_t>(one.side)][static_cast<std::size_t>(one.role)].push_back(
            one);
    }
    append(server_disco, feature.server_disco);
    append(account_disco, feature.account_disco);
    append(disco, feature.disco);
    append(account_data, feature.account_data);
    append(session_data, feature.session_data);
}

void FeatureRegistry::Tables::put_in_order() {
    in_phases(from_client);
    in_phases(from_server);
    for (auto& table : at_account) in_phases(table);
    in_phases(delivered);
    in_phases(undelivered);
    in_phases(to_client);
    in_phases(to_server);
    for (auto* list : {&server_disco, &account_disco}) {
        std::ranges::sort(*list);
        list->erase(std::ranges::unique(*list).begin(), list->end());
    }
}

const IqHandler* FeatureRegistry::find_iq(StanzaType type, IqTarget target, std::string_view ns,
                                          std::string_view name) const {
    const auto found = tables_->iq.find(iq_key(type, target, ns, name));
    return found == tables_->iq.end() ? nullptr : &found->second;
}

DiscoInfo FeatureRegistry::info(DiscoSource::Of of, const DiscoQuery& query) const {
    DiscoInfo info;
    if (query.node.empty()) {
        info.found = true;
        const auto& known =
            of == DiscoSource::Of::server ? tables_->server_disco : tables_->account_disco;
        info.features.assign(known.begin(), known.end());
    }
    for (const DiscoSource& source : tables_->disco) {
        if (source.of == of && source.info != nullptr) source.info(query, info);
    }
    std::ranges::sort(info.features);
    info.features.erase(std::ranges::unique(info.features).begin(), info.features.end());
    return info;
}

DiscoItems FeatureRegistry::items(DiscoSource::Of of, const DiscoQuery& query) const {
    DiscoItems items;
    items.found = query.node.empty();
    for (const DiscoSource& source : tables_->disco) {
        if (source.of == of && source.items != nullptr) source.items(query, items);
    }
    return items;
}

}  // namespace causeway
