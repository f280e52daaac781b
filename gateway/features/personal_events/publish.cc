// XEP-0060 §7.1: an item is published, to a node that is made for it if there is none.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/base/random.h"
#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/operations.h"
#include "gateway/features/personal_events/personal_events.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

/// One publication on its way.
struct Publication {
    RequestRef request;
    Node node;  ///< as it will be
    bool made = false;
    Item item;
    std::uint64_t replaced_bytes = 0;  ///< of what goes
    std::string before = {};           ///< the newest of what goes; see is_announced_with_before()
    bool all_read = false;             ///< what goes was chosen from all items
    Batch batch;
};
using PublicationRef = std::shared_ptr<Publication>;

Refusal precondition_not_met(std::string text) {
    return {.condition = StanzaCondition::conflict,
            .detail = "precondition-not-met",
            .text = std::move(text)};
}

/// Nodes that tell, as presence does, what somebody is doing: mood, activity, place, and what is
/// heard, seen, read or played (XEP-0107, 0108, 0080, 0118, 0194 to 0197). Keys, avatars and what
/// clients keep for themselves are others.
constexpr std::array<std::string_view, 8> beside_presence{"http://jabber.org/protocol/mood",
                                                          "http://jabber.org/protocol/activity",
                                                          "http://jabber.org/protocol/geoloc",
                                                          "http://jabber.org/protocol/tune",
                                                          "urn:xmpp:chatting:0",
                                                          "urn:xmpp:browsing:0",
                                                          "urn:xmpp:gaming:0",
                                                          "urn:xmpp:viewing:0"};

/// Whoever may publish presence in the account's name may publish what goes with it, but for whom
/// the node itself shuts out.
bool acts_for_account(const AccountNodes& nodes, const Request& request) {
    if (std::ranges::find(beside_presence, request.node) == beside_presence.end()) return false;
    const Node* node = nodes.find(request.node);
    if (node != nullptr && node->affiliation(request.from()) == Affiliation::outcast) return false;
    return nodes.account().access().decide(request.from(), AccessAct::publish).allowed();
}

/// XEP-0060 §7.1.5: what the publisher expects of the node, or how it is to be made by its owner.
std::optional<Refusal> check_options(const AccountNodes& nodes, Publication& publication) {
    const Request& request = *publication.request;
    if (!request.form) return {};
    const Hub& hub = nodes.hub();
    NodeConfig wanted = publication.node.config();
    if (const auto fault = apply(*request.form, limit(hub, items_per_node), wanted)) {
        if (publication.made && fault->kind != FormFault::Kind::unknown_field) {
            return refusal_of(*fault);
        }
        return precondition_not_met(fault->text);
    }
    if (publication.made && is_owner(nodes, request)) {
        publication.node.settings.config = std::move(wanted);
    } else if (wanted != publication.node.config()) {
        return precondition_not_met("The node is configured in another way.");
    }
    return {};
}

/// XEP-0060 §7.1.3.
std::optional<Refusal> check_item(const Hub& hub, const Publication& publication) {
    const Request& request = *publication.request;
    const NodeConfig& config = publication.node.config();
    if (!config.persist_items && !config.deliver_payloads) {
        if (!request.has_item) return {};
        return Refusal{.detail = "item-forbidden",
                       .text = "This node neither keeps items nor passes them on; publish none."};
    }
    if (!request.has_item) {
        return Refusal{.detail = "item-required", .text = "There is no item to publish."};
    }
    // §4.3: what is not passed on may be left out.
    if (request.payload.empty() && config.deliver_payloads) {
        return Refusal{.detail = "payload-required", .text = "The item holds no element."};
    }
    std::uint64_t most = limit(hub, item_bytes);
    if (config.max_payload != 0) most = std::min(most, config.max_payload);
    if (request.payload.size() <= most) return {};
    return Refusal{.condition = StanzaCondition::not_acceptable,
                   .detail = "payload-too-big",
                   .text = fmt::format("An item has at most {} bytes here.", most)};
}

