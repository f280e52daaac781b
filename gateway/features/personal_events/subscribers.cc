// XEP-0060 §8.8, §8.9: what the owner changes of subscriptions and affiliations, and what becomes
// of subscribers, and of those who asked to be, when the node lets others in than before.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "gateway/features/personal_events/interests.h"
#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/operations.h"
#include "gateway/features/personal_events/personal_events.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

constexpr std::size_t most_affiliations = 1000;

std::size_t count_of(const Node& node, SubscriptionState state) {
    return static_cast<std::size_t>(std::ranges::count_if(
        node.settings.subscriptions, [&](const auto& entry) { return entry.second == state; }));
}

std::optional<Affiliation> affiliation_of(std::string_view name) {
    for (const Affiliation value : {Affiliation::none, Affiliation::member, Affiliation::publisher,
                                    Affiliation::owner, Affiliation::outcast}) {
        if (name == to_string(value)) return value;
    }
    return std::nullopt;
}

std::optional<SubscriptionState> subscription_of(std::string_view name) {
    for (const SubscriptionState value :
         {SubscriptionState::none, SubscriptionState::pending, SubscriptionState::subscribed}) {
        if (name == to_string(value)) return value;
    }
    return std::nullopt;
}

/// How somebody stands who subscribed, or asked to, now that the node may let others in.
SubscriptionState settled(const AccountNodes& nodes, const Node& node, const Jid& who,
                          SubscriptionState state) {
    const Account& account = nodes.account();
    if (state == SubscriptionState::subscribed) {
        return may(account, node, who, Act::hear) == Access::granted ? state
                                                                     : SubscriptionState::none;
    }
    // Who is shown nothing hears of no answer either.
    if (shown_nothing(nodes, who)) return state;
    switch (may(account, node, who, Act::subscribe)) {
        case Access::ask_owner: return state;
        case Access::granted:
            return check_counts(nodes, node, SubscriptionState::subscribed)
                       ? state
                       : SubscriptionState::subscribed;
        default: return SubscriptionState::none;
    }
}

void apply_change(Node& node, const Jid& who, SubscriptionState state) {
    if (state == SubscriptionState::none) {
        node.settings.subscriptions.erase(who);
    } else {
        node.settings.subscriptions.insert_or_assign(who, state);
        node.settings.asked.erase(who.bare_jid());
    }
}

/// One after the other.
void send_last_to(AccountNodes& nodes, const std::string& name, std::vector<Jid> all,
                  const std::function<void()>& then) {
    if (all.empty()) {
        then();
        return;
    }
    const Jid next = std::move(all.back());
    all.pop_back();
    send_last(nodes, name, next,
              [&nodes, name, all = std::move(all), then] { send_last_to(nodes, name, all, then); });
}

/// Refuses a change of one of the lists, of which nothing is done then. §8.8.2.4, §8.9.2.4: what is
/// not in the error counts as done, so each entry of the request is, as it stands.
void end_unchanged(AccountNodes& nodes, const Request& request, const Node& node, Refusal refusal) {
    const bool affiliations = request.verb == Verb::set_affiliations;
    std::map<Jid, std::string_view> entries;
    for (const AddressRow& row : request.rows) {
        if (affiliations) {
            const bool itself = row.who.bare() == nodes.account().jid().bare();
            entries[row.who.bare_jid()] =
                to_string(itself ? Affiliation::owner : node.affiliation(row.who));
        } else {
            const auto found = node.settings.subscriptions.find(row.who);
            entries[row.who] =
                to_string(found == node.settings.subscriptions.end() ? SubscriptionState::none
                                                                     : found->second);
        }
    }
    XmlBuilder xml;
    xml.open("pubsub", ns::pubsub_owner)
        .open(affiliations ? "affiliations" : "subscriptions")
        .attribute("node", request.node);
    const std::string_view name = affiliations ? "affiliation" : "subscription";
    for (const auto& [who, what] : entries) {
        xml.open(name).attribute("jid", who.full()).attribute(name, what).close();
    }
    refusal.entries = xml.take();
    end_refused(nodes, request, refusal);
}

