// XEP-0060 §13.4: what becomes of a subscription whose notifications come back.
#include <optional>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/operations.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

/// The condition, if it may say that nobody is there.
std::optional<StanzaCondition> condition_of(const Packet& packet) {
    std::optional<StanzaCondition> found;
    static_cast<void>(Packet::visit_bytes(packet.bytes(), [&](const Stanza& stanza) {
        const Element* error = stanza.element.child(ns::client, "error");
        if (error == nullptr || error->attribute("type") == "wait") return;
        for (const StanzaCondition condition :
             {StanzaCondition::gone, StanzaCondition::item_not_found,
              StanzaCondition::service_unavailable}) {
            if (error->child(ns::stanza_errors, name_of(condition)) != nullptr) found = condition;
        }
    }));
    return found;
}

/// A client that is gone, or an account here that takes no headlines. Other servers answer in the
/// same words where only the clients of an account are away (MongooseIM does so to headlines), or a
/// component is.
bool is_gone(const Hub& hub, StanzaCondition condition, const Jid& subscriber, const Node& node) {
    return condition != StanzaCondition::service_unavailable || subscriber.has_resource() ||
           (node.config().headlines && hub.serves(subscriber.domain()));
}

/// The node that the notification was about, if that subscriber is to lose its subscription.
const std::string* lost_node(const AccountNodes& nodes, const Packet& packet,
                             StanzaCondition condition) {
    for (const auto& [name, node] : nodes.all()) {
        if (node.settings.subscriptions.contains(packet.from()) &&
            is_notification_id(packet.id(), name)) {
            return is_gone(nodes.hub(), condition, packet.from(), node) ? &name : nullptr;
        }
    }
    return nullptr;
}

void end_subscription(AccountNodes& nodes, const Packet& packet, StanzaCondition condition) {
    const std::string* const name = lost_node(nodes, packet, condition);
    if (name == nullptr) return nodes.done();
    Node node = *nodes.find(*name);
    node.settings.subscriptions.erase(packet.from());
    CAUSEWAY_LOG(info, "events.subscriber_gone", {"jid", nodes.account().jid().bare()},
                 {"node", *name}, {"subscriber", packet.from().full()},
                 {"condition", name_of(condition)});
    nodes.store({}, *name, node, true, [&nodes, name = *name, who = packet.from()](bool stored) {
        if (stored) tell_owner_of_subscription(nodes, name, who, SubscriptionState::none);
        nodes.done();
    });
}

}  // namespace

Verdict take_bounce(AtAccount& at) {
    if (at.packet->type() != StanzaType::error || at.packet->to().has_resource()) {
        return Verdict::next;
    }
    const AccountNodes* nodes = AccountNodes::of(at.account);
    if (nodes == nullptr) return Verdict::next;
    const auto condition = condition_of(*at.packet);
    if (!condition || lost_node(*nodes, *at.packet, *condition) == nullptr) return Verdict::next;
    static_cast<void>(AccountNodes::enqueue(
        at.account, [packet = at.packet, condition = *condition](AccountNodes& all) {
            end_subscription(all, *packet, condition);
        }));
    return Verdict::next;
}

}  // namespace causeway::personal_events
