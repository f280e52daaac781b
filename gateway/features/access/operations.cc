#include "gateway/features/access/operations.h"

#include <fmt/format.h>

#include <deque>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/session/accounts.h"
#include "gateway/session/published_presences.h"
#include "gateway/xml/builder.h"

namespace causeway::access {
namespace {

std::size_t most(const FeatureOption& option, const Account& account) {
    return static_cast<std::size_t>(option.integer(*account.hub().config));
}

Outcome no_rule(std::size_t number, std::size_t count) {
    return Outcome::absent(fmt::format("there is no rule {}: the list has {}", number, count));
}

/// What an account shows.
struct Showing {
    explicit Showing(const Account& account)
        : shown(account.access().shown()), published(account.access().published()) {}

    /// Shows what has changed since.
    void tell(Account& account) const {
        account.presence().views_changed(shown);
        if (account.access().published() != published) account.presence().published_changed();
    }

    std::vector<AccountAccess::Shown> shown;
    PublishedPresence published;
};

/// One that was not in use as the rules changed shows anew what somebody published in its name.
void show_anew(Account& account, const DomainAccess::Rules& before) {
    DomainAccess& of_domains = account.hub().domain_access;
    const std::string_view domain = account.jid().domain();
    const DomainAccess::Rules now = of_domains.known_rules(domain);
    of_domains.replace(domain, before);
    const Showing showing(account);
    of_domains.replace(domain, now);
    showing.tell(account);
}

/// Puts the new rules in force for everybody of that domain on a shard, and tells the sessions what
/// was changed.
void adopt(Hub& hub, const std::string& domain, const DomainAccess::Rules& before,
           const DomainAccess::Rules& rules, const std::string& what) {
    const auto matters = [](const AccessRules& some) {
        return some.about(AccessAct::see) || some.polite() || some.about(AccessAct::publish);
    };
    std::vector<std::pair<Account*, Showing>> in_use;
    if (matters(*rules) || matters(*before)) {
        hub.accounts->each([&](Account& account) {
            if (account.jid().domain() != domain || !account.exists()) return;
            account.begin_question();  // it stays, whatever is told to whom
            in_use.emplace_back(&account, Showing(account));
        });
    }
    hub.domain_access.replace(domain, rules);
    std::set<std::string> names;
    for (const auto& [account, showing] : in_use) {
        showing.tell(*account);
        names.emplace(account->jid().bare());
    }
    for (const auto& [account, showing] : in_use) account->end_question();
    if (matters(*rules) || matters(*before)) {
        visit_published_presences(hub, {domain}, std::move(names),
                                  [before](Account& account) { show_anew(account, before); });
    }
    hub.accounts->each_online([&](Account& account) {
        if (account.jid().domain() == domain) tell_sessions(account, what);
    });
}

/// Changes of the rules of domains, one after the other; the first is under way.
struct DomainChange {
    std::string domain;
    EditRules edit;    ///< empty: the list is cleared, whatever it is
    std::string what;  ///< it is, as sessions are told
    Done done;
};
struct DomainChanges final : SlotState {
    std::deque<DomainChange> waiting;
};
constexpr Slot<DomainChanges> domain_changes_slot{"access-domain-changes"};
constexpr std::size_t changes_limit = 100;

void begin_change(Hub& hub, DomainChanges& changes);

void end_change(Hub& hub, DomainChanges& changes, const Outcome& outcome) {
    const Done done = std::move(changes.waiting.front().done);
    changes.waiting.pop_front();
    done(outcome);
    if (!changes.waiting.empty()) begin_change(hub, changes);
}

void store_rules(Hub& hub, DomainChanges& changes, std::shared_ptr<const AccessRules> next) {
    const std::string domain = changes.waiting.front().domain;
    Batch batch;
    batch.map_set(DomainAccess::store_name, domain, DomainAccess::rules_key, next->serialise());
    hub.shared.store.commit(
        std::move(batch), hub.shard, [&hub, &changes, domain, next](const Outcome& outcome) {
            if (outcome) {
                const std::string& what = changes.waiting.front().what;
                CAUSEWAY_LOG(info, "access.changed", {"domain", domain},
                             {"rules", next->serialise()});
                DomainAccess::Rules before = hub.domain_access.known_rules(domain);
                if (before == nullptr) before = std::make_shared<const AccessRules>();
                for (Hub* other : hub.shared.hubs) {
                    hub.at(*other, [other, domain, before, next, what] {
                        adopt(*other, domain, before, next, what);
                    });
                }
            }
            end_change(hub, changes, outcome);
        });
}

void begin_change(Hub& hub, DomainChanges& changes) {
    const std::string domain = changes.waiting.front().domain;
    hub.domain_access.when_known(domain, [&hub, &changes, domain](const Outcome& known) {
        if (!changes.waiting.front().edit) {
            return store_rules(hub, changes, std::make_shared<const AccessRules>());
        }
        if (!known) return end_change(hub, changes, known);
        const auto next = std::make_shared<AccessRules>(hub.domain_access.rules(domain));
        const auto most = static_cast<std::size_t>(rules_limit.integer(*hub.config));
        if (Outcome edited = changes.waiting.front().edit(*next, most); !edited) {
            return end_change(hub, changes, edited);
        }
        store_rules(hub, changes, next);
    });
}

/// The one that was put there; a place of 0 or beyond the end is the last.
const AccessRule* rule_at(const AccessRules& rules, std::size_t at) {
    const std::size_t count = rules.all().size();
    if (count == 0) return nullptr;
    return &rules.all()[(at == 0 || at > count ? count : at) - 1];
}

std::string words_before(const AccessRules& rules, const AccessRule& earlier,
                         std::string_view domain) {
    return fmt::format("rule {}{}{} decides before this one: {}", rules.number_of(earlier),
                       domain.empty() ? "" : " of ", domain, earlier.sentence());
}

/// The same of a list in which this one might stand elsewhere.
std::string words_before_in_list(const AccessRules& rules, const AccessRule& earlier,
                                 std::string_view domain) {
    return fmt::format("{}; add this one at {} to let it decide",
                       words_before(rules, earlier, domain), rules.number_of(earlier));
}

}  // namespace

// ---- an account's own ----

std::string told_before(const AccessRules& rules, std::size_t at, std::string_view domain) {
    const AccessRule* const rule = rule_at(rules, at);
    const AccessRule* const earlier = rule == nullptr ? nullptr : rules.deciding_before(*rule);
    return earlier == nullptr ? std::string{} : words_before_in_list(rules, *earlier, domain);
}

std::string told_before(const Account& account, std::size_t at) {
    const AccessRule* const rule = rule_at(account.access().state().rules, at);
    const std::string_view domain = account.jid().domain();
    const AccessRules& of_domain = account.hub().domain_access.rules(domain);
    for (const AccessRule& earlier : of_domain.all()) {
        if (rule != nullptr && !earlier.waived && earlier.act == rule->act &&
            earlier.subject.covers(rule->subject)) {
            return words_before(of_domain, earlier, domain) +
                   "; rules of a domain come first unless they are waived";
        }
    }
    return told_before(account.access().state().rules, at, {});
}

Outcome insert_rule(AccessRules& rules, AccessRule rule, std::size_t at, std::size_t limit) {
    if (rules.all().size() >= limit) {
        return Outcome::policy(fmt::format(
            "the list is full: {} rules are allowed (access.rules_per_list); remove one first",
            limit));
    }
    rules.insert(std::move(rule), at == 0 ? limit : at);
    return {};
}

void add_rule(Account& account, AccessRule rule, std::size_t at, Done done) {
    rule.since = account.hub().clock().wall();
    account.access().change(
        [rule = std::move(rule), at, limit = most(rules_limit, account)](AccessState& next) {
            const bool known = rule.act != AccessAct::see || rule.view == "whole" ||
                               rule.view == "nothing" || next.views.contains(rule.view);
            if (!known) {
                return Outcome::absent("there is no view \"" + rule.view +
                                       "\": make it first, or name whole or nothing");
            }
            return insert_rule(next.rules, rule, at, limit);
        },
        std::move(done));
}

void remove_rule(Account& account, std::size_t number, Done done) {
    account.access().change(
        [number](AccessState& next) {
            return next.rules.remove(number) ? Outcome{} : no_rule(number, next.rules.all().size());
        },
        std::move(done));
}

void clear_rules(Account& account, Done done) {
    account.access().change(
        [](AccessState& next) {
            next.rules.clear();
            return Outcome{};
        },
        std::move(done));
}

void set_view(Account& account, PresenceView view, Done done) {
    account.access().change(
        [view = std::move(view), limit = most(views_limit, account)](AccessState& next) -> Outcome {
            if (Outcome outcome = view.check(); !outcome) return outcome;
            if (!next.views.contains(view.name) && next.views.size() >= limit) {
                return Outcome::policy(fmt::format(
                    "{} views are allowed (access.views_per_account): remove one first", limit));
            }
            next.views.insert_or_assign(view.name, view);
            return {};
        },
        std::move(done));
}

void remove_view(Account& account, std::string name, Done done) {
    account.access().change(
        [name = std::move(name)](AccessState& next) -> Outcome {
            for (const AccessRule& rule : next.rules.all()) {
                if (rule.act != AccessAct::see || rule.view != name) continue;
                return Outcome::refused(
                    fmt::format("rule {} shows the view \"{}\": remove it first",
                                next.rules.number_of(rule), name));
            }
            if (next.views.erase(name) != 0) return {};
            if (PresenceView::always_there(name)) {
                return Outcome::refused("the view \"" + name + "\" is always there");
            }
            return Outcome::absent("there is no view " + name);
        },
        std::move(done));
}

void publish(Account& account, PublishedPresence presence, Done done) {
    account.access().change(
        [presence = std::move(presence)](AccessState& next) -> Outcome {
            if (presence.status.size() > PresenceView::longest_status) {
                return Outcome::malformed(
                    fmt::format("A status has at most {} bytes.", PresenceView::longest_status));
            }
            next.published = presence;
            return {};
        },
        std::move(done));
}

Explained explain(const Account& account, const Jid& who, AccessAct act) {
    using Source = AccessDecision::Source;
    Explained all{.decision = account.access().decide(who, act), .answer = {}, .sentence = {}};
    const AccessDecision& decision = all.decision;
    all.answer = act == AccessAct::see ? account.access().view_for(who).name
                                       : std::string(name_of(decision.answer));
    switch (decision.source) {
        case Source::owner: all.sentence = "it is the account itself"; break;
        case Source::disabled: all.sentence = "the account is disabled"; break;
        case Source::blocked: all.sentence = "it is blocked"; break;
        case Source::standard: all.sentence = "no rule names it"; break;
        case Source::account_rule:
            all.sentence =
                fmt::format("rule {}: {}", account.access().state().rules.number_of(*decision.rule),
                            decision.rule->sentence());
            break;
        case Source::domain_rule:
            all.sentence = fmt::format(
                "rule {} of {}: {}",
                account.hub().domain_access.rules(account.jid().domain()).number_of(*decision.rule),
                account.jid().domain(), decision.rule->sentence());
            break;
    }
    if (act == AccessAct::see && account.access().polite_to(who)) {
        all.sentence = "it seems to be subscribed, and sees nothing";
    }
    return all;
}

void tell_sessions(Account& account, std::string_view text) {
    const std::string body = XmlBuilder().element("body", text).take();
    for (Resource* session : account.sessions().all()) {
        session->deliver(
            Packet::make(StanzaKind::message, StanzaType::headline, account.jid().domain_jid(),
                         session->jid(), random_token(9), body),
            0);
    }
}

// ---- a domain's ----

Outcome check_domain_rule(const AccessRule& rule) {
    if (rule.act == AccessAct::see && rule.view != "whole" && rule.view != "nothing") {
        return Outcome::malformed("a rule of a domain shows whole or nothing");
    }
    if (rule.answer == AccessAnswer::polite) {
        // Names that nobody has would be answered otherwise than accounts.
        return Outcome::malformed("a rule of a domain says allow, ask or deny to subscriptions");
    }
    return {};
}

void change_domain(Hub& hub, std::string domain, EditRules edit, std::string what, Done done) {
    DomainChanges& changes = hub.slots.make(domain_changes_slot);
    if (changes.waiting.size() >= changes_limit) {
        done(Outcome::retry("too many changes of access rules are under way"));
        return;
    }
    changes.waiting.push_back(
        {std::move(domain), std::move(edit), std::move(what), std::move(done)});
    if (changes.waiting.size() == 1) begin_change(hub, changes);
}

void clear_domain(Hub& hub, std::string domain, Done done) {
    std::string what = "An administrator removed all access rules of " + domain + ".";
    change_domain(hub, std::move(domain), {}, std::move(what), std::move(done));
}

}  // namespace causeway::access
