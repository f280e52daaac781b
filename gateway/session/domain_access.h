// DomainAccess: the administrator's access rules for whole domains, on one shard. They are read
// with the first account of a domain that is loaded, and replaced on all shards when they change.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/config/feature_option.h"
#include "gateway/session/access_rules.h"

namespace causeway {

struct Hub;

/// Whether the accounts of that domain, one of ours, are anonymous ones (XEP-0175).
bool is_anonymous(const Hub& hub, std::string_view domain);
extern const FeatureOption allows_anonymous;
/// What the names of accounts begin with that are made for one client.
inline constexpr std::string_view anonymous_prefix = "anonymous-";
/// Whether that is the address of such an account.
bool is_anonymous_account(const Hub& hub, const Jid& jid);

class DomainAccess {
public:
    /// The Map store of all access rules; its owner is a domain here.
    static constexpr std::string_view store_name = "access";
    static constexpr std::string_view rules_key = "rules";

    using Rules = std::shared_ptr<const AccessRules>;
    using Known = std::function<void(const Outcome&)>;

    explicit DomainAccess(Hub& hub) : hub_(hub) {}

    /// Runs `known` once the rules of that domain are read: now, if they are already. After a
    /// failure they are read again with the next call.
    void when_known(std::string_view domain, Known known);
    /// Nobody's rules, if there are none or they are not known.
    [[nodiscard]] const AccessRules& rules(std::string_view domain) const;
    /// The same; nullptr if they are not known.
    [[nodiscard]] Rules known_rules(std::string_view domain) const;
    /// They have changed in the store.
    void replace(std::string_view domain, Rules rules);

private:
    struct Domain {
        Rules rules;                 ///< nullptr: not known
        std::vector<Known> waiting;  ///< bounded by the accounts that are being loaded
    };

    void read(const std::string& domain, const Result<std::optional<std::string>>& text);

    Hub& hub_;
    std::unordered_map<std::string, Domain> domains_;  ///< only of domains that are served here
};

}  // namespace causeway
