#include "gateway/features/personal_events/request.h"

#include <fmt/format.h>

#include <charconv>

#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway::personal_events {
namespace {

constexpr std::size_t longest_name = 512;  ///< of a node or an item
constexpr std::size_t most_ids = 250;
constexpr std::size_t most_rows = 500;
/// No namespace has that name, so each payload declares its own.
constexpr std::string_view nowhere = "urn:causeway:nowhere";

using Fault = std::optional<Refusal>;

Refusal bad_request(std::string_view detail, std::string text) {
    return {StanzaCondition::bad_request, detail, {}, std::move(text)};
}

Refusal unsupported(std::string_view feature) {
    return {StanzaCondition::feature_not_implemented, "unsupported", feature};
}

Fault read_node(const Element& element, Request& request) {
    request.node = std::string(element.attribute("node"));
    if (request.node.empty()) return bad_request("nodeid-required", "The node is not named.");
    if (request.node.size() > longest_name) {
        return Refusal{
            .condition = StanzaCondition::not_acceptable,
            .text = fmt::format("The name of a node has at most {} bytes here.", longest_name)};
    }
    return {};
}

Fault read_id(const Element& item, Request& request) {
    const std::string_view id = item.attribute("id");
    if (id.size() > longest_name) {
        return Refusal{
            .condition = StanzaCondition::not_acceptable,
            .text = fmt::format("The id of an item has at most {} bytes here.", longest_name)};
    }
    if (request.ids.size() == most_ids) {
        return Refusal{.condition = StanzaCondition::policy_violation,
                       .text = fmt::format("A request names at most {} items.", most_ids)};
    }
    request.ids.emplace_back(id);
    return {};
}

bool flag(std::string_view text) { return text == "1" || text == "true"; }

// ---- forms ----

Fault read_values(const Element& form, std::string_view form_type, Arena& arena, Request& request) {
    if (form.attribute("type") == "cancel") {
        request.cancelled = true;
        return {};
    }
    auto values = read_form(form, form_type, arena);
    if (!values) return Refusal{.text = values.error().why()};
    request.form = std::move(*values);
    return {};
}

/// The form in a child of that name, if both are there.
Fault read_form_in(const Element* around, std::string_view form_type, Arena& arena,
                   Request& request) {
    if (around == nullptr) return {};
    const Element* form = around->child(ns::data_forms, "x");
    return form == nullptr ? Fault{} : read_values(*form, form_type, arena, request);
}

// ---- one function for each verb that has content ----

Fault read_publish(const Element& pubsub, const Element& publish, Arena& arena, Request& request) {
    request.verb = Verb::publish;
    if (auto fault = read_node(publish, request)) return fault;
    const Element* item = publish.child(ns::pubsub, "item");
    if (publish.element_count() > 1) {
        return bad_request("invalid-payload", "One request publishes one item.");
    }
    if (item != nullptr) {
        request.has_item = true;
        if (auto fault = read_id(*item, request)) return fault;
        if (item->element_count() > 1) {
            return bad_request("invalid-payload", "An item holds one element.");
        }
        if (const Element* payload = item->first_element()) {
            append_element(request.payload, *payload, nowhere);
        }
    }
    return read_form_in(pubsub.child(ns::pubsub, "publish-options"), ns::pubsub_publish_options,
                        arena, request);
}

Fault read_retract(const Element& retract, Request& request) {
    request.verb = Verb::retract;
    if (auto fault = read_node(retract, request)) return fault;
    request.notify = flag(retract.attribute("notify"));
    for (const Element* item = retract.first_element(); item != nullptr;
         item = item->next_element()) {
        if (!item->is(ns::pubsub, "item") || item->attribute("id").empty()) continue;
        if (auto fault = read_id(*item, request)) return fault;
    }
    if (request.ids.size() == 1) return {};
    return bad_request("item-required", "One request removes one item, named by its id.");
}

Fault read_subscriber(const Element& element, Request& request) {
    if (auto fault = read_node(element, request)) return fault;
    auto address = Jid::parse(element.attribute("jid"));
    if (!address || address->bare() != request.from().bare()) {
        // §6.2.3
        if (address && request.verb == Verb::unsubscribe) {
            return Refusal{.condition = StanzaCondition::forbidden,
                           .text = "An address unsubscribes itself only."};
        }
        return bad_request("invalid-jid", "An address subscribes for itself only.");
    }
    request.subscriber = std::move(*address);
    return {};
}

Fault read_items(const Element& pubsub, const Element& items, Arena& arena, Request& request) {
    request.verb = Verb::items;
    if (auto fault = read_node(items, request)) return fault;
    if (const std::string_view text = items.attribute("max_items"); !text.empty()) {
        std::uint32_t most = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), most);
        if (error != std::errc{} || end != text.data() + text.size() || most == 0) {
            return bad_request({}, "max_items is a number from 1 on.");
        }
        request.most = most;
    }
    for (const Element* item = items.first_element(); item != nullptr;
         item = item->next_element()) {
        if (!item->is(ns::pubsub, "item") || item->attribute("id").empty()) continue;
        if (auto fault = read_id(*item, request)) return fault;
    }
    auto page = read_result_set(pubsub, arena);
    if (!page) return bad_request({}, page.error().why());
    request.paged = pubsub.child(ns::result_set, "set") != nullptr;
    request.page = std::move(*page);
    return {};
}

