#include "gateway/features/personal_events/notify.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/base/stable_hash.h"
#include "gateway/features/personal_events/access.h"
#include "gateway/features/personal_events/config_form.h"
#include "gateway/features/personal_events/interests.h"
#include "gateway/features/personal_events/personal_events.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

StanzaType type_of(const NodeConfig& config) {
    return config.headlines ? StanzaType::headline : StanzaType::normal;
}

std::string event_about(std::string_view what, std::string_view name) {
    return XmlBuilder().open("event", ns::pubsub_event).open(what).attribute("node", name).take();
}

/// By which it is known of an error to which node the notification belonged.
std::string mark_of(std::string_view name) {
    StableHash hash;
    hash.add(name);
    return fmt::format("-{:016x}", hash.value());
}

std::string subscription_event(std::string_view name, const Jid& who, SubscriptionState state) {
    XmlBuilder xml;
    xml.open("event", ns::pubsub_event);
    append_subscription(xml, name, who, state);
    return xml.take();
}

/// A normal message would be stored for somebody who is away, and archived.
std::string content_of(const NodeConfig& config, std::string_view event) {
    std::string inner(event);
    if (!config.headlines) inner += XmlBuilder().empty("no-store", ns::hints).take();
    return inner;
}

/// Whom a notification reaches by their presence, sorted by where it is known what they want.
class Audience {
public:
    explicit Audience(const Hub& hub) : hub_(hub), of_shard_(hub.shared.hubs.size()) {}

    void add(const Jid& contact) {
        const bool here = hub_.serves(contact.domain());
        const Hub& home = hub_.home_of(here ? contact.bare() : contact.domain());
        of_shard_[home.shard.index()].push_back(contact);
    }

    /// `except`: clients that get it in another way.
    void tell(const PacketRef& event, const std::string& name, const std::vector<Jid>& except,
              Moment moment) {
        for (std::size_t i = 0; i < of_shard_.size(); ++i) {
            if (of_shard_[i].empty()) continue;
            Hub& home = *hub_.shared.hubs[i];
            hub_.at(home, [&home, event, name, except, moment, contacts = std::move(of_shard_[i])] {
                for (const Jid& contact : contacts) {
                    deliver_to_interested(home, contact, event, {name, except, moment});
                }
            });
        }
    }

private:
    const Hub& hub_;
    std::vector<std::vector<Jid>> of_shard_;
};

/// Explicit subscribers that may still hear it. A bare address gets one notification, and its
/// clients none beside that.
std::vector<Jid> subscribers_of(const Account& account, const Node& node) {
    std::vector<Jid> all;
    for (const auto& [who, state] : node.settings.subscriptions) {
        if (state == SubscriptionState::subscribed &&
            may(account, node, who, Act::hear) == Access::granted) {
            all.push_back(who);
        }
    }
    return all;
}

bool subscribed_as_bare(const std::vector<Jid>& subscribers, const Jid& contact) {
    return !subscribers.empty() && std::ranges::binary_search(subscribers, contact);
}

}  // namespace

// ---- what is told ----

std::string notification_id(std::string_view name) { return random_token(9) + mark_of(name); }

bool is_notification_id(std::string_view id, std::string_view name) {
    return id.ends_with(mark_of(name));
}

void append_item(XmlBuilder& xml, const Item& item, std::string_view publisher, bool with_payload) {
    xml.open("item").attribute("id", item.id).attribute_if("publisher", publisher);
    if (with_payload) xml.raw(item.payload);
    xml.close();
}

std::string_view publisher_of(const AccountNodes& nodes, const NodeConfig& config,
                              const Item& item) {
    if (!item.publisher.empty() || !config.name_publisher) return item.publisher;
    return nodes.account().jid().bare();
}

std::string items_event(std::string_view name, const Item& item, std::string_view publisher,
                        bool with_payload) {
    XmlBuilder xml;
    xml.open("event", ns::pubsub_event).open("items").attribute("node", name);
    append_item(xml, item, publisher, with_payload);
    return xml.take();
}

