// XEP-0060 §5.6, §5.7, §6.1, §6.2, §8.6, §8.8, §8.9: who subscribes to a node, and the lists of who
// did and of who may do what with it. What its owner changes there is in subscribers.cc.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/random.h"
#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/operations.h"
#include "gateway/features/personal_events/personal_events.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

constexpr UnixMillis day = 24LL * 60 * 60 * 1000;

std::string subscription_answer(const Request& request, SubscriptionState state) {
    XmlBuilder xml;
    xml.open("pubsub", ns::pubsub);
    append_subscription(xml, request.node, request.subscriber, state);
    return xml.take();
}

void subscribed(AccountNodes& nodes, const RequestRef& request) {
    tell(*request, subscription_answer(*request, SubscriptionState::subscribed));
    const Node* node = nodes.find(request->node);
    if (node->config().send_last == SendLast::never) {
        nodes.done();
        return;
    }
    send_last(nodes, request->node, request->subscriber, [&nodes] { nodes.done(); });
}

/// §8.6: the owner is asked, and answers with the form, or by set_subscriptions().
void tell_owner(const AccountNodes& nodes, const Request& request) {
    const auto text = fmt::format("{} asks to subscribe to your node {}.",
                                  request.subscriber.full(), request.node);
    XmlBuilder xml;
    xml.element("body", text);
    open_form(xml, "form", subscribe_authorization);
    const auto field = [&](std::string_view name, std::string_view type, std::string_view value) {
        xml.open("field").attribute("var", name).attribute("type", type);
        xml.element("value", value).close();
    };
    field("pubsub#node", "text-single", request.node);
    field("pubsub#subscriber_jid", "jid-single", request.subscriber.full());
    field("pubsub#allow", "boolean", "false");
    nodes.hub().routing->route(Packet::make(StanzaKind::message, StanzaType::normal,
                                            nodes.account().jid(), nodes.account().jid(),
                                            random_token(9), xml.take()));
}

/// What an owner is told is bounded: of each bare address once a day, whatever it takes back and
/// asks again, and of no more addresses than may wait.
enum class Telling : unsigned char { told_today, tell, too_many };

Telling note_telling(const AccountNodes& nodes, Node& node, const Jid& who) {
    auto& asked = node.settings.asked;
    const UnixMillis now = nodes.hub().clock().wall();
    std::erase_if(asked, [&](const auto& entry) { return now - entry.second >= day; });
    if (asked.contains(who.bare_jid())) return Telling::told_today;
    if (asked.size() >= limit(nodes.hub(), requests_per_node)) return Telling::too_many;
    asked.emplace(who.bare_jid(), now);
    return Telling::tell;
}

/// A request is repeated: the owner is told again if that was not today.
void still_pending(AccountNodes& nodes, const RequestRef& request, const Node& known) {
    const Refusal refusal{.condition = StanzaCondition::not_authorized,
                          .detail = "pending-subscription",
                          .text = "The owner has not answered the request yet."};
    Node node = known;
    if (note_telling(nodes, node, request->subscriber) != Telling::tell) {
        end_refused(nodes, *request, refusal);
        return;
    }
    nodes.store({}, request->node, node, true, [&nodes, request, refusal](bool stored) {
        if (stored) tell_owner(nodes, *request);
        end_refused(nodes, *request, refusal);
    });
}

// ---- lists ----

void append_affiliation(XmlBuilder& xml, std::string_view name, std::string_view who,
                        Affiliation what) {
    xml.open("affiliation")
        .attribute_if("node", name)
        .attribute_if("jid", who)
        .attribute("affiliation", to_string(what))
        .close();
}

/// Whether the requester has anything in the list of that node.
bool append_own(XmlBuilder& xml, const AccountNodes& nodes, const Request& request,
                const std::string& name, const Node& node) {
    bool any = false;
    if (request.verb == Verb::affiliations) {
        const Affiliation what =
            is_owner(nodes, request) ? Affiliation::owner : node.affiliation(request.from());
        any = what != Affiliation::none;
        if (any) append_affiliation(xml, name, {}, what);
        return any;
    }
    for (const auto& [who, state] : node.settings.subscriptions) {
        if (who.bare() != request.from().bare()) continue;
        any = true;
        append_subscription(xml, name, who, state);
    }
    return any;
}

/// Whether a client of the account gives the question back without an answer (§8.6): the request
/// waits on.
bool is_question_given_back(const Stanza& message) {
    const Element* form = message.element.child(ns::data_forms, "x");
    if (form == nullptr || form->attribute("type") != "cancel") return false;
    for (const Element* field = form->first_element(); field != nullptr;
         field = field->next_element()) {
        const Element* value = field->child(ns::data_forms, "value");
        if (field->attribute("var") == "FORM_TYPE" && value != nullptr) {
            return value->text(message.arena) == subscribe_authorization;
        }
    }
    return false;
}

/// The answer of a client of the account; nullopt if the message is none.
std::optional<Request> authorization_in(const Stanza& message, Request::Told told) {
    const Element* form = message.element.child(ns::data_forms, "x");
    if (form == nullptr) return std::nullopt;
    const auto values = read_form(*form, subscribe_authorization, message.arena);
    if (!values) return std::nullopt;
    const auto value = [&](std::string_view field) {
        const auto found = values->find(field);
        return found == values->end() || found->second.empty() ? std::string()
                                                               : found->second.front();
    };
    auto who = Jid::parse(value("pubsub#subscriber_jid"));
    if (!who) return std::nullopt;
    const std::string allow = value("pubsub#allow");
    const bool allowed = allow == "1" || allow == "true";
    if (!allowed && allow != "0" && allow != "false") return std::nullopt;  // that is no answer
    Request request(message.from, std::move(told));
    request.verb = Verb::set_subscriptions;
    request.node = value("pubsub#node");
    request.rows.push_back({std::move(*who), allowed ? "subscribed" : "none"});
    return request;
}

}  // namespace

