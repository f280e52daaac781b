// AccountAccess: what an account lets others do: its owner's rules, named presence views and
// blocked addresses, behind the administrator's rules for the domain. decide() is the one place
// that answers for others; everything that depends on who somebody is asks it.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/session/access_rules.h"
#include "gateway/session/domain_access.h"
#include "gateway/session/presence_view.h"
#include "gateway/store/store.h"

namespace causeway {

class Account;

/// An answer, and where it comes from.
struct AccessDecision {
    enum class Source : unsigned char {
        standard,
        owner,
        disabled,  ///< nobody acts for an account whose owner may not
        blocked,
        domain_rule,
        account_rule
    };
    AccessAnswer answer = AccessAnswer::deny;
    Source source = Source::standard;
    const AccessRule* rule = nullptr;  ///< of a rule, in its list

    [[nodiscard]] bool allowed() const { return answer == AccessAnswer::allow; }
};

/// Presence that somebody published in the account's name: as if a session were available.
struct PublishedPresence {
    std::string show, status;
    std::string by = {};  ///< who may; empty if that was not noted

    bool operator==(const PublishedPresence&) const = default;
    [[nodiscard]] bool empty() const { return show.empty() && status.empty(); }
};

/// What the store has of one account.
struct AccessState {
    AccessRules rules;
    std::map<std::string, PresenceView, std::less<>> views;
    /// Addresses whose owner wants nothing to do with (XEP-0191), and since when.
    std::map<std::string, UnixMillis, std::less<>> blocked;
    PublishedPresence published;
    /// Bare addresses that were told "subscribed" and are not.
    std::set<std::string, std::less<>> told_subscribed;
};

class AccountAccess {
public:
    static constexpr std::string_view store_name = DomainAccess::store_name;
    /// Keys there of what was published in an account's name; an empty value is none.
    static constexpr std::array<std::string_view, 2> published_keys{"published-show",
                                                                    "published-status"};

    /// Changes `next`; the reason why not, if it cannot be changed so.
    using Edit = std::function<Outcome(AccessState& next)>;
    using Done = std::function<void(const Outcome&)>;
    /// What a contact was shown before a change.
    struct Shown {
        Jid who;
        PresenceView view;
    };

    explicit AccountAccess(Account& account);
    ~AccountAccess();

    void load(const std::vector<MapEntry>& entries);
    [[nodiscard]] const AccessState& state() const;

    /// What `who` may do. Only once the account is loaded.
    [[nodiscard]] AccessDecision decide(const Jid& who, AccessAct act) const;
    /// What `who` is shown, if it is subscribed.
    [[nodiscard]] const PresenceView& view_for(const Jid& who) const;
    /// It is told that it is subscribed, or would be if it asked, and that the account is away.
    [[nodiscard]] bool polite_to(const Jid& who) const;
    /// It was told so, and did not take leave since.
    [[nodiscard]] bool takes_itself_for_subscribed(const Jid& who) const;
    /// For a change of the roster: what it was told. False: too many have been.
    bool plan_told(Batch& batch, const Jid& bare, bool subscribed) const;
    void told(const Jid& bare, bool subscribed);
    /// Since when somebody who is shown nothing is: an account that has just gone away.
    [[nodiscard]] UnixMillis hidden_since(const Jid& who) const;
    /// It may publish presence in the account's name, or read its archive.
    [[nodiscard]] bool grants_something(const Jid& who) const;
    /// The owner wants nothing to do with that address (XEP-0191 §3).
    [[nodiscard]] bool blocks(const Jid& who) const;
    /// No rule of anybody is about this act: everybody has the usual answer.
    [[nodiscard]] bool usual(AccessAct act) const;

    /// Changes what is stored, behind the changes of the roster that came before it. `done` hears
    /// the outcome once it is durable, and contacts have been shown what they see now.
    void change(Edit edit, Done done);
    /// What was published, while whoever published it may, and the account is not disabled.
    [[nodiscard]] const PublishedPresence& published() const;
    /// What everybody who is shown something is shown now.
    [[nodiscard]] std::vector<Shown> shown() const;
    /// The same of those contacts that have a subscription, where rules say what is seen.
    [[nodiscard]] std::vector<Shown> shown_to(const std::vector<RosterItem>& contacts) const;

private:
    [[nodiscard]] AccessAsker asker(const Jid& who) const;
    [[nodiscard]] AccessDecision by_lists(const AccessAsker& asker, AccessAct act) const;
    [[nodiscard]] std::map<std::string, UnixMillis, std::less<>>::const_iterator block_of(
        const Jid& who) const;
    [[nodiscard]] const PresenceView& view_named(std::string_view name) const;
    void plan(Batch& batch, const AccessState& next) const;

    Account& account_;
    std::unique_ptr<AccessState> state_;  ///< nullptr: nothing is stored
};

}  // namespace causeway
