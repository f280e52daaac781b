// FeatureRegistry: the list of features turned into tables once at start: iq dispatch, hooks in the
// order of their phases, stream features, service discovery. Immutable afterwards, shared by
// shards.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/feature/feature.h"

namespace causeway {

class FeatureRegistry {
public:
    /// Two handlers for the same request are an error of the program: malformed, naming both.
    static Result<FeatureRegistry> build(std::span<const Feature* const> features);

    /// nullptr: nobody handles that.
    [[nodiscard]] const IqHandler* find_iq(StanzaType type, IqTarget target, std::string_view ns,
                                           std::string_view name) const;
    [[nodiscard]] std::span<const EntryHook> entry_hooks() const { return entry_; }
    [[nodiscard]] std::span<const StreamFeature> stream_features(StreamSide side) const {
        return side == StreamSide::client ? client_stream_ : server_stream_;
    }
    [[nodiscard]] const std::vector<std::string_view>& server_disco() const {
        return server_disco_;
    }
    [[nodiscard]] const std::vector<std::string_view>& account_disco() const {
        return account_disco_;
    }
    [[nodiscard]] std::span<const Feature* const> features() const { return features_; }

private:
    std::vector<const Feature*> features_;
    std::unordered_map<std::string, IqHandler> iq_;
    std::vector<EntryHook> entry_;
    std::vector<StreamFeature> client_stream_, server_stream_;
    std::vector<std::string_view> server_disco_, account_disco_;
};

}  // namespace causeway