std::string retract_event(std::string_view name, const std::string& id) {
    return XmlBuilder()
        .open("event", ns::pubsub_event)
        .open("items")
        .attribute("node", name)
        .open("retract")
        .attribute("id", id)
        .take();
}

std::string purge_event(std::string_view name) { return event_about("purge", name); }

std::string delete_event(std::string_view name, std::string_view redirect) {
    if (redirect.empty()) return event_about("delete", name);
    XmlBuilder xml;
    xml.open("event", ns::pubsub_event).open("delete").attribute("node", name);
    return xml.open("redirect").attribute("uri", redirect).take();
}

std::string configuration_event(std::string_view name, const NodeConfig& config) {
    XmlBuilder xml;
    xml.open("event", ns::pubsub_event).open("configuration").attribute("node", name);
    if (config.deliver_payloads) append_config_form(xml, "result", config, {});
    return xml.take();
}

// ---- to whom ----

Moment notify(AccountNodes& nodes, const std::string& name, const Node& node,
              const std::string& event) {
    const NodeConfig& config = node.config();
    if (!config.deliver_notifications) return no_moment;
    Account& account = nodes.account();
    Hub& hub = account.hub();
    const PacketRef packet = Packet::make(StanzaKind::message, type_of(config), account.jid(), {},
                                          notification_id(name), content_of(config, event));
    const std::vector<Jid> subscribers = subscribers_of(account, node);
    Audience audience(hub);
    if (!subscribed_as_bare(subscribers, account.jid())) audience.add(account.jid());
    // Contacts from a time when it took part in presence hear as little of events.
    const bool shown = account.takes_part();
    for (const auto& [key, item] : account.roster().items().items()) {
        if (shown && item.state.from && !subscribed_as_bare(subscribers, item.jid) &&
            may_hear(account, node, item) == Access::granted) {
            audience.add(item.jid);
        }
    }
    for (const Jid& who : subscribers) hub.routing->route(packet->readdressed(who));
    const Moment moment = this_moment();
    audience.tell(packet, name, subscribers, moment);
    return moment;
}

void notify_pending(const Account& account, const Node& node, const std::string& event) {
    const NodeConfig& config = node.config();
    if (!config.deliver_notifications) return;
    for (const auto& [who, state] : node.settings.subscriptions) {
        if (state == SubscriptionState::pending &&
            may(account, node, who, Act::subscribe) == Access::ask_owner) {
            account.hub().routing->route(Packet::make(StanzaKind::message, type_of(config),
                                                      account.jid(), who, random_token(9),
                                                      content_of(config, event)));
        }
    }
}

void tell_subscription(const Account& account, const std::string& name, const Jid& to,
                       SubscriptionState state) {
    XmlBuilder xml;
    xml.raw(subscription_event(name, to, state)).empty("no-store", ns::hints);
    account.hub().routing->route(Packet::make(StanzaKind::message, StanzaType::normal,
                                              account.jid(), to, random_token(9), xml.take()));
}

void tell_owner_of_subscription(const AccountNodes& nodes, const std::string& name, const Jid& who,
                                SubscriptionState state) {
    const Node* node = nodes.find(name);
    if (node == nullptr || !node->config().notify_sub) return;
    const Jid& owner = nodes.account().jid();
    nodes.hub().routing->route(Packet::make(StanzaKind::message, StanzaType::headline, owner, owner,
                                            random_token(9), subscription_event(name, who, state)));
}

void append_subscription(XmlBuilder& xml, std::string_view name, const Jid& who,
                         SubscriptionState state) {
    xml.open("subscription")
        .attribute_if("node", name)
        .attribute("jid", who.full())
        .attribute("subscription", to_string(state))
        .close();
}

// ---- the last item ----

