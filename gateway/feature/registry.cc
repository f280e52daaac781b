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

}  // namespace

Result<FeatureRegistry> FeatureRegistry::build(std::span<const Feature* const> features) {
    FeatureRegistry registry;
    for (const Feature* feature : features) {
        registry.features_.push_back(feature);
        for (const IqHandler& handler : feature->iq) {
            const std::string key = iq_key(handler.type, handler.target, handler.ns, handler.name);
            if (!registry.iq_.emplace(key, handler).second) {
                return Outcome::malformed(
                    fmt::format("feature {}: {} is handled twice", feature->name, key));
            }
        }
        registry.entry_.insert(registry.entry_.end(), feature->entry.begin(), feature->entry.end());
        for (const StreamFeature& stream : feature->stream) {
            (stream.side == StreamSide::client ? registry.client_stream_ : registry.server_stream_)
                .push_back(stream);
        }
        registry.server_disco_.insert(registry.server_disco_.end(), feature->server_disco.begin(),
                                      feature->server_disco.end());
        registry.account_disco_.insert(registry.account_disco_.end(),
                                       feature->account_disco.begin(),
                                       feature->account_disco.end());
    }
    std::ranges::stable_sort(registry.entry_, {}, &EntryHook::phase);
    for (auto* list : {&registry.server_disco_, &registry.account_disco_}) {
        std::ranges::sort(*list);
        list->erase(std::ranges::unique(*list).begin(), list->end());
    }
    return registry;
}

const IqHandler* FeatureRegistry::find_iq(StanzaType type, IqTarget target, std::string_view ns,
                                          std::string_view name) const {
    const auto found = iq_.find(iq_key(type, target, ns, name));
    return found == iq_.end() ? nullptr : &found->second;
}

}  // namespace causeway
