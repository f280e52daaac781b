// XEP-0163 Personal Eventing: every account is a publish-subscribe service (XEP-0060) of its own,
// for its contacts and its own clients; also a place for what its clients keep there (XEP-0222,
// XEP-0223).
//
//   model          what a node is, and how it stands in the store
//   nodes          the nodes of one account; requests one after the other
//   access         who may do what
//   request        what is asked, read from the iq
//   publish, retrieve, owner, subscriptions, subscribers    what is done for each request
//   service, avatar    the same for other features of this server
//   notify         who is told
//   capabilities, resolver, interests          who wants to be told (XEP-0115)
#include "gateway/features/personal_events/personal_events.h"

#include <algorithm>
#include <array>

#include "gateway/features/conversions/data_change.h"
#include "gateway/features/personal_events/interests.h"
#include "gateway/features/personal_events/operations.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {

constexpr FeatureOption nodes_per_account{
    .key = "events.nodes_per_account",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "1000",
    .doc = "Nodes that one account may have. OMEMO needs one for each device.",
    .minimum = 1,
    .maximum = 100'000,
    .fallback = 500,
    .section_doc =
        "What accounts publish for their contacts and keep for their own clients: avatars, keys, "
        "bookmarks (XEP-0163)."};
constexpr FeatureOption items_per_node{
    .key = "events.items_per_node",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "1000",
    .doc = "Items that one node may keep; what \"max\" means in a node's configuration.",
    .minimum = 1,
    .maximum = 100'000,
    .fallback = 10'000};
constexpr FeatureOption item_bytes{
    .key = "events.item_bytes",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "65536",
    .doc =
        "Bytes of one item. What is larger than the stanzas that other servers take never reaches "
        "contacts there.",
    .minimum = 1024,
    .maximum = 1'000'000,
    .fallback = 196'608};
constexpr FeatureOption bytes_per_account{.key = "events.bytes_per_account",
                                          .kind = FeatureOption::Kind::integer,
                                          .form = {},
                                          .example = "4194304",
                                          .doc = "Bytes of all items of one account.",
                                          .minimum = 65'536,
                                          .maximum = std::int64_t{1} << 40U,
                                          .fallback = 10'485'760};
constexpr FeatureOption subscribers_per_node{
    .key = "events.subscribers_per_node",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "100",
    .doc = "Addresses that subscribed to one node by a request; contacts need none.",
    .minimum = 0,
    .maximum = 100'000,
    .fallback = 1000};
constexpr FeatureOption requests_per_node{
    .key = "events.requests_per_node",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "20",
    .doc =
        "Requests to subscribe to one node that may wait for its owner's answer, and addresses "
        "of whose requests the owner is told in a day.",
    .minimum = 0,
    .maximum = 10'000,
    .fallback = 100};

constexpr Metric published{.name = "events_published", .help = "Items that accounts published."};
constexpr Metric notified{.name = "events_notified",
                          .help = "Notifications to clients that want them by their capabilities."};

std::uint64_t limit(const Hub& hub, const FeatureOption& option) {
    return static_cast<std::uint64_t>(option.integer(*hub.config));
}

namespace {

constexpr std::array options{&nodes_per_account, &items_per_node,       &item_bytes,
                             &bytes_per_account, &subscribers_per_node, &requests_per_node};
constexpr std::array metrics{&published, &notified};

// ---- service discovery ----

/// Clients that know XEP-0163 as it was ask the domain, and without an answer publish nothing
/// (Pidgin) or leave out their publish-options (profanity, for OMEMO).
void tell_server(const DiscoQuery& query, DiscoInfo& info) {
    if (query.node.empty()) info.identities.push_back({"pubsub", "pep", {}});
}

/// Whether somebody is told of the node: who may read it, and who may ask its owner.
bool is_told_of(const DiscoQuery& query, const Node& node) {
    return may(*query.account, node, query.from, Act::retrieve) == Access::granted ||
           may(*query.account, node, query.from, Act::subscribe) == Access::ask_owner;
}

void tell_account(const DiscoQuery& query, DiscoInfo& info) {
    if (query.node.empty()) {
        info.identities.push_back({"pubsub", "pep", {}});
        return;
    }
    const AccountNodes* nodes = AccountNodes::of(*query.account);
    const Node* node = nodes == nullptr ? nullptr : nodes->find(query.node);
    if (node == nullptr || !is_told_of(query, *node)) return;
    info.found = true;
    info.identities.push_back({"pubsub", "leaf", {}});
    info.features.emplace_back(ns::pubsub);
    info.forms.push_back(metadata_form(*node, query.account->jid().bare()));
}

void tell_items(const DiscoQuery& query, DiscoItems& items) {
    const AccountNodes* nodes = AccountNodes::of(*query.account);
    if (nodes == nullptr) return;
    for (const auto& [name, node] : nodes->all()) {
        const bool asked = query.node == name;
        if (!query.node.empty() && !asked) continue;
        if (!is_told_of(query, node)) continue;
        if (asked) {
            items.found = true;
        } else {
            items.items.push_back(
                {std::string(query.account->jid().bare()), name, node.config().title});
        }
    }
}

// ---- requests ----

void run(AccountNodes& nodes, const RequestRef& request) {
    if (!nodes.account().exists()) {
        refuse(*request, {.condition = StanzaCondition::service_unavailable});
        nodes.done();
        return;
    }
    switch (request->verb) {
        case Verb::publish: publish(nodes, request); return;
        case Verb::retract: retract(nodes, request); return;
        case Verb::create: create(nodes, request); return;
        case Verb::subscribe: subscribe(nodes, request); return;
        case Verb::unsubscribe: unsubscribe(nodes, request); return;
        case Verb::items: answer_items(nodes, request); return;
        case Verb::subscriptions:
        case Verb::affiliations: tell_own_list(nodes, request); return;
        case Verb::configuration:
        case Verb::default_configuration: tell_configuration(nodes, request); return;
        case Verb::configure: configure(nodes, request); return;
        case Verb::delete_node: delete_node(nodes, request); return;
        case Verb::purge: purge(nodes, request); return;
        case Verb::node_affiliations:
        case Verb::node_subscriptions: tell_node_list(nodes, request); return;
        case Verb::set_affiliations: set_affiliations(nodes, request); return;
        case Verb::set_subscriptions: set_subscriptions(nodes, request); return;
    }
}

/// A contact is in other groups than before: it hears of the nodes that these open to it.
void tell_regrouped(const Account& account, const RosterItem& before, const RosterItem& now) {
    const AccountNodes* nodes = AccountNodes::of(account);
    if (nodes == nullptr) return;
    for (const auto& [name, node] : nodes->all()) {
        const auto opens = [&allowed = node.config().groups](const std::string& group) {
            return std::ranges::find(allowed, group) != allowed.end();
        };
        if (node.config().access == AccessModel::roster && !node.tally.last_item.empty() &&
            std::ranges::any_of(now.groups, opens) && std::ranges::none_of(before.groups, opens) &&
            may(account, node, now.jid, Act::hear) == Access::granted) {
            may_hear_from_now_on(account.hub(), now.jid, account.jid(), name);
        }
    }
}

/// A contact was approved, or may not see the presence any more, or its groups changed.
void contact_changed(const Life& life) {
    Account& account = *life.account;
    if (AccountNodes::of(account) == nullptr) return;
    const RosterItem* item = account.roster().items().find(*life.contact);
    const bool sees = item != nullptr && item->state.from;
    const bool regrouped = item == nullptr || item->groups != life.before->groups;
    if (life.before->state.from == sees && !regrouped) return;
    static_cast<void>(AccountNodes::enqueue(account, settle_all_subscribers));
    if (sees && !life.before->state.from) {
        may_hear_from_now_on(life.hub, *life.contact, account.jid());
    } else if (sees) {
        tell_regrouped(account, *life.before, *item);
    }
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::pubsub, "pubsub", IqTarget::account, answer},
    IqHandler{StanzaType::set, ns::pubsub, "pubsub", IqTarget::account, answer},
    IqHandler{StanzaType::get, ns::pubsub_owner, "pubsub", IqTarget::account, answer},
    IqHandler{StanzaType::set, ns::pubsub_owner, "pubsub", IqTarget::account, answer},
};
constexpr std::array<std::string_view, 38> disco_features{
    ns::pubsub,
    "http://jabber.org/protocol/pubsub#access-authorize",
    "http://jabber.org/protocol/pubsub#access-open",
    "http://jabber.org/protocol/pubsub#access-presence",
    "http://jabber.org/protocol/pubsub#access-roster",
    "http://jabber.org/protocol/pubsub#access-whitelist",
    "http://jabber.org/protocol/pubsub#auto-create",
    "http://jabber.org/protocol/pubsub#auto-subscribe",
    "http://jabber.org/protocol/pubsub#config-node",
    "http://jabber.org/protocol/pubsub#config-node-max",
    "http://jabber.org/protocol/pubsub#create-and-configure",
    "http://jabber.org/protocol/pubsub#create-nodes",
    "http://jabber.org/protocol/pubsub#delete-items",
    "http://jabber.org/protocol/pubsub#delete-nodes",
    "http://jabber.org/protocol/pubsub#filtered-notifications",
    "http://jabber.org/protocol/pubsub#item-ids",
    "http://jabber.org/protocol/pubsub#last-published",
    "http://jabber.org/protocol/pubsub#manage-subscriptions",
    "http://jabber.org/protocol/pubsub#member-affiliation",
    "http://jabber.org/protocol/pubsub#meta-data",
    "http://jabber.org/protocol/pubsub#modify-affiliations",
    "http://jabber.org/protocol/pubsub#multi-items",
    "http://jabber.org/protocol/pubsub#outcast-affiliation",
    "http://jabber.org/protocol/pubsub#persistent-items",
    "http://jabber.org/protocol/pubsub#presence-subscribe",
    "http://jabber.org/protocol/pubsub#publish",
    ns::pubsub_publish_options,
    "http://jabber.org/protocol/pubsub#publisher-affiliation",
    "http://jabber.org/protocol/pubsub#pubsub-on-a-jid",
    "http://jabber.org/protocol/pubsub#purge-nodes",
    "http://jabber.org/protocol/pubsub#retract-items",
    "http://jabber.org/protocol/pubsub#retrieve-affiliations",
    "http://jabber.org/protocol/pubsub#retrieve-default",
    "http://jabber.org/protocol/pubsub#retrieve-items",
    "http://jabber.org/protocol/pubsub#retrieve-subscriptions",
    "http://jabber.org/protocol/pubsub#rsm",
    "http://jabber.org/protocol/pubsub#subscribe",
    "http://jabber.org/protocol/pubsub#subscription-notifications",
};
constexpr std::array server_features{std::string_view{"http://jabber.org/protocol/pubsub#publish"},
                                     ns::pubsub_publish_options};
constexpr std::array sources{
    DiscoSource{.of = DiscoSource::Of::server, .info = tell_server},
    DiscoSource{.of = DiscoSource::Of::account, .info = tell_account, .items = tell_items}};
constexpr std::array from_client{FromClientHook{Phase::check, take_authorization},
                                 FromClientHook{Phase::copy, note_announced}};
constexpr std::array from_server{FromServerHook{Phase::copy, note_remote}};
constexpr std::array at_account{AtAccountHook{StanzaKind::message, Phase::copy, take_bounce}};
constexpr std::array life{LifeHook{LifeEvent::presence_changed, presence_changed},
                          LifeHook{LifeEvent::session_resumed, session_resumed},
                          LifeHook{LifeEvent::link_down, link_down},
                          LifeHook{LifeEvent::contact_changed, contact_changed}};
constexpr std::array stores{OwnedStore{node_store, OwnedStore::Shape::map},
                            OwnedStore{item_store, OwnedStore::Shape::map}};
constexpr std::array data{AccountData{node_store, AccountNodes::load}};
constexpr std::array session_data{
    SessionData{.name = "capabilities", .save = save_interests, .restore = restore_interests}};

}  // namespace

void answer(const IqRequest& request) {
    const auto wanted = std::make_shared<Request>(IqReturn(request));
    auto refusal = read(request, *wanted);
    const auto begin = [&account = *request.account, wanted, refusal] {
        const bool queued = AccountNodes::enqueue(account, [wanted, refusal](AccountNodes& nodes) {
            if (refusal) {
                end_refused(nodes, *wanted, *refusal);
            } else {
                run(nodes, wanted);
            }
        });
        if (!queued) refuse(*wanted, {.condition = StanzaCondition::service_unavailable});
    };
    if (wanted->verb == Verb::items) {
        conversions::when_in_step(*request.account, begin);
    } else {
        begin();
    }
}

}  // namespace causeway::personal_events

namespace causeway {

extern const Feature personal_events_feature;
const Feature personal_events_feature{.name = "personal_events",
                                      .xep = 163,
                                      .version = "1.2.2",
                                      .server_disco = personal_events::server_features,
                                      .account_disco = personal_events::disco_features,
                                      .iq = personal_events::handlers,
                                      .disco = personal_events::sources,
                                      .points = {.from_client = personal_events::from_client,
                                                 .from_server = personal_events::from_server,
                                                 .at_account = personal_events::at_account,
                                                 .life = personal_events::life},
                                      .stores = personal_events::stores,
                                      .account_data = personal_events::data,
                                      .session_data = personal_events::session_data,
                                      .options = personal_events::options,
                                      .metrics = personal_events::metrics};

}  // namespace causeway