void send_last(AccountNodes& nodes, const std::string& name, const Jid& to,
               const std::function<void()>& then) {
    const Node* node = nodes.find(name);
    if (node == nullptr || node->tally.last_item.empty() || !node->config().deliver_notifications) {
        then();
        return;
    }
    nodes.read(name, {node->tally.last_item},
               [&nodes, name, to, then, config = node->config()](Result<std::vector<Item>> items) {
                   if (items && !items->empty() &&
                       !is_over(config, items->front().number, nodes.hub().clock().wall())) {
                       const Item& item = items->front();
                       std::string inner = content_of(
                           config, items_event(name, item, publisher_of(nodes, config, item),
                                               config.deliver_payloads));
                       inner += XmlBuilder()
                                    .open("delay", ns::delay)
                                    .attribute("from", nodes.account().jid().full())
                                    .attribute("stamp", format_date_time(time_of_id(item.number)))
                                    .take();
                       nodes.hub().routing->route(Packet::make(StanzaKind::message, type_of(config),
                                                               nodes.account().jid(), to,
                                                               notification_id(name), inner));
                   }
                   then();
               });
}

namespace {

/// Whoever wants to hear of it since that moment was sent the newest item as a notification.
bool was_told(const Node& node, Moment since) {
    return since != no_moment && node.last_told > since;
}

/// One node after the other, so that they come in an order that is always the same.
struct LastItems : std::enable_shared_from_this<LastItems> {
    AccountNodes& nodes;
    Jid to;
    Moment since;
    std::vector<std::string> names;  ///< the next one is the last

    LastItems(AccountNodes& all, Jid address, Moment asked, std::vector<std::string> of)
        : nodes(all), to(std::move(address)), since(asked), names(std::move(of)) {}

    void go_on() {
        while (!names.empty()) {
            const std::string name = std::move(names.back());
            names.pop_back();
            // What was being stored when this was asked for has been told by now.
            const Node* node = nodes.find(name);
            if (node == nullptr || was_told(*node, since)) continue;
            send_last(nodes, name, to, [self = shared_from_this()] { self->go_on(); });
            return;
        }
        nodes.done();
    }
};

bool is_wanted(const Account& account, const std::string& name, const Node& node, const Jid& to,
               const Interests& wanted, const Interests* known, Moment since) {
    return node.config().send_last == SendLast::on_subscription_and_presence &&
           !node.tally.last_item.empty() && !was_told(node, since) && wanted.has(name) &&
           (known == nullptr || !known->has(name)) &&
           node.subscription(to) != SubscriptionState::pending &&
           may(account, node, to, Act::hear) == Access::granted;
}

void send_last_items_here(Account& account, const Jid& to, const Interests& wanted,
                          const Interests* known, Moment since) {
    const AccountNodes* nodes = AccountNodes::of(account);
    const bool own = to.bare() == account.jid().bare();
    if (nodes == nullptr || !account.presence_visible_to(to)) return;
    if (!own && !account.takes_part()) return;
    std::vector<std::string> names;
    for (const auto& [name, node] : nodes->all()) {
        if (is_wanted(account, name, node, to, wanted, known, since)) names.push_back(name);
    }
    if (names.empty()) return;
    std::ranges::reverse(names);
    // Behind what is being published, so that the newer item does not come before the older.
    static_cast<void>(AccountNodes::enqueue(account, [to, since, names](AccountNodes& all) {
        std::make_shared<LastItems>(all, to, since, names)->go_on();
    }));
}

}  // namespace

void send_last_items(const Hub& from, const Jid& owner, const Jid& to,
                     std::shared_ptr<const Interests> wanted,
                     std::shared_ptr<const Interests> known, Moment since) {
    Hub& home = from.home_of(owner.bare());
    from.at(home, [&home, bare = owner.bare_jid(), to, wanted = std::move(wanted),
                   known = std::move(known), since] {
        Account& account = home.accounts->get(bare.bare());
        account.begin_question();
        account.when_loaded([&account, to, wanted, known, since](const Outcome& loaded) {
            if (loaded && account.exists()) {
                send_last_items_here(account, to, *wanted, known.get(), since);
            }
        });
        account.end_question();
    });
}

}  // namespace causeway::personal_events