// ---- subscribers ----

void subscribe(AccountNodes& nodes, const RequestRef& request) {
    const Node* known = known_node(nodes, *request, Act::subscribe);
    if (known == nullptr) {
        permitted(nodes, *request, Act::subscribe);
        return;
    }
    const auto standing = known->settings.subscriptions.find(request->subscriber);
    const Access access = may(nodes.account(), *known, request->from(), Act::subscribe);
    if (standing != known->settings.subscriptions.end() &&
        standing->second == SubscriptionState::pending && access == Access::ask_owner) {
        still_pending(nodes, request, *known);
        return;
    }
    if (access != Access::granted && access != Access::ask_owner) {
        end_refused(nodes, *request, refusal_of(access));
        return;
    }
    if (standing != known->settings.subscriptions.end() &&
        standing->second == SubscriptionState::subscribed) {
        subscribed(nodes, request);
        return;
    }
    const SubscriptionState state =
        access == Access::granted ? SubscriptionState::subscribed : SubscriptionState::pending;
    if (auto refusal = check_counts(nodes, *known, state)) {
        end_refused(nodes, *request, *refusal);
        return;
    }
    Node node = *known;
    node.settings.subscriptions.insert_or_assign(request->subscriber, state);
    Telling telling = Telling::told_today;
    if (state == SubscriptionState::pending)
        telling = note_telling(nodes, node, request->subscriber);
    if (telling == Telling::too_many) {
        end_refused(nodes, *request, too_many_requests());
        return;
    }
    store_settings(nodes, request, node, [&nodes, request, state, telling] {
        if (state == SubscriptionState::subscribed) {
            tell_owner_of_subscription(nodes, request->node, request->subscriber, state);
            subscribed(nodes, request);
            return;
        }
        if (telling == Telling::tell) tell_owner(nodes, *request);
        end_answered(nodes, *request, subscription_answer(*request, state));
    });
}

void unsubscribe(AccountNodes& nodes, const RequestRef& request) {
    const Node* known = known_node(nodes, *request, Act::subscribe);
    if (known == nullptr) {
        permitted(nodes, *request, Act::subscribe);
        return;
    }
    if (!known->settings.subscriptions.contains(request->subscriber)) {
        end_refused(nodes, *request,
                    {.condition = StanzaCondition::unexpected_request,
                     .detail = "not-subscribed",
                     .text = "That address has no subscription to the node.",
                     .type = "cancel"});
        return;
    }
    Node node = *known;
    node.settings.subscriptions.erase(request->subscriber);
    store_settings(nodes, request, node, [&nodes, request] {
        tell_owner_of_subscription(nodes, request->node, request->subscriber,
                                   SubscriptionState::none);
        end_answered(nodes, *request);
    });
}

void tell_own_list(AccountNodes& nodes, const RequestRef& request) {
    XmlBuilder xml;
    xml.open("pubsub", ns::pubsub)
        .open(request->verb == Verb::affiliations ? "affiliations" : "subscriptions")
        .attribute_if("node", request->node);
    bool any = false;
    const bool hidden = shown_nothing(nodes, request->from());
    for (const auto& [name, node] : nodes.all()) {
        if (!request->node.empty() && name != request->node) continue;
        if (hidden &&
            may(nodes.account(), node, request->from(), Act::retrieve) != Access::granted) {
            continue;
        }
        any = append_own(xml, nodes, *request, name, node) || any;
    }
    // Nothing is told to those who have nothing here, and may not know more.
    if (!any && !nodes.account().known_to(request->from())) {
        end_refused(nodes, *request, {.condition = StanzaCondition::service_unavailable});
        return;
    }
    end_answered(nodes, *request, xml.take());
}

// ---- owners ----

Verdict take_authorization(FromClient& from) {
    const Stanza& stanza = from.stanza;
    if (stanza.kind != StanzaKind::message || stanza.to != from.account.jid()) return Verdict::next;
    if (is_question_given_back(stanza)) {
        from.hub.settle(from.ticket);
        return Verdict::taken;
    }
    auto request = authorization_in(stanza, [](const std::optional<Refusal>&) {});
    if (!request) return Verdict::next;
    Account& account = from.account;
    account.when_loaded([&account, request = std::make_shared<const Request>(std::move(*request))](
                            const Outcome& loaded) {
        if (!loaded || AccountNodes::of(account) == nullptr) return;
        static_cast<void>(AccountNodes::enqueue(
            account, [request](AccountNodes& nodes) { set_subscriptions(nodes, request); }));
    });
    from.hub.settle(from.ticket);
    return Verdict::taken;
}

void tell_node_list(AccountNodes& nodes, const RequestRef& request) {
    const Node* node = permitted(nodes, *request, Act::own);
    if (node == nullptr) return;
    XmlBuilder xml;
    xml.open("pubsub", ns::pubsub_owner);
    if (request->verb == Verb::node_affiliations) {
        xml.open("affiliations").attribute("node", request->node);
        append_affiliation(xml, {}, nodes.account().jid().bare(), Affiliation::owner);
        for (const auto& [who, what] : node->settings.affiliations) {
            append_affiliation(xml, {}, who.bare(), what);
        }
    } else {
        xml.open("subscriptions").attribute("node", request->node);
        for (const auto& [who, state] : node->settings.subscriptions) {
            append_subscription(xml, {}, who, state);
        }
    }
    end_answered(nodes, *request, xml.take());
}

}  // namespace causeway::personal_events