std::optional<Refusal> begin(AccountNodes& nodes, Publication& publication) {
    const Request& request = *publication.request;
    const bool for_account = acts_for_account(nodes, request);
    const Node* known =
        for_account ? nodes.find(request.node) : known_node(nodes, request, Act::publish);
    if (known != nullptr) {
        const Access access = may(nodes.account(), *known, request.from(), Act::publish);
        if (!for_account && access != Access::granted) return refusal_of(access);
        publication.node = *known;
    } else {
        if (!for_account && !is_owner(nodes, request)) {
            return Refusal{.condition = StanzaCondition::item_not_found,
                           .text = "There is no such node."};
        }
        if (auto refusal = too_many_nodes(nodes)) return refusal;
        publication.made = true;
        publication.node.settings.config = first_config(request.node);
    }
    if (auto refusal = check_options(nodes, publication)) return refusal;
    return check_item(nodes.hub(), publication);
}

void published_now(AccountNodes& nodes, const Publication& publication) {
    const Request& request = *publication.request;
    XmlBuilder xml;
    xml.open("pubsub", ns::pubsub).open("publish").attribute("node", request.node);
    if (request.has_item) xml.open("item").attribute("id", publication.item.id).close();
    tell(request, xml.take());
    nodes.hub().metrics.add(published);
    const NodeConfig& config = publication.node.config();
    std::string event;
    if (request.has_item) {
        event = items_event(request.node, publication.item,
                            publisher_of(nodes, config, publication.item), config.deliver_payloads);
    } else {
        event = XmlBuilder()
                    .open("event", ns::pubsub_event)
                    .open("items")
                    .attribute("node", request.node)
                    .take();
    }
    const Moment moment = notify(nodes, request.node, publication.node, event);
    if (request.has_item && config.persist_items) {
        nodes.told(request.node, moment);
        announce_change(nodes, request, publication.item.id, publication.before);
    }
    nodes.done();
}

void commit(AccountNodes& nodes, const PublicationRef& publication) {
    const std::string& name = publication->request->node;
    nodes.store(std::move(publication->batch), name, publication->node, publication->made,
                [&nodes, publication](bool stored) {
                    if (stored) {
                        published_now(nodes, *publication);
                    } else {
                        end_failed(nodes, *publication->request);
                    }
                });
}

void make_room(AccountNodes& nodes, const PublicationRef& publication);

/// The batch and the counts, once it is known what the item replaces.
void put(AccountNodes& nodes, const PublicationRef& publication, std::uint64_t replaced_items) {
    Publication& all = *publication;
    NodeTally tally = all.node.tally;
    if (tally.items == replaced_items) tally.oldest_number = all.item.number;
    tally.items = tally.items + 1 - replaced_items;
    tally.bytes = tally.bytes + all.item.bytes() - all.replaced_bytes;
    tally.last_number = all.item.number;
    tally.last_item = all.item.id;
    const std::uint64_t most = limit(nodes.hub(), bytes_per_account);
    const Node* known = nodes.find(all.request->node);
    const std::uint64_t before = known == nullptr ? 0 : known->tally.bytes;
    if (nodes.bytes() - before + tally.bytes > most) {
        if (all.node.config().keep_seconds != 0 && !all.all_read) {
            make_room(nodes, publication);  // some may be there whose time has passed
            return;
        }
        end_refused(nodes, *all.request,
                    {.condition = StanzaCondition::resource_constraint,
                     .text = fmt::format("The items of an account have at most {} bytes in all; "
                                         "delete some first.",
                                         most)});
        return;
    }
    all.node.tally = std::move(tally);
    all.batch.map_set(item_store, nodes.account().jid().bare(),
                      item_key(all.request->node, all.item.id), text_of(all.item));
    commit(nodes, publication);
}

/// Some items are there whose time passed a while ago. Nobody is shown those meanwhile, so it is
/// enough to look for them now and then, and not with each publication.
bool is_due(const AccountNodes& nodes, const Node& node) {
    constexpr std::uint64_t part = 10;
    const std::uint64_t keep_seconds = node.config().keep_seconds;
    if (keep_seconds == 0) return false;
    const auto since = static_cast<UnixMillis>(keep_seconds / part * 1000);
    return node.tally.oldest_number == 0 ||
           is_over(node.config(), node.tally.oldest_number, nodes.hub().clock().wall() - since);
}

