// Notifications (XEP-0060 §7.1.2, XEP-0163 §4): whom the account tells what happened to a node. A
// notification is written once for all that see the presence of the account, and goes to the shards
// on which it is known what they want, as presence does.
#pragma once

#include <memory>

#include "gateway/base/moment.h"
#include "gateway/features/personal_events/capabilities.h"
#include "gateway/features/personal_events/nodes.h"

namespace causeway::personal_events {

/// The id of a stanza that tells of that node, and whether one is; where it comes back as an error,
/// nothing else may say what it was about.
std::string notification_id(std::string_view name);
bool is_notification_id(std::string_view id, std::string_view name);

/// What stands in `<event/>`.
std::string items_event(std::string_view name, const Item& item, std::string_view publisher,
                        bool with_payload);
std::string retract_event(std::string_view name, const std::string& id);
std::string purge_event(std::string_view name);
/// `redirect`: where it is now (XEP-0060 §8.4.2); empty: nowhere.
std::string delete_event(std::string_view name, std::string_view redirect);
std::string configuration_event(std::string_view name, const NodeConfig& config);

/// Tells everybody who hears of the node: explicit subscribers, and those clients of the account
/// and of contacts that want it by their capabilities. `event` is one of the above. The node need
/// not be there any more. The moment of it; of no time, if nobody is to be told.
Moment notify(AccountNodes& nodes, const std::string& name, const Node& node,
              const std::string& event);

/// Tells those whose request to subscribe waits for the owner's answer, and will have none
/// (XEP-0060 §8.4.2).
void notify_pending(const Account& account, const Node& node, const std::string& event);

/// Sends `to` the last item of the node, if there is one (XEP-0060 §6.1.7). `then` runs afterwards.
void send_last(AccountNodes& nodes, const std::string& name, const Jid& to,
               const std::function<void()>& then);

/// A client of somebody wants to hear of nodes that it did not want before: it is sent the last
/// items of those that are sent on presence, if it may see them. What was published after `since`
/// reaches it as a notification, and is left out. On any shard.
void send_last_items(const Hub& from, const Jid& owner, const Jid& to,
                     std::shared_ptr<const Interests> wanted,
                     std::shared_ptr<const Interests> known, Moment since = no_moment);

/// Tells `to` what has become of its subscription (XEP-0060 §8.6, §8.8.4, §13.14).
void tell_subscription(const Account& account, const std::string& name, const Jid& to,
                       SubscriptionState state);

/// Tells the account's own clients what has become of the subscription of `who`, if the node is
/// configured so (notify_sub). The node need not be there any more.
void tell_owner_of_subscription(const AccountNodes& nodes, const std::string& name, const Jid& who,
                                SubscriptionState state);

/// `<subscription/>` as in the answer to a request.
void append_subscription(XmlBuilder& xml, std::string_view name, const Jid& who,
                         SubscriptionState state);
/// `<item/>` as in a result and an event.
void append_item(XmlBuilder& xml, const Item& item, std::string_view publisher, bool with_payload);
/// Who stands in it as its publisher; empty: nobody.
std::string_view publisher_of(const AccountNodes& nodes, const NodeConfig& config,
                              const Item& item);

}  // namespace causeway::personal_events