/// Why a row of affiliations cannot be done.
std::optional<Refusal> check_affiliation(const AccountNodes& nodes, const AddressRow& row) {
    const auto what = affiliation_of(row.what);
    const bool itself = row.who.bare() == nodes.account().jid().bare();
    if (itself && what != Affiliation::owner) {
        return Refusal{.condition = StanzaCondition::not_acceptable,
                       .text = "The account stays the owner of its nodes."};
    }
    if (what) return {};
    constexpr std::string_view text =
        "An affiliation is one of none, member, publisher, owner and outcast.";
    if (row.what == "publish-only") {
        return Refusal{.condition = StanzaCondition::feature_not_implemented,
                       .detail = "unsupported",
                       .feature = "publish-only-affiliation",
                       .text = std::string(text)};
    }
    return Refusal{.condition = StanzaCondition::not_acceptable, .text = std::string(text)};
}

/// Does one row of subscriptions in `node`, or says why that cannot be.
std::optional<Refusal> change_subscription(const AccountNodes& nodes, Node& node,
                                           const AddressRow& row, SubscriptionChanges& changes) {
    const auto state = subscription_of(row.what);
    if (!state) {
        return Refusal{.condition = StanzaCondition::not_acceptable,
                       .text = "A subscription is one of none, pending and subscribed."};
    }
    const auto standing = node.settings.subscriptions.find(row.who);
    const bool known = standing != node.settings.subscriptions.end();
    if (!known && *state != SubscriptionState::none) {
        // Nobody is sent events that it did not ask for.
        return Refusal{.condition = StanzaCondition::not_acceptable,
                       .text = fmt::format("{} has not asked for a subscription.", row.who.full())};
    }
    if (!known || standing->second == *state) return {};
    if (*state != SubscriptionState::none) {
        if (auto refusal = check_counts(nodes, node, *state)) return refusal;
    }
    apply_change(node, row.who, *state);
    changes.emplace_back(row.who, *state);
    return {};
}

}  // namespace

// ---- what several of them do ----

/// Stores the node's settings and goes on, unless that fails.
void store_settings(AccountNodes& nodes, const RequestRef& request, const Node& node,
                    std::function<void()> then) {
    nodes.store({}, request->node, node, true,
                [&nodes, request, then = std::move(then)](bool stored) {
                    if (stored) {
                        then();
                    } else {
                        end_failed(nodes, *request);
                    }
                });
}

Refusal too_many_requests() {
    return {.condition = StanzaCondition::policy_violation,
            .detail = "too-many-subscriptions",
            .text = "Too many requests wait for the owner's answer."};
}

std::optional<Refusal> check_counts(const AccountNodes& nodes, const Node& node,
                                    SubscriptionState state) {
    const bool asks = state == SubscriptionState::pending;
    const std::uint64_t most = limit(nodes.hub(), asks ? requests_per_node : subscribers_per_node);
    if (count_of(node, state) < most) return {};
    if (asks) return too_many_requests();
    return Refusal{.condition = StanzaCondition::policy_violation,
                   .detail = "too-many-subscriptions",
                   .text = "The node has too many subscribers."};
}

SubscriptionChanges settle_subscribers(const AccountNodes& nodes, Node& node) {
    SubscriptionChanges changes;
    const auto before = node.settings.subscriptions;
    for (const auto& [who, state] : before) {
        const SubscriptionState next = settled(nodes, node, who, state);
        if (next == state) continue;
        apply_change(node, who, next);
        changes.emplace_back(who, next);
    }
    return changes;
}