/// The oldest items make room, and those go whose time has passed.
void choose_replaced(AccountNodes& nodes, const PublicationRef& publication,
                     const std::vector<Item>& items) {
    Publication& all = *publication;
    const NodeConfig& config = all.node.config();
    const std::uint64_t most = most_items(nodes.hub(), config);
    const UnixMillis now = nodes.hub().clock().wall();
    if (!items.empty()) all.before = items.front().payload;
    all.replaced_bytes = 0;
    all.node.tally.oldest_number = all.item.number;
    std::uint64_t kept = 0;
    std::uint64_t replaced = 0;
    for (const Item& item : items) {
        const bool same = item.id == all.item.id;
        if (!same && !is_over(config, item.number, now) && ++kept < most) {
            all.node.tally.oldest_number = item.number;  // they come newest first
            continue;
        }
        ++replaced;
        all.replaced_bytes += item.bytes();
        if (!same) {
            all.batch.map_erase(item_store, nodes.account().jid().bare(),
                                item_key(all.request->node, item.id));
        }
    }
    put(nodes, publication, replaced);
}

void make_room(AccountNodes& nodes, const PublicationRef& publication) {
    publication->all_read = true;
    publication->batch = {};
    nodes.read_all(publication->request->node,
                   [&nodes, publication](const Result<std::vector<Item>>& items) {
                       if (items) {
                           choose_replaced(nodes, publication, *items);
                       } else {
                           end_failed(nodes, *publication->request);
                       }
                   });
}

void find_replaced(AccountNodes& nodes, const PublicationRef& publication) {
    const Request& request = *publication->request;
    const NodeTally tally = publication->node.tally;
    const std::uint64_t most = most_items(nodes.hub(), publication->node.config());
    if (tally.items == 0) {
        put(nodes, publication, 0);
        return;
    }
    if (is_due(nodes, publication->node)) {
        make_room(nodes, publication);
        return;
    }
    if (tally.items == 1 && (most == 1 || tally.last_item == publication->item.id) &&
        !is_announced_with_before(request.node)) {
        publication->replaced_bytes = tally.bytes;
        if (tally.last_item != publication->item.id) {
            publication->batch.map_erase(item_store, nodes.account().jid().bare(),
                                         item_key(request.node, tally.last_item));
        }
        put(nodes, publication, 1);
        return;
    }
    nodes.read(request.node, {publication->item.id},
               [&nodes, publication, most](Result<std::vector<Item>> items) {
                   if (!items) {
                       end_failed(nodes, *publication->request);
                   } else if (!items->empty()) {
                       publication->replaced_bytes = items->front().bytes();
                       publication->before = items->front().payload;
                       put(nodes, publication, 1);
                   } else if (publication->node.tally.items < most) {
                       put(nodes, publication, 0);
                   } else {
                       make_room(nodes, publication);
                   }
               });
}

}  // namespace

void publish(AccountNodes& nodes, const RequestRef& request) {
    const auto publication = std::make_shared<Publication>();
    publication->request = request;
    if (auto refusal = begin(nodes, *publication)) {
        end_refused(nodes, *request, *refusal);
        return;
    }
    Item& item = publication->item;
    item.id = request->ids.empty() || request->ids.front().empty() ? random_token(12)
                                                                   : request->ids.front();
    item.payload = request->payload;
    item.number =
        std::max(publication->node.tally.last_number + 1, nodes.hub().shared.ids.next_id());
    if (!is_owner(nodes, *request)) item.publisher = std::string(request->from().bare());
    if (publication->node.config().persist_items && request->has_item) {
        find_replaced(nodes, publication);
    } else if (publication->made) {
        commit(nodes, publication);
    } else {
        published_now(nodes, *publication);
    }
}

}  // namespace causeway::personal_events
