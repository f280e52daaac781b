// FeatureRegistry: the list of features turned into tables once at start: iq dispatch, the hooks of
// each point in the order of their phases, stream features, service discovery. Immutable
// afterwards, shared by shards.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/feature/feature.h"

namespace causeway {

class FeatureRegistry {
public:
    /// Two handlers for the same request, a handler of what is no request, or two metrics of one
    /// name are an error of the program: malformed, naming the feature.
    static Result<FeatureRegistry> build(std::span<const Feature* const> features);
    FeatureRegistry(FeatureRegistry&& other) noexcept;
    FeatureRegistry& operator=(FeatureRegistry&& other) noexcept;
    ~FeatureRegistry();

    /// nullptr if no feature handles such a request.
    [[nodiscard]] const IqHandler* find_iq(StanzaType type, IqTarget target, std::string_view ns,
                                           std::string_view name) const;
    [[nodiscard]] std::span<const FromClientHook> from_client() const { return from_client_; }
    [[nodiscard]] std::span<const FromServerHook> from_server() const { return from_server_; }
    [[nodiscard]] std::span<const AtAccountHook> at_account(StanzaKind kind) const {
        return at_account_[static_cast<std::size_t>(kind)];
    }
    [[nodiscard]] std::span<const DeliveredHook> delivered() const { return delivered_; }
    [[nodiscard]] std::span<const UndeliveredHook> undelivered() const { return undelivered_; }
    [[nodiscard]] std::span<const ToClientHook> to_client() const { return to_client_; }
    [[nodiscard]] std::span<const ToServerHook> to_server() const { return to_server_; }
    /// Runs the hooks of that event, in the order of the registry.
    void announce(const Life& life) const {
        for (const auto run : life_[static_cast<std::size_t>(life.event)]) run(life);
    }

    /// The steps of such streams, in the order in which they are offered or begun.
    [[nodiscard]] std::span<const StreamFeature> stream_features(StreamSide side,
                                                                 StreamRole role) const {
        return stream_[static_cast<std::size_t>(side)][static_cast<std::size_t>(role)];
    }
    /// What every feature tells of a domain, or of an account, that `query` asks about.
    [[nodiscard]] DiscoInfo info(DiscoSource::Of of, const DiscoQuery& query) const;
    [[nodiscard]] DiscoItems items(DiscoSource::Of of, const DiscoQuery& query) const;
    [[nodiscard]] std::span<const AccountData> account_data() const { return account_data_; }
    [[nodiscard]] std::span<const SessionData> session_data() const { return session_data_; }
    [[nodiscard]] std::span<const Feature* const> features() const { return features_; }
    /// Of all features; see MetricCounts.
    [[nodiscard]] std::span<const Metric* const> metrics() const { return metrics_; }

private:
    // The lists themselves, filled while it is built. What includes this header reads them through
    // the spans below; how a vector of hooks is made and destroyed is compiled in one place.
    struct Tables;

    explicit FeatureRegistry(std::unique_ptr<Tables> tables);

    std::unique_ptr<Tables> tables_;
    std::span<const Feature* const> features_;
    std::span<const FromClientHook> from_client_;
    std::span<const FromServerHook> from_server_;
    std::array<std::span<const AtAccountHook>, stanza_kinds> at_account_;
    std::span<const DeliveredHook> delivered_;
    std::span<const UndeliveredHook> undelivered_;
    std::span<const ToClientHook> to_client_;
    std::span<const ToServerHook> to_server_;
    std::array<std::span<void (*const)(const Life&)>, life_events> life_;
    std::array<std::array<std::span<const StreamFeature>, 2>, 2> stream_;  ///< by side and role
    std::span<const AccountData> account_data_;
    std::span<const SessionData> session_data_;
    std::span<const Metric* const> metrics_;
};

}  // namespace causeway
