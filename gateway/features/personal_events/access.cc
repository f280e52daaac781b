#include "gateway/features/personal_events/access.h"

#include <algorithm>

#include "gateway/session/account.h"

namespace causeway::personal_events {
namespace {

bool in_groups(const Account& account, const Jid& who, const std::vector<std::string>& groups) {
    const RosterItem* item = account.roster().items().find(who.bare_jid());
    return item != nullptr && std::ranges::any_of(item->groups, [&](const std::string& group) {
               return std::ranges::find(groups, group) != groups.end();
           });
}

/// What the access model says to somebody without an affiliation.
Access by_model(const Account& account, const Node& node, const Jid& who, Act act) {
    switch (node.config().access) {
        case AccessModel::open: return Access::granted;
        case AccessModel::presence:
            return account.presence_visible_to(who) ? Access::granted
                                                    : Access::presence_subscription_required;
        case AccessModel::roster:
            if (!account.presence_visible_to(who)) return Access::presence_subscription_required;
            return in_groups(account, who, node.config().groups) ? Access::granted
                                                                 : Access::not_in_roster_group;
        case AccessModel::whitelist: return Access::closed_node;
        case AccessModel::authorize: break;
    }
    if (node.subscription(who) == SubscriptionState::subscribed) return Access::granted;
    return act == Act::subscribe ? Access::ask_owner : Access::not_subscribed;
}

}  // namespace

Access may(const Account& account, const Node& node, const Jid& who, Act act) {
    if (who.bare() == account.jid().bare()) return Access::granted;
    // Nobody acts for an account whose owner may not.
    if (account.disabled() && (act == Act::publish || act == Act::own)) return Access::forbidden;
    // Events are shown like presence: who is shown nothing of that hears of none, and reads what
    // anybody may read.
    const bool reads = act == Act::retrieve || act == Act::subscribe;
    if ((act == Act::hear || (reads && node.config().access != AccessModel::open)) &&
        account.access().view_for(who).hides_all()) {
        return Access::forbidden;
    }
    const Affiliation affiliation = node.affiliation(who);
    if (affiliation == Affiliation::owner) return Access::granted;
    if (affiliation == Affiliation::outcast || act == Act::own) return Access::forbidden;
    if (affiliation == Affiliation::publisher) return Access::granted;
    const Access read =
        affiliation == Affiliation::member ? Access::granted : by_model(account, node, who, act);
    if (act != Act::publish) return read;
    switch (node.config().publish) {
        case PublishModel::publishers: return Access::forbidden;
        case PublishModel::open: return read;
        case PublishModel::subscribers: break;
    }
    return node.subscription(who) == SubscriptionState::subscribed ? read : Access::forbidden;
}

Access may_hear(const Account& account, const Node& node, const RosterItem& contact) {
    const bool by_presence_alone = node.config().access == AccessModel::presence &&
                                   contact.state.from && account.exists() &&
                                   node.affiliation(contact.jid) == Affiliation::none;
    if (!by_presence_alone) return may(account, node, contact.jid, Act::hear);
    return account.access().view_for(contact.jid).hides_all() ? Access::forbidden : Access::granted;
}

}  // namespace causeway::personal_events