Fault read_rows(const Element& list, std::string_view row_name, std::string_view attribute,
                Request& request) {
    for (const Element* row = list.first_element(); row != nullptr; row = row->next_element()) {
        // §8.8.2, §8.9.2: an entry without a value stays as it is.
        if (!row->is(ns::pubsub_owner, row_name) || !row->has_attribute(attribute)) continue;
        auto who = Jid::parse(row->attribute("jid"));
        if (!who) return bad_request("invalid-jid", "An entry of the list has no valid address.");
        if (request.rows.size() == most_rows) {
            return Refusal{
                .condition = StanzaCondition::policy_violation,
                .text = fmt::format("One request changes at most {} entries.", most_rows)};
        }
        request.rows.push_back({std::move(*who), std::string(row->attribute(attribute))});
    }
    return {};
}

// ---- the two kinds of <pubsub/> ----

Fault read_set(const Element& pubsub, const Element& what, Arena& arena, Request& request) {
    if (what.name == "publish") return read_publish(pubsub, what, arena, request);
    if (what.name == "retract") return read_retract(what, request);
    if (what.name == "create") {
        request.verb = Verb::create;
        if (what.attribute("node").empty()) {
            return Refusal{StanzaCondition::not_acceptable,
                           "nodeid-required",
                           {},
                           "A node needs a name here."};
        }
        if (auto fault = read_node(what, request)) return fault;
        const Element* configure = pubsub.child(ns::pubsub, "configure");
        if (configure != nullptr && configure->has_attribute("node") &&
            configure->attribute("node") != request.node) {
            return bad_request({}, "The configuration is that of the node that is made.");
        }
        return read_form_in(configure, ns::pubsub_node_config, arena, request);
    }
    if (what.name == "subscribe") {
        request.verb = Verb::subscribe;
        if (pubsub.child(ns::pubsub, "options") != nullptr) {
            return unsupported("subscription-options");
        }
        return read_subscriber(what, request);
    }
    if (what.name == "unsubscribe") {
        request.verb = Verb::unsubscribe;
        return read_subscriber(what, request);
    }
    if (what.name == "options") return unsupported("subscription-options");
    if (what.name == "configure") {
        return bad_request({}, "<configure/> stands behind <create/>, or belongs to an owner.");
    }
    return Refusal{.condition = StanzaCondition::feature_not_implemented};
}

Fault read_get(const Element& pubsub, const Element& what, Arena& arena, Request& request) {
    if (what.name == "items") return read_items(pubsub, what, arena, request);
    if (what.name == "subscriptions" || what.name == "affiliations") {
        request.verb = what.name == "affiliations" ? Verb::affiliations : Verb::subscriptions;
        request.node = std::string(what.attribute("node"));
        return {};
    }
    if (what.name == "options") return unsupported("subscription-options");
    if (what.name == "default") return unsupported("retrieve-default-sub");
    return Refusal{.condition = StanzaCondition::feature_not_implemented};
}

