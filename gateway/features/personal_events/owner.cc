// XEP-0060 §7.2 and §8: what the owner does with nodes and their items.
#include <algorithm>
#include <set>
#include <utility>

#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/operations.h"
#include "gateway/features/personal_events/personal_events.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

std::vector<std::string> groups_of(const Account& account) {
    std::set<std::string> groups;
    for (const auto& [key, item] : account.roster().items().items()) {
        groups.insert(item.groups.begin(), item.groups.end());
    }
    return {groups.begin(), groups.end()};
}

void erase_items(AccountNodes& nodes, const std::string& name, std::span<const Item> items,
                 Batch& batch) {
    for (const Item& item : items) {
        batch.map_erase(item_store, nodes.account().jid().bare(), item_key(name, item.id));
    }
}

/// Reads all items, and goes on with them unless that fails.
void with_all_items(AccountNodes& nodes, const RequestRef& request,
                    std::function<void(std::vector<Item>)> then) {
    nodes.read_all(request->node,
                   [&nodes, request, then = std::move(then)](Result<std::vector<Item>> items) {
                       if (items) {
                           then(std::move(*items));
                       } else {
                           end_failed(nodes, *request);
                       }
                   });
}

/// Stores the node, answers, and tells who hears of it, and who does not any more.
struct Change {
    Node node;
    Batch batch = {};
    std::string event = {};
    bool with_settings = false;
    SubscriptionChanges settled = {};
    std::optional<Node> before = {};       ///< as it was, if others may hear of it now
    std::optional<std::string> gone = {};  ///< the item that goes; empty: all
};

void finish(AccountNodes& nodes, const RequestRef& request, Change change) {
    Batch batch = std::move(change.batch);
    const auto kept = std::make_shared<const Change>(std::move(change));
    nodes.store(std::move(batch), request->node, kept->node, kept->with_settings,
                [&nodes, request, kept](bool stored) {
                    if (!stored) {
                        end_failed(nodes, *request);
                        return;
                    }
                    tell(*request, {});
                    if (kept->before) tell_admitted(nodes, request->node, *kept->before);
                    tell_changes(nodes, request->node, kept->settled, [&nodes, request, kept] {
                        if (!kept->event.empty()) {
                            notify(nodes, request->node, kept->node, kept->event);
                        }
                        if (kept->gone) announce_change(nodes, *request, *kept->gone);
                        nodes.done();
                    });
                });
}

void retract_found(AccountNodes& nodes, const RequestRef& request, const Item& item,
                   const std::vector<Item>& others) {
    const Node* known = nodes.find(request->node);
    Node node = *known;
    --node.tally.items;
    node.tally.bytes -= item.bytes();
    if (node.tally.last_item == item.id) {
        node.tally.last_item = others.empty() ? std::string{} : others.front().id;
    }
    Change change{.node = std::move(node), .gone = item.id};
    erase_items(nodes, request->node, {&item, 1}, change.batch);
    if (request->notify || change.node.config().notify_retract) {
        change.event = retract_event(request->node, item.id);
    }
    finish(nodes, request, std::move(change));
}

// ---- configuration ----

/// Keeps the newest `most` items.
void trim(AccountNodes& nodes, const std::string& name, std::vector<Item> items, std::uint64_t most,
          Node& node, Batch& batch) {
    const std::size_t kept = std::min<std::uint64_t>(most, items.size());
    erase_items(nodes, name, std::span(items).subspan(kept), batch);
    items.resize(kept);
    node.tally.items = kept;
    node.tally.bytes = 0;
    for (const Item& item : items) node.tally.bytes += item.bytes();
    node.tally.last_item = items.empty() ? std::string{} : items.front().id;
}

}  // namespace

// ---- items ----

void retract(AccountNodes& nodes, const RequestRef& request) {
    const Node* node = permitted(nodes, *request, Act::publish);
    if (node == nullptr) return;
    if (!node->config().persist_items) {
        end_refused(nodes, *request, not_persistent());
        return;
    }
    const bool newest = node->tally.last_item == request->ids.front();
    const auto found = [&nodes, request](const std::vector<Item>& items, std::vector<Item> others) {
        const auto item = std::ranges::find(items, request->ids.front(), &Item::id);
        if (item == items.end()) {
            end_refused(
                nodes, *request,
                {.condition = StanzaCondition::item_not_found, .text = "There is no such item."});
            return;
        }
        const bool owns = may(nodes.account(), *nodes.find(request->node), request->from(),
                              Act::own) == Access::granted;
        if (!owns && item->publisher != request->from().bare()) {
            end_refused(nodes, *request, refusal_of(Access::forbidden));
            return;
        }
        std::erase_if(others, [&](const Item& other) { return other.id == item->id; });
        retract_found(nodes, request, *item, others);
    };
    if (newest) {
        with_all_items(nodes, request, [found](const std::vector<Item>& all) { found(all, all); });
        return;
    }
    nodes.read(request->node, request->ids,
               [&nodes, request, found](const Result<std::vector<Item>>& items) {
                   if (items) {
                       found(*items, {});
                   } else {
                       end_failed(nodes, *request);
                   }
               });
}

