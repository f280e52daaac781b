#include "gateway/session/account_access.h"

#include <tuple>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/number.h"
#include "gateway/session/account.h"

namespace causeway {
namespace {

constexpr std::string_view view_prefix = "view:";
constexpr std::string_view block_prefix = "block:";
constexpr std::string_view told_prefix = "told:";
/// Addresses that may be told politely that they are subscribed.
constexpr std::size_t told_limit = 1000;
constexpr std::string_view published_show = AccountAccess::published_keys[0];
constexpr std::string_view published_status = AccountAccess::published_keys[1];
constexpr std::string_view published_by = "published-by";

AccessAnswer usual_answer(AccessAct act) {
    switch (act) {
        case AccessAct::subscribe: return AccessAnswer::ask;
        case AccessAct::see: return AccessAnswer::view;
        case AccessAct::write: return AccessAnswer::allow;
        case AccessAct::read_archive:
        case AccessAct::publish: return AccessAnswer::deny;
    }
    return AccessAnswer::deny;
}

std::string key_of(std::string_view prefix, std::string_view name) {
    return std::string(prefix) + std::string(name);
}

/// A damaged list must not open what it kept shut.
AccessRules shut() {
    AccessRules rules;
    for (const auto& [act, answer] :
         {std::pair{"see", "nothing"}, std::pair{"subscribe", "ask"}, std::pair{"write", "hold"}}) {
        if (auto rule = AccessRule::parse("anyone", act, answer)) rules.insert(*rule, 1);
    }
    return rules;
}

}  // namespace

AccountAccess::AccountAccess(Account& account) : account_(account) {}

AccountAccess::~AccountAccess() = default;

const AccessState& AccountAccess::state() const {
    static const AccessState nothing;
    return state_ == nullptr ? nothing : *state_;
}

void AccountAccess::load(const std::vector<MapEntry>& entries) {
    state_.reset();
    if (entries.empty()) return;
    state_ = std::make_unique<AccessState>();
    for (const MapEntry& entry : entries) {
        const std::string_view key = entry.key;
        bool read = true;
        if (key == DomainAccess::rules_key) {
            auto rules = AccessRules::read(entry.value);
            read = rules.has_value();
            state_->rules = read ? std::move(*rules) : shut();
        } else if (key.starts_with(view_prefix)) {
            const std::string_view name = key.substr(view_prefix.size());
            auto view = PresenceView::read(name, entry.value);
            read = view.has_value();
            if (read) state_->views.emplace(name, std::move(*view));
        } else if (key.starts_with(block_prefix)) {
            state_->blocked.emplace(
                key.substr(block_prefix.size()),
                static_cast<UnixMillis>(read_number<std::uint64_t>(entry.value).value_or(0)));
        } else if (key.starts_with(told_prefix)) {
            state_->told_subscribed.emplace(key.substr(told_prefix.size()));
        } else if (key == published_show) {
            state_->published.show = entry.value;
        } else if (key == published_status) {
            state_->published.status = entry.value;
        } else if (key == published_by) {
            state_->published.by = entry.value;
        }
        if (!read) {
            CAUSEWAY_LOG(error, "access.unreadable", {"jid", account_.jid().bare()},
                         {"entry", key});
        }
    }
}

// ---- decisions ----

AccessAsker AccountAccess::asker(const Jid& who) const {
    return {who, account_.roster().items().find(who.bare_jid()),
            is_anonymous(account_.hub(), who.domain())};
}

AccessDecision AccountAccess::decide(const Jid& who, AccessAct act) const {
    using Source = AccessDecision::Source;
    if (who.bare() == account_.jid().bare()) return {AccessAnswer::allow, Source::owner};
    // What an owner lets others do in his name rests while he may do nothing himself.
    const bool in_his_name = act == AccessAct::read_archive || act == AccessAct::publish;
    if (in_his_name && account_.disabled()) return {AccessAnswer::deny, Source::disabled};
    const bool own_domain = !who.has_local() && who.domain() == account_.jid().domain();
    if (act == AccessAct::write && own_domain) return {AccessAnswer::allow, Source::standard};
    return by_lists(asker(who), act);
}

AccessDecision AccountAccess::by_lists(const AccessAsker& asker, AccessAct act) const {
    using Source = AccessDecision::Source;
    if (blocks(asker.jid)) return {AccessAnswer::deny, Source::blocked};
    const AccessRules& of_domain = account_.hub().domain_access.rules(account_.jid().domain());
    if (const AccessRule* rule = of_domain.find(asker, act, AccessRules::Which::binding)) {
        return {rule->answer, Source::domain_rule, rule};
    }
    if (const AccessRule* own = state().rules.find(asker, act)) {
        return {own->answer, Source::account_rule, own};
    }
    if (const AccessRule* rule = of_domain.find(asker, act, AccessRules::Which::waived)) {
        return {rule->answer, Source::domain_rule, rule};
    }
    // Who cannot be known again may not subscribe unless a rule says so.
    const bool unknown = act == AccessAct::subscribe && asker.anonymous;
    return {unknown ? AccessAnswer::deny : usual_answer(act), Source::standard};
}

const PresenceView& AccountAccess::view_for(const Jid& who) const {
    if (usual(AccessAct::see) && !blocks(who)) return PresenceView::whole();
    if (polite_to(who)) return PresenceView::none();
    const AccessDecision decision = decide(who, AccessAct::see);
    if (decision.answer == AccessAnswer::deny) return PresenceView::none();
    return decision.rule == nullptr ? PresenceView::whole() : view_named(decision.rule->view);
}

const PresenceView& AccountAccess::view_named(std::string_view name) const {
    if (name == PresenceView::whole().name) return PresenceView::whole();
    const AccessState& all = state();
    const auto found = all.views.find(name);
    // A view that is named and not there shows nothing rather than too much.
    return found == all.views.end() ? PresenceView::none() : found->second;
}

bool AccountAccess::polite_to(const Jid& who) const {
    return !usual(AccessAct::subscribe) &&
           decide(who, AccessAct::subscribe).answer == AccessAnswer::polite;
}

bool AccountAccess::grants_something(const Jid& who) const {
    const auto grants = [&](AccessAct act) { return !usual(act) && decide(who, act).allowed(); };
    return grants(AccessAct::publish) || grants(AccessAct::read_archive);
}

UnixMillis AccountAccess::hidden_since(const Jid& who) const {
    for (const AccessAct act : {AccessAct::subscribe, AccessAct::see}) {
        const AccessDecision decision = decide(who, act);
        const bool hides = act == AccessAct::see || decision.answer == AccessAnswer::polite;
        if (decision.rule != nullptr && hides) return decision.rule->since;
    }
    const auto block = block_of(who);
    return state_ == nullptr || block == state_->blocked.end() ? 0 : block->second;
}

std::map<std::string, UnixMillis, std::less<>>::const_iterator AccountAccess::block_of(
    const Jid& who) const {
    const auto& blocked = state().blocked;
    auto found = blocked.find(who.full());
    if (found == blocked.end()) found = blocked.find(who.bare());
    if (found == blocked.end() && who.has_resource()) {
        found = blocked.find(std::string(who.domain()) + "/" + std::string(who.resource()));
    }
    // A domain stands for those below it as well (XEP-0191, matching of addresses).
    for (std::string_view domain = who.domain(); found == blocked.end();) {
        found = blocked.find(domain);
        const std::size_t dot = domain.find('.');
        if (dot == std::string_view::npos) break;
        domain.remove_prefix(dot + 1);
    }
    return found;
}

bool AccountAccess::blocks(const Jid& who) const {
    if (state_ == nullptr || state_->blocked.empty()) return false;
    // A block of the account's own domain is one of the people there: its client still needs the
    // server, not least to end the block.
    if (who.bare() == account_.jid().bare() || who.full() == account_.jid().domain()) return false;
    return block_of(who) != state_->blocked.end();
}

bool AccountAccess::usual(AccessAct act) const {
    // Politeness hides what is seen.
    const auto about = [act](const AccessRules& rules) {
        return rules.about(act) || (act == AccessAct::see && rules.polite());
    };
    if (about(account_.hub().domain_access.rules(account_.jid().domain()))) return false;
    return state_ == nullptr || (state_->blocked.empty() && !about(state_->rules));
}

// ---- changes ----

void AccountAccess::plan(Batch& batch, const AccessState& next) const {
    const std::string_view owner = account_.jid().bare();
    const AccessState& before = state();
    if (const std::string text = next.rules.serialise(); text != before.rules.serialise()) {
        if (next.rules.empty()) {
            batch.map_erase(store_name, owner, DomainAccess::rules_key);
        } else {
            batch.map_set(store_name, owner, DomainAccess::rules_key, text);
        }
    }
    for (const auto& [name, view] : next.views) {
        const auto known = before.views.find(name);
        if (known == before.views.end() || known->second != view) {
            batch.map_set(store_name, owner, key_of(view_prefix, name), view.serialise());
        }
    }
    for (const auto& [name, view] : before.views) {
        if (!next.views.contains(name)) {
            batch.map_erase(store_name, owner, key_of(view_prefix, name));
        }
    }
    for (const auto& [key, was, is] :
         {std::tuple{published_show, &before.published.show, &next.published.show},
          std::tuple{published_status, &before.published.status, &next.published.status},
          std::tuple{published_by, &before.published.by, &next.published.by}}) {
        if (*was != *is) batch.map_set(store_name, owner, key, *is);
    }
    for (const auto& [address, since] : next.blocked) {
        if (!before.blocked.contains(address)) {
            batch.map_set(store_name, owner, key_of(block_prefix, address), std::to_string(since));
        }
    }
    for (const auto& [address, since] : before.blocked) {
        if (!next.blocked.contains(address)) {
            batch.map_erase(store_name, owner, key_of(block_prefix, address));
        }
    }
}

void AccountAccess::change(Edit edit, Done done) {
    account_.roster().change(
        [this, edit = std::move(edit)](Batch& batch, AccountRoster::Change& change) -> Outcome {
            auto next = std::make_shared<AccessState>(state());
            if (Outcome outcome = edit(*next); !outcome) return outcome;
            plan(batch, *next);
            change.before_push = [this, next] {
                const PublishedPresence published_before = published();
                const std::vector<Shown> before = shown();
                state_ = std::make_unique<AccessState>(std::move(*next));
                account_.presence().views_changed(before);
                if (published() != published_before) account_.presence().published_changed();
            };
            return {};
        },
        std::move(done));
}

const PublishedPresence& AccountAccess::published() const {
    static const PublishedPresence nothing;
    const PublishedPresence& all = state().published;
    if (account_.disabled()) return nothing;
    if (all.by.empty()) return all;
    const auto by = Jid::parse(all.by);
    return by && decide(*by, AccessAct::publish).allowed() ? all : nothing;
}

std::vector<AccountAccess::Shown> AccountAccess::shown() const {
    std::vector<Shown> all;
    for (const Jid& who : account_.presence().watchers()) all.push_back({who, view_for(who)});
    return all;
}

std::vector<AccountAccess::Shown> AccountAccess::shown_to(
    const std::vector<RosterItem>& contacts) const {
    std::vector<Shown> all;
    if (usual(AccessAct::see)) return all;
    for (const RosterItem& contact : contacts) {
        const RosterItem* known = account_.roster().items().find(contact.jid);
        if (known == nullptr || !known->state.from) continue;
        all.push_back({contact.jid, view_for(contact.jid)});
    }
    return all;
}

// ---- the polite answer ----

bool AccountAccess::takes_itself_for_subscribed(const Jid& who) const {
    return state_ != nullptr && state_->told_subscribed.contains(who.bare()) && polite_to(who);
}

bool AccountAccess::plan_told(Batch& batch, const Jid& bare, bool subscribed) const {
    const bool known = state().told_subscribed.contains(bare.bare());
    if (subscribed && !known && state().told_subscribed.size() >= told_limit) return false;
    const std::string key = key_of(told_prefix, bare.bare());
    if (subscribed && !known) batch.map_set(store_name, account_.jid().bare(), key, "");
    if (!subscribed && known) batch.map_erase(store_name, account_.jid().bare(), key);
    return true;
}

void AccountAccess::told(const Jid& bare, bool subscribed) {
    if (state_ == nullptr) {
        if (!subscribed) return;
        state_ = std::make_unique<AccessState>();
    }
    if (subscribed) {
        state_->told_subscribed.emplace(bare.bare());
    } else if (const auto known = state_->told_subscribed.find(bare.bare());
               known != state_->told_subscribed.end()) {
        state_->told_subscribed.erase(known);
    }
}

}  // namespace causeway