Fault read_owner(bool get, const Element& what, Arena& arena, Request& request) {
    if (get && what.name == "default") {
        request.verb = Verb::default_configuration;
        return {};
    }
    if (auto fault = read_node(what, request)) return fault;
    if (what.name == "configure") {
        request.verb = get ? Verb::configuration : Verb::configure;
        if (get) return {};
        const Element* form = what.child(ns::data_forms, "x");
        if (form == nullptr) return bad_request({}, "The configuration holds no form.");
        return read_values(*form, ns::pubsub_node_config, arena, request);
    }
    if (what.name == "affiliations") {
        request.verb = get ? Verb::node_affiliations : Verb::set_affiliations;
        return get ? Fault{} : read_rows(what, "affiliation", "affiliation", request);
    }
    if (what.name == "subscriptions") {
        request.verb = get ? Verb::node_subscriptions : Verb::set_subscriptions;
        return get ? Fault{} : read_rows(what, "subscription", "subscription", request);
    }
    if (!get && (what.name == "delete" || what.name == "purge")) {
        request.verb = what.name == "delete" ? Verb::delete_node : Verb::purge;
        const Element* redirect = what.child(what.ns, "redirect");
        if (redirect != nullptr) request.redirect = std::string(redirect->attribute("uri"));
        return {};
    }
    return Refusal{.condition = StanzaCondition::feature_not_implemented};
}

/// What is asked. What only goes with it may stand in front of it: Movim has the result set
/// (§6.5.7) before the items that it wants.
const Element* asked_in(const Element& pubsub) {
    const Element* what = pubsub.first_element();
    while (what != nullptr && (what->ns != pubsub.ns || what->name == "publish-options")) {
        what = what->next_element();
    }
    return what;
}

}  // namespace

Refusal refusal_of(Access access) {
    switch (access) {
        case Access::presence_subscription_required:
            return {StanzaCondition::not_authorized,
                    "presence-subscription-required",
                    {},
                    "This needs a subscription to the presence of the account."};
        case Access::not_in_roster_group:
            return {StanzaCondition::not_authorized,
                    "not-in-roster-group",
                    {},
                    "This is for certain groups of the account's contacts."};
        case Access::closed_node:
            return {StanzaCondition::not_allowed,
                    "closed-node",
                    {},
                    "This is for those whom the account named."};
        case Access::not_subscribed:
            return {StanzaCondition::not_authorized,
                    "not-subscribed",
                    {},
                    "This needs a subscription to the node, which the account approves."};
        case Access::granted:
        case Access::ask_owner:
        case Access::forbidden: break;
    }
    return {.condition = StanzaCondition::forbidden};
}

std::optional<Refusal> read(const IqRequest& iq, Request& request) {
    const Element& pubsub = iq.payload;
    const Element* what = asked_in(pubsub);
    if (what == nullptr) {
        return bad_request({}, "<pubsub/> holds nothing that is known here.");
    }
    Arena& arena = iq.stanza.arena;
    const bool get = iq.stanza.type == StanzaType::get;
    if (pubsub.ns == ns::pubsub_owner) return read_owner(get, *what, arena, request);
    return get ? read_get(pubsub, *what, arena, request) : read_set(pubsub, *what, arena, request);
}

void tell(const Request& request, std::string_view inner) {
    if (const auto* back = std::get_if<IqReturn>(&request.back)) {
        back->result(inner);
    } else {
        std::get<Request::Told>(request.back)({});
    }
}

void refuse(const Request& request, const Refusal& refusal) {
    const auto* back = std::get_if<IqReturn>(&request.back);
    if (back == nullptr) {
        std::get<Request::Told>(request.back)(refusal);
        return;
    }
    std::string inner = refusal.entries;
    append_error(inner, {refusal.condition, refusal.text, refusal.type});
    if (!refusal.detail.empty()) {
        constexpr std::string_view end = "</error>";
        inner.resize(inner.size() - end.size());
        inner += '<';
        inner += refusal.detail;
        append_attribute(inner, "xmlns", ns::pubsub_errors);
        if (!refusal.feature.empty()) append_attribute(inner, "feature", refusal.feature);
        inner += "/>";
        inner += end;
    }
    back->hub.routing->route(
        Packet::make(StanzaKind::iq, StanzaType::error, back->from, back->to, back->id, inner));
}

}  // namespace causeway::personal_events
