#include "gateway/features/personal_events/service.h"

#include "gateway/features/personal_events/avatar.h"

#include "gateway/features/registry.h"
#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

using personal_events::OwnItem;

class EventsFixture : public AccountFixture {
public:
    EventsFixture() : AccountFixture({all_features().begin(), all_features().end()}) {
        add_account("juliet@a.test");
    }

    std::optional<OwnItem> read(const std::string& node, const std::string& id) {
        std::optional<OwnItem> found;
        personal_events::read_for(account("juliet@a.test"), node, id,
                                  [&](const std::optional<OwnItem>& item) { found = item; });
        settle();
        return found;
    }
    Outcome publish(OwnItem item, const FormValues& options = {}) {
        Outcome told = Outcome::retry("it was not told");
        personal_events::publish_for(account("juliet@a.test"), std::move(item), options,
                                     [&](const Outcome& outcome) { told = outcome; });
        settle();
        return told;
    }
};

TEST_CASE_FIXTURE(EventsFixture, "events: the server publishes for an account, and reads") {
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    settle();
    CHECK_FALSE(read("n", "").has_value());
    const FormValues options{{"pubsub#max_items", {"2"}}, {"pubsub#access_model", {"whitelist"}}};
    CHECK(publish({"n", "1", "<a xmlns='urn:example'/>"}, options).ok());
    CHECK(publish({"n", "2", "<b xmlns='urn:example'/>"}, options).ok());
    const auto newest = read("n", "");
    REQUIRE(newest.has_value());
    CHECK(newest->id == "2");
    CHECK(newest->payload == "<b xmlns='urn:example'/>");
    REQUIRE(read("n", "1").has_value());
    CHECK_FALSE(read("n", "3").has_value());
    // A node that is there stays as it is.
    CHECK(publish({"n", "3", "<c xmlns='urn:example'/>"}, {{"pubsub#max_items", {"9"}}}).ok());
    CHECK_FALSE(read("n", "1").has_value());
    sends(juliet,
          "<iq type='get' id='c1'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>"
          "<configure node='n'/></pubsub></iq>");
    settle();
    CHECK(juliet.count("<value>whitelist</value></field>") == 1);
}

TEST_CASE_FIXTURE(EventsFixture, "events: what the server cannot publish it is told") {
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    settle();
    CHECK(publish({"n", "1", ""}).cause() == Cause::refused);
    CHECK(publish({"n", "1", "<a/>"}, {{"pubsub#dance", {"1"}}}).cause() == Cause::refused);
    CHECK_FALSE(read("n", "").has_value());
}

TEST_CASE_FIXTURE(EventsFixture, "events: an avatar is published and read as one") {
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    settle();
    const auto publish_it = [&](const personal_events::Avatar& avatar) {
        Outcome told = Outcome::retry("it was not told");
        personal_events::publish_avatar(account("juliet@a.test"), avatar,
                                        [&](const Outcome& outcome) { told = outcome; });
        settle();
        return told;
    };
    const auto read_it = [&] {
        std::optional<personal_events::Avatar> found;
        personal_events::read_avatar(
            account("juliet@a.test"),
            [&](const std::optional<personal_events::Avatar>& avatar) { found = avatar; });
        settle();
        return found;
    };
    CHECK_FALSE(read_it().has_value());
    CHECK(publish_it({"image/png", "?"}).cause() == Cause::malformed);
    // "abc", whose SHA-1 is known.
    CHECK(publish_it({"image/png", "YWJj"}).ok());
    const auto metadata = read("urn:xmpp:avatar:metadata", "");
    REQUIRE(metadata.has_value());
    CHECK(metadata->id == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(metadata->payload ==
          "<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='3' "
          "id='a9993e364706816aba3e25717850c26c9cd0d89d' type='image/png'/></metadata>");
    REQUIRE(read_it().has_value());
    CHECK(read_it()->type == "image/png");
    CHECK(read_it()->base64 == "YWJj");
    CHECK(publish_it({"image/jpeg", "YWJj"}).ok());  // the same picture: nothing is published
    CHECK(read_it()->type == "image/png");
    CHECK(publish_it({"", ""}).ok());
    CHECK_FALSE(read_it().has_value());
    CHECK(read("urn:xmpp:avatar:metadata", "")->payload ==
          "<metadata xmlns='urn:xmpp:avatar:metadata'/>");
}

}  // namespace
}  // namespace causeway::test
