#include "gateway/features/personal_events/operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/features/conversions/data_change.h"
#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/personal_events.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

/// Whether the requester may know that the account exists: who takes itself for a subscriber of its
/// presence, and whom a node lets in.
bool may_know(const AccountNodes& nodes, const Request& request) {
    const Account& account = nodes.account();
    if (account.known_to(request.from())) return true;
    const auto lets_in = [&](const Node& node) {
        return node.subscription(request.from()) != SubscriptionState::none ||
               may(account, node, request.from(), Act::retrieve) == Access::granted;
    };
    const Node* node = nodes.find(request.node);
    if (node != nullptr) return lets_in(*node);
    return request.node.empty() && std::ranges::any_of(nodes.all(), [&](const auto& entry) {
               return entry.second.affiliation(request.from()) > Affiliation::none &&
                      lets_in(entry.second);
           });
}

}  // namespace

bool shown_nothing(const AccountNodes& nodes, const Jid& who) {
    return nodes.account().known_to(who) && !nodes.account().presence_visible_to(who);
}

const Node* known_node(const AccountNodes& nodes, const Request& request, Act act) {
    const Node* node = nodes.find(request.node);
    if (node == nullptr || !shown_nothing(nodes, request.from())) return node;
    return may(nodes.account(), *node, request.from(), act) == Access::granted ? node : nullptr;
}

void drop_passed(const AccountNodes& nodes, const std::string& name, std::vector<Item>& items) {
    const Node* node = nodes.find(name);
    if (node == nullptr) return;
    const UnixMillis now = nodes.hub().clock().wall();
    std::erase_if(items,
                  [&](const Item& item) { return is_over(node->config(), item.number, now); });
}

void end_refused(AccountNodes& nodes, const Request& request, const Refusal& refusal) {
    if (may_know(nodes, request)) {
        refuse(request, refusal);
    } else {
        refuse(request, {.condition = StanzaCondition::service_unavailable});
    }
    nodes.done();
}

void end_answered(AccountNodes& nodes, const Request& request, std::string_view inner) {
    tell(request, inner);
    nodes.done();
}

void end_failed(AccountNodes& nodes, const Request& request) {
    end_refused(nodes, request,
                {.condition = StanzaCondition::internal_server_error,
                 .text = "The store failed; try again later.",
                 .type = "wait"});
}

const Node* permitted(AccountNodes& nodes, const Request& request, Act act) {
    const Node* node = known_node(nodes, request, act);
    if (node == nullptr) {
        end_refused(
            nodes, request,
            {.condition = StanzaCondition::item_not_found, .text = "There is no such node."});
        return nullptr;
    }
    const Access access = may(nodes.account(), *node, request.from(), act);
    if (access == Access::granted) return node;
    end_refused(nodes, request, refusal_of(access));
    return nullptr;
}

std::optional<Refusal> too_many_nodes(const AccountNodes& nodes) {
    const std::uint64_t most = limit(nodes.hub(), nodes_per_account);
    if (nodes.all().size() < most) return {};
    return Refusal{.condition = StanzaCondition::resource_constraint,
                   .detail = "max-nodes-exceeded",
                   .text = fmt::format("An account has at most {} nodes; delete one first.", most)};
}

std::uint64_t most_items(const Hub& hub, const NodeConfig& config) {
    const std::uint64_t most = limit(hub, items_per_node);
    return config.max_items == NodeConfig::max ? most
                                               : std::min<std::uint64_t>(most, config.max_items);
}

Refusal refusal_of(const FormFault& fault) {
    const bool access = fault.kind == FormFault::Kind::access_model;
    return {.condition = StanzaCondition::not_acceptable,
            .detail = access ? "unsupported-access-model" : "",
            .text = fault.text};
}

Refusal not_persistent() {
    return {.condition = StanzaCondition::feature_not_implemented,
            .detail = "unsupported",
            .feature = "persistent-items",
            .text = "The node keeps no items."};
}

void announce_change(const AccountNodes& nodes, const Request& request, std::string_view item,
                     std::string_view before) {
    if (!std::holds_alternative<IqReturn>(request.back) || !is_owner(nodes, request)) return;
    conversions::announce(nodes.account(),
                          {conversions::DataChange::Place::node, request.node, item, before});
}

bool is_announced_with_before(std::string_view node) {
    // They are replaced whole, and only what changed in them concerns others (XEP-0402, XEP-0292).
    return node == ns::bookmark_list || node == ns::vcard4_node;
}

bool is_owner(const AccountNodes& nodes, const Request& request) {
    return request.from().bare() == nodes.account().jid().bare();
}

}  // namespace causeway::personal_events
