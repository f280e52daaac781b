#include "gateway/features/personal_events/model.h"

#include <doctest/doctest.h>

using namespace causeway;
using namespace causeway::personal_events;

TEST_CASE("events: settings are the same after the store") {
    NodeSettings settings;
    settings.config.access = AccessModel::roster;
    settings.config.publish = PublishModel::open;
    settings.config.send_last = SendLast::never;
    settings.config.max_items = NodeConfig::max;
    settings.config.notify_delete = false;
    settings.config.notify_config = true;
    settings.config.headlines = false;
    settings.config.notify_sub = true;
    settings.config.name_publisher = true;
    settings.config.title = "A title\nof two lines, with a \\n in it";
    settings.config.groups = {"Friends", "Friends of\nfriends"};
    settings.affiliations[*Jid::parse("romeo@b.test")] = Affiliation::outcast;
    settings.subscriptions[*Jid::parse("romeo@b.test/two words")] = SubscriptionState::pending;
    settings.asked[*Jid::parse("romeo@b.test")] = 1'700'000'000'000;
    const auto again = settings_of(text_of(settings));
    REQUIRE(again.ok());
    CHECK(again->config == settings.config);
    CHECK(again->affiliations == settings.affiliations);
    CHECK(again->subscriptions == settings.subscriptions);
    CHECK(again->asked == settings.asked);
}

TEST_CASE("events: settings of a later version are read as far as they are known") {
    const auto read = settings_of("access open\nweather fair\n");
    REQUIRE(read.ok());
    CHECK(read->config.access == AccessModel::open);
    CHECK_FALSE(settings_of("access secret\n").ok());
    CHECK_FALSE(settings_of("affiliation king romeo@b.test\n").ok());
    CHECK_FALSE(settings_of("max-items many\n").ok());
    CHECK_FALSE(settings_of("asked today romeo@b.test\n").ok());
}

TEST_CASE("events: counts and items are the same after the store") {
    const NodeTally tally{
        .items = 3, .bytes = 400, .last_number = 1ULL << 62U, .last_item = "an id with spaces"};
    const auto counted = tally_of(text_of(tally));
    REQUIRE(counted.ok());
    CHECK(counted->items == tally.items);
    CHECK(counted->bytes == tally.bytes);
    CHECK(counted->last_number == tally.last_number);
    CHECK(counted->last_item == tally.last_item);
    CHECK_FALSE(tally_of("3 x 1 id").ok());

    const Item item{.id = "id", .number = 7, .publisher = "a@b.test", .payload = "<a>1\n2</a>"};
    const auto read = item_of("id", text_of(item));
    REQUIRE(read.ok());
    CHECK(read->number == 7);
    CHECK(read->publisher == item.publisher);
    CHECK(read->payload == item.payload);
    const auto own =
        item_of("id", text_of(Item{.id = "id", .number = 8, .publisher = {}, .payload = {}}));
    REQUIRE(own.ok());
    CHECK(own->publisher.empty());
    CHECK(own->payload.empty());
}

TEST_CASE("events: keys of one node do not begin like those of another") {
    CHECK(node_key(settings_key("n")).part == NodeKey::Part::settings);
    CHECK(node_key(tally_key("n")).part == NodeKey::Part::tally);
    CHECK(node_key(tally_key("n")).node == "n");
    CHECK(item_key("n", "1").starts_with(item_prefix("n")));
    CHECK_FALSE(item_key("nn", "1").starts_with(item_prefix("n")));
}

TEST_CASE("events: a subscription counts for the address that subscribed, and its clients") {
    Node node;
    node.settings.subscriptions[*Jid::parse("romeo@b.test")] = SubscriptionState::pending;
    node.settings.subscriptions[*Jid::parse("romeo@b.test/orchard")] =
        SubscriptionState::subscribed;
    CHECK(node.subscription(*Jid::parse("romeo@b.test/orchard")) == SubscriptionState::subscribed);
    CHECK(node.subscription(*Jid::parse("romeo@b.test/street")) == SubscriptionState::pending);
    CHECK(node.subscription(*Jid::parse("juliet@b.test")) == SubscriptionState::none);
}
