// What is done for each request. Each function runs in its turn, answers the request, and ends with
// AccountNodes::done(), now or later.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "gateway/features/personal_events/config_form.h"
#include "gateway/features/personal_events/nodes.h"
#include "gateway/features/personal_events/request.h"

namespace causeway::personal_events {

using RequestRef = std::shared_ptr<const Request>;

void publish(AccountNodes& nodes, const RequestRef& request);
void retract(AccountNodes& nodes, const RequestRef& request);
void answer_items(AccountNodes& nodes, const RequestRef& request);
void create(AccountNodes& nodes, const RequestRef& request);
void configure(AccountNodes& nodes, const RequestRef& request);
void tell_configuration(AccountNodes& nodes, const RequestRef& request);
void delete_node(AccountNodes& nodes, const RequestRef& request);
void purge(AccountNodes& nodes, const RequestRef& request);
void subscribe(AccountNodes& nodes, const RequestRef& request);
void unsubscribe(AccountNodes& nodes, const RequestRef& request);
void tell_own_list(AccountNodes& nodes, const RequestRef& request);
void tell_node_list(AccountNodes& nodes, const RequestRef& request);
void set_affiliations(AccountNodes& nodes, const RequestRef& request);
void set_subscriptions(AccountNodes& nodes, const RequestRef& request);

/// A message of a client of the account that answers a request to subscribe (XEP-0060 §8.6).
Verdict take_authorization(FromClient& from);

/// An error that answers a notification: who is not there any more has no subscription.
Verdict take_bounce(AtAccount& at);

// ---- what several of them do ----

/// Answers and ends. Somebody who may not know that the account exists is told what it would be
/// told of one that does not.
void end_refused(AccountNodes& nodes, const Request& request, const Refusal& refusal);
void end_answered(AccountNodes& nodes, const Request& request, std::string_view inner = {});
/// The store failed.
void end_failed(AccountNodes& nodes, const Request& request);

/// A contact that takes itself for subscribed and is shown nothing. It is answered as by an account
/// that is away and has no nodes but those that it may use all the same.
bool shown_nothing(const AccountNodes& nodes, const Jid& who);
/// The node that is named, if it is there and the requester may know of it.
const Node* known_node(const AccountNodes& nodes, const Request& request, Act act);
/// Of items of that node, takes out those whose time has passed.
void drop_passed(const AccountNodes& nodes, const std::string& name, std::vector<Item>& items);
/// The node that is named, if it is there and the requester may do that with it; else nullptr, and
/// the request has been answered.
const Node* permitted(AccountNodes& nodes, const Request& request, Act act);

/// Stores the node's settings and goes on, unless that fails.
void store_settings(AccountNodes& nodes, const RequestRef& request, const Node& node,
                    std::function<void()> then);
/// Who subscribed, or asked to, and is in another state now.
using SubscriptionChanges = std::vector<std::pair<Jid, SubscriptionState>>;
/// Takes away subscribers that the node does not let in any more (XEP-0163 §7), and requests of
/// such addresses; a request of whom it lets in by now is granted (XEP-0060 §8.7). They are told
/// when that is stored.
SubscriptionChanges settle_subscribers(const AccountNodes& nodes, Node& node);
/// The same for all nodes, after contacts changed.
void settle_all_subscribers(AccountNodes& nodes);
/// Sends contacts that may hear of the node now, and could not as it was, the last item if they
/// want it (XEP-0060 §12.4).
void tell_admitted(const AccountNodes& nodes, const std::string& name, const Node& before);
/// Tells each of them, and sends new subscribers the last item. `then` runs afterwards.
void tell_changes(AccountNodes& nodes, const std::string& name, const SubscriptionChanges& changes,
                  const std::function<void()>& then);
/// Why the node cannot have one more in that state.
std::optional<Refusal> check_counts(const AccountNodes& nodes, const Node& node,
                                    SubscriptionState state);
Refusal too_many_requests();
/// FORM_TYPE of a question to the owner (XEP-0060 §8.6).
inline constexpr std::string_view subscribe_authorization =
    "http://jabber.org/protocol/pubsub#subscribe_authorization";

/// Why the account cannot have one more.
std::optional<Refusal> too_many_nodes(const AccountNodes& nodes);
std::uint64_t most_items(const Hub& hub, const NodeConfig& config);
Refusal refusal_of(const FormFault& fault);
/// The node keeps no items that could be asked for, or removed.
Refusal not_persistent();
/// Announces what a client of the account changed for good (conversions::announce). What the server
/// itself puts into a node is no news, and what others publish there is not the account's.
void announce_change(const AccountNodes& nodes, const Request& request, std::string_view item,
                     std::string_view before = {});
/// Whether it is announced with what stood there before.
bool is_announced_with_before(std::string_view node);
/// The account itself asks.
bool is_owner(const AccountNodes& nodes, const Request& request);

}  // namespace causeway::personal_events
