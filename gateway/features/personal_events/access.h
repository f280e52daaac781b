// Who may do what with an account's nodes: the one place that decides it (XEP-0060 §4.1, §4.5;
// XEP-0163 §7).
#pragma once

#include "gateway/features/personal_events/model.h"

namespace causeway {
class Account;
struct RosterItem;
}

namespace causeway::personal_events {

/// What somebody wants to do with a node.
enum class Act : unsigned char {
    retrieve,   ///< items, and to see that the node is there
    subscribe,  ///< by a request
    hear,       ///< be sent what is published, if it wants that
    publish,
    own,  ///< configure, delete, purge, retract items of others, say who may do what
};

/// Whether it may, or the reason why not.
enum class Access : unsigned char {
    granted,
    ask_owner,  ///< of Act::subscribe: the owner decides
    presence_subscription_required,
    not_in_roster_group,
    closed_node,
    not_subscribed,
    forbidden,
};

/// `who` may have a resource. The account is loaded.
Access may(const Account& account, const Node& node, const Jid& who, Act act);

/// Act::hear of somebody in the account's roster, who need not be looked up there again.
Access may_hear(const Account& account, const Node& node, const RosterItem& contact);

}  // namespace causeway::personal_events
