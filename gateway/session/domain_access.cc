#include "gateway/session/domain_access.h"

#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/hub.h"

namespace causeway {

constexpr FeatureOption allows_anonymous{
    .key = "domain.anonymous",
    .kind = FeatureOption::Kind::boolean,
    .form = {},
    .example = "true",
    .doc =
        "Whether clients may log in without an account (SASL ANONYMOUS, XEP-0175). What they are "
        "given lasts as long as their session."};

bool is_anonymous(const Hub& hub, std::string_view domain) {
    return hub.serves(domain) && allows_anonymous.boolean(*hub.config, domain);
}

bool is_anonymous_account(const Hub& hub, const Jid& jid) {
    return jid.local().starts_with(anonymous_prefix) && is_anonymous(hub, jid.domain());
}

void DomainAccess::when_known(std::string_view domain, Known known) {
    const std::string name(domain);
    Domain& of = domains_[name];
    if (of.rules != nullptr) {
        known({});
        return;
    }
    of.waiting.push_back(std::move(known));
    if (of.waiting.size() > 1) return;
    hub_.shared.store.map_get(
        std::string(store_name), name, std::string(rules_key), hub_.shard,
        [this, name](const Result<std::optional<std::string>>& text) { read(name, text); });
}

void DomainAccess::read(const std::string& domain, const Result<std::optional<std::string>>& text) {
    Domain& of = domains_[domain];
    Outcome outcome;
    if (!text) {
        outcome = text.error();
    } else if (of.rules == nullptr) {  // else they were replaced meanwhile
        auto rules = AccessRules::read(text->value_or("[]"));
        if (rules) {
            of.rules = std::make_shared<const AccessRules>(std::move(*rules));
        } else {
            outcome =
                Outcome::refused("the access rules of " + domain + " are damaged: clear them");
            CAUSEWAY_LOG(error, "access.unreadable", {"domain", domain});
        }
    }
    for (const Known& known : std::exchange(of.waiting, {})) known(outcome);
}

const AccessRules& DomainAccess::rules(std::string_view domain) const {
    static const AccessRules nobodys;
    const auto found = domains_.find(std::string(domain));
    return found == domains_.end() || found->second.rules == nullptr ? nobodys
                                                                     : *found->second.rules;
}

DomainAccess::Rules DomainAccess::known_rules(std::string_view domain) const {
    const auto found = domains_.find(std::string(domain));
    return found == domains_.end() ? nullptr : found->second.rules;
}

void DomainAccess::replace(std::string_view domain, Rules rules) {
    domains_[std::string(domain)].rules = std::move(rules);
}

}  // namespace causeway