void tell_changes(AccountNodes& nodes, const std::string& name, const SubscriptionChanges& changes,
                  const std::function<void()>& then) {
    const Node* node = nodes.find(name);
    const bool with_last = node != nullptr && !node->tally.last_item.empty() &&
                           node->config().deliver_notifications &&
                           node->config().send_last != SendLast::never;
    std::vector<Jid> added;
    for (const auto& [who, state] : changes) {
        tell_owner_of_subscription(nodes, name, who, state);
        // Who is shown nothing, or is blocked, is not told that it lost something (XEP-0163
        // §4.3.3).
        if (nodes.account().access().view_for(who).hides_all()) continue;
        tell_subscription(nodes.account(), name, who, state);
        if (with_last && state == SubscriptionState::subscribed) added.push_back(who);
    }
    std::ranges::reverse(added);
    send_last_to(nodes, name, std::move(added), then);
}

void settle_all_subscribers(AccountNodes& nodes) {
    for (const auto& [name, known] : nodes.all()) {
        if (known.settings.subscriptions.empty()) continue;
        Node node = known;
        const SubscriptionChanges changes = settle_subscribers(nodes, node);
        if (changes.empty()) continue;
        nodes.store({}, name, node, true, [&nodes, name, changes](bool stored) {
            // If the store failed, they are looked at when a contact changes again.
            if (stored) {
                tell_changes(nodes, name, changes, [&nodes] { settle_all_subscribers(nodes); });
            } else {
                nodes.done();
            }
        });
        return;
    }
    nodes.done();
}

void tell_admitted(const AccountNodes& nodes, const std::string& name, const Node& before) {
    const Account& account = nodes.account();
    const Node* now = nodes.find(name);
    if (now == nullptr || now->tally.last_item.empty()) return;
    for (const auto& [key, item] : account.roster().items().items()) {
        if (item.state.from && may(account, *now, item.jid, Act::hear) == Access::granted &&
            may(account, before, item.jid, Act::hear) != Access::granted &&
            // Who subscribed has been sent it.
            now->subscription(item.jid) != SubscriptionState::subscribed) {
            may_hear_from_now_on(nodes.hub(), item.jid, account.jid(), name);
        }
    }
}

// ---- requests ----

void set_affiliations(AccountNodes& nodes, const RequestRef& request) {
    const Node* known = permitted(nodes, *request, Act::own);
    if (known == nullptr) return;
    Node node = *known;
    for (const AddressRow& row : request->rows) {
        if (auto refusal = check_affiliation(nodes, row)) {
            end_unchanged(nodes, *request, *known, std::move(*refusal));
            return;
        }
        if (row.who.bare() == nodes.account().jid().bare()) continue;
        const Affiliation what = *affiliation_of(row.what);
        if (what == Affiliation::none) {
            node.settings.affiliations.erase(row.who.bare_jid());
        } else {
            node.settings.affiliations.insert_or_assign(row.who.bare_jid(), what);
        }
    }
    if (node.settings.affiliations.size() > most_affiliations) {
        end_unchanged(
            nodes, *request, *known,
            {.condition = StanzaCondition::resource_constraint,
             .text = fmt::format("A node has at most {} affiliations.", most_affiliations)});
        return;
    }
    const SubscriptionChanges changes = settle_subscribers(nodes, node);
    store_settings(nodes, request, node, [&nodes, request, changes, before = *known] {
        tell(*request, {});
        tell_admitted(nodes, request->node, before);
        tell_changes(nodes, request->node, changes, [&nodes] { nodes.done(); });
    });
}

void set_subscriptions(AccountNodes& nodes, const RequestRef& request) {
    const Node* known = permitted(nodes, *request, Act::own);
    if (known == nullptr) return;
    Node node = *known;
    SubscriptionChanges changes;
    for (const AddressRow& row : request->rows) {
        if (auto refusal = change_subscription(nodes, node, row, changes)) {
            end_unchanged(nodes, *request, *known, std::move(*refusal));
            return;
        }
    }
    store_settings(nodes, request, node, [&nodes, request, changes] {
        tell(*request, {});
        tell_changes(nodes, request->node, changes, [&nodes] { nodes.done(); });
    });
}

}  // namespace causeway::personal_events
