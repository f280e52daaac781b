// What a node of an account's personal events is (XEP-0060 §4, XEP-0163 §5): its configuration,
// who may do what with it, who subscribed, and how much it holds. Plain values, and how they stand
// in the store. Nothing outside this folder includes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/moment.h"
#include "gateway/base/outcome.h"
#include "gateway/xmpp/jid.h"

namespace causeway::personal_events {

/// XEP-0060 §4.5.
enum class AccessModel : unsigned char { open, presence, roster, authorize, whitelist };
/// `pubsub#publish_model`.
enum class PublishModel : unsigned char { publishers, subscribers, open };
/// `pubsub#send_last_published_item`.
enum class SendLast : unsigned char { never, on_subscription, on_subscription_and_presence };
/// XEP-0060 §4.1. The account itself is the owner of each node, and no row says so.
enum class Affiliation : unsigned char { none, member, publisher, owner, outcast };
/// XEP-0060 §4.2.
enum class SubscriptionState : unsigned char { none, pending, subscribed };

std::string_view to_string(AccessModel value);
std::string_view to_string(PublishModel value);
std::string_view to_string(SendLast value);
std::string_view to_string(Affiliation value);
std::string_view to_string(SubscriptionState value);

/// A node's configuration, with the defaults of XEP-0163 §5 and §7.
struct NodeConfig {
    static constexpr std::uint32_t max = 0;  ///< of max_items: as many as the server allows

    AccessModel access = AccessModel::presence;
    PublishModel publish = PublishModel::publishers;
    SendLast send_last = SendLast::on_subscription_and_presence;
    std::uint32_t max_items = 1;
    std::uint64_t keep_seconds = 0;  ///< how long an item is there (item_expire); 0: for good
    std::uint64_t max_payload = 0;   ///< bytes of an item; 0: as many as the server allows
    bool persist_items = true;
    bool deliver_notifications = true;
    bool deliver_payloads = true;
    bool notify_config = false;
    bool notify_delete = true;
    bool notify_retract = true;
    bool notify_sub = false;  ///< the account itself hears of who subscribes and who does no more
    bool name_publisher = false;  ///< items name the account itself too where it published them
    bool headlines = true;        ///< the type of notifications; else they are normal messages
    std::string title, description, type;
    std::vector<std::string> groups;  ///< of AccessModel::roster

    bool operator==(const NodeConfig&) const = default;
};

/// What is kept of a node beside its items. Changes seldom.
struct NodeSettings {
    NodeConfig config;
    std::map<Jid, Affiliation> affiliations;         ///< by bare address
    std::map<Jid, SubscriptionState> subscriptions;  ///< by the address that subscribed
    /// When the owner was told that somebody asks to subscribe, by bare address; a day long.
    std::map<Jid, UnixMillis> asked;
};

/// What the items of a node come to. Changes with each item.
struct NodeTally {
    std::uint64_t items = 0, bytes = 0;
    std::uint64_t last_number = 0;  ///< of the newest item; numbers rise as items are published
    std::string last_item;          ///< its id; empty: the node has no items
    /// No item has a lower number. 0: it is not known; it is in memory alone.
    std::uint64_t oldest_number = 0;
};

struct Node {
    NodeSettings settings;
    NodeTally tally;
    /// When clients were told of the newest item; in memory alone.
    Moment last_told = no_moment;

    [[nodiscard]] const NodeConfig& config() const { return settings.config; }
    /// Of the bare address of `who`; never of the account itself.
    [[nodiscard]] Affiliation affiliation(const Jid& who) const;
    /// The best that `who` has by its full or its bare address.
    [[nodiscard]] SubscriptionState subscription(const Jid& who) const;
};

struct Item {
    std::string id;
    std::uint64_t number = 0;
    std::string publisher;  ///< bare address; empty: the account itself
    std::string payload;    ///< canonical XML that declares its namespace; empty: none

    /// What it counts against the limits of its account.
    [[nodiscard]] std::size_t bytes() const {
        return id.size() + publisher.size() + payload.size();
    }
};

/// The time of an item of that node has passed: nobody gets it any more.
bool is_over(const NodeConfig& config, std::uint64_t item_number, UnixMillis now);

// ---- in the store ----

/// Map store of nodes; its owner is the bare address of the account. Each node has two entries.
inline constexpr std::string_view node_store = "personal-event-nodes";
/// Map store of items; the same owner.
inline constexpr std::string_view item_store = "personal-event-items";

std::string settings_key(std::string_view node);
std::string tally_key(std::string_view node);
/// Which of the two a key is, and of which node.
struct NodeKey {
    enum class Part : unsigned char { other, settings, tally };
    Part part = Part::other;
    std::string_view node;
};
NodeKey node_key(std::string_view key);

/// Keys of one node's items have a common beginning, in which no other node's key begins.
std::string item_prefix(std::string_view node);
std::string item_key(std::string_view node, std::string_view id);

std::string text_of(const NodeSettings& settings);
Result<NodeSettings> settings_of(std::string_view text);
std::string text_of(const NodeTally& tally);
Result<NodeTally> tally_of(std::string_view text);
std::string text_of(const Item& item);
/// `id` is the rest of its key.
Result<Item> item_of(std::string_view id, std::string_view text);

}  // namespace causeway::personal_events