void purge(AccountNodes& nodes, const RequestRef& request) {
    const Node* node = permitted(nodes, *request, Act::own);
    if (node == nullptr) return;
    if (!node->config().persist_items) {
        end_refused(nodes, *request, not_persistent());
        return;
    }
    with_all_items(nodes, request, [&nodes, request](const std::vector<Item>& items) {
        Change change{.node = *nodes.find(request->node),
                      .event = purge_event(request->node),
                      .gone = std::string{}};
        const std::uint64_t last = change.node.tally.last_number;
        change.node.tally = {};
        change.node.tally.last_number = last;
        erase_items(nodes, request->node, items, change.batch);
        finish(nodes, request, std::move(change));
    });
}

// ---- nodes ----

void create(AccountNodes& nodes, const RequestRef& request) {
    if (!is_owner(nodes, *request)) {
        end_refused(nodes, *request, {.condition = StanzaCondition::forbidden});
        return;
    }
    if (nodes.find(request->node) != nullptr) {
        end_refused(
            nodes, *request,
            {.condition = StanzaCondition::conflict, .text = "There is a node of that name."});
        return;
    }
    if (auto refusal = too_many_nodes(nodes)) {
        end_refused(nodes, *request, *refusal);
        return;
    }
    Node node;
    node.settings.config = first_config(request->node);
    if (request->form) {
        const auto fault =
            apply(*request->form, limit(nodes.hub(), items_per_node), node.settings.config);
        if (fault) {
            end_refused(nodes, *request, refusal_of(*fault));
            return;
        }
    }
    nodes.store({}, request->node, node, true, [&nodes, request](bool stored) {
        if (!stored) {
            end_failed(nodes, *request);
            return;
        }
        end_answered(nodes, *request,
                     XmlBuilder()
                         .open("pubsub", ns::pubsub)
                         .open("create")
                         .attribute("node", request->node)
                         .take());
    });
}

void delete_node(AccountNodes& nodes, const RequestRef& request) {
    if (permitted(nodes, *request, Act::own) == nullptr) return;
    with_all_items(nodes, request, [&nodes, request](const std::vector<Item>& items) {
        Batch batch;
        erase_items(nodes, request->node, items, batch);
        const Node node = *nodes.find(request->node);
        nodes.erase(std::move(batch), request->node, [&nodes, request, node](bool stored) {
            if (!stored) {
                end_failed(nodes, *request);
                return;
            }
            tell(*request, {});
            if (node.config().notify_delete) {
                const std::string event = delete_event(request->node, request->redirect);
                notify(nodes, request->node, node, event);
                notify_pending(nodes.account(), node, event);
            }
            announce_change(nodes, *request, {});
            nodes.done();
        });
    });
}

void tell_configuration(AccountNodes& nodes, const RequestRef& request) {
    XmlBuilder xml;
    xml.open("pubsub", ns::pubsub_owner);
    if (request->verb == Verb::default_configuration) {
        if (!is_owner(nodes, *request)) {
            end_refused(nodes, *request, {.condition = StanzaCondition::forbidden});
            return;
        }
        xml.open("default");
        append_config_form(xml, "form", {}, groups_of(nodes.account()));
    } else {
        const Node* node = permitted(nodes, *request, Act::own);
        if (node == nullptr) return;
        xml.open("configure").attribute("node", request->node);
        append_config_form(xml, "form", node->config(), groups_of(nodes.account()));
    }
    end_answered(nodes, *request, xml.take());
}

void configure(AccountNodes& nodes, const RequestRef& request) {
    const Node* known = permitted(nodes, *request, Act::own);
    if (known == nullptr) return;
    if (request->cancelled) {
        end_answered(nodes, *request);
        return;
    }
    Node node = *known;
    const auto fault =
        apply(*request->form, limit(nodes.hub(), items_per_node), node.settings.config);
    if (fault) {
        end_refused(nodes, *request, refusal_of(*fault));
        return;
    }
    const std::uint64_t most =
        node.config().persist_items ? most_items(nodes.hub(), node.config()) : 0;
    const auto go_on = [&nodes, request](Change change) {
        change.with_settings = true;
        change.settled = settle_subscribers(nodes, change.node);
        change.before = *nodes.find(request->node);
        if (change.node.config().notify_config) {
            change.event = configuration_event(request->node, change.node.config());
        }
        finish(nodes, request, std::move(change));
    };
    if (node.tally.items <= most) {
        go_on({.node = std::move(node)});
        return;
    }
    with_all_items(nodes, request, [&nodes, request, node, most, go_on](std::vector<Item> items) {
        Change change{.node = node};
        trim(nodes, request->node, std::move(items), most, change.node, change.batch);
        go_on(std::move(change));
    });
}

}  // namespace causeway::personal_events
