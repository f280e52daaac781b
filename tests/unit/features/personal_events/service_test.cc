#include "gateway/features/personal_events/service.h"

#include "gateway/features/personal_events/avatar.h"

#include "gateway/features/private_storage.h"
#include "gateway/features/registry.h"
#include "gateway/features/vcard.h"
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
                                  [&](const Result<OwnItem>& item) {
                                      if (item) found = *item;
                                  });
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
    CHECK(juliet.count("<value>whitelist</value><option") == 1);
}

TEST_CASE_FIXTURE(EventsFixture, "events: what the server cannot publish it is told") {
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    settle();
    CHECK(publish({"n", "1", ""}).cause() == Cause::refused);
    CHECK(publish({"n", "1", "<a/>"}, {{"pubsub#dance", {"1"}}}).cause() == Cause::refused);
    CHECK_FALSE(read("n", "").has_value());
}

TEST_CASE_FIXTURE(EventsFixture, "events: an item that cannot be read now is not edited") {
    RecordingSession juliet(*hub, "juliet@a.test/balcony");
    settle();
    CHECK(publish({"n", "1", "<a xmlns='urn:example'/>"}).ok());
    std::vector<Outcome> told;
    int edited = 0;
    const auto edit = [&](std::string item) {
        personal_events::edit_for(
            account("juliet@a.test"), "n", std::move(item), "1",
            [&](const OwnItem*) {
                ++edited;
                return std::optional<std::string>("<b xmlns='urn:example'/>");
            },
            {}, [&](const Outcome& outcome) { told.push_back(outcome); });
        settle();
    };
    for (const char* const item : {"1", ""}) {
        store.fail_next_reads(1);
        edit(item);
    }
    REQUIRE(told.size() == 2);
    CHECK(told.front().cause() == Cause::retry);
    CHECK(told.back().cause() == Cause::retry);
    CHECK(edited == 0);
    edit("1");
    REQUIRE(told.size() == 3);
    CHECK(told.back().ok());
    CHECK(edited == 1);
    CHECK(read("n", "1")->payload == "<b xmlns='urn:example'/>");
}

TEST_CASE_FIXTURE(EventsFixture, "events, cards and private storage: none for a removed account") {
    Account& juliet = account("juliet@a.test");
    juliet.begin_question();  // something is under way
    juliet.when_loaded([](const Outcome&) {});
    settle();
    CHECK(publish({"n", "1", "<a xmlns='urn:example'/>"}).ok());
    Batch batch;
    account_store::plan_clear(batch, hub->shared.features, "juliet@a.test");
    batch.map_clear(account_store::store_name, "juliet@a.test");
    commit(std::move(batch));
    juliet.reload();
    settle();
    REQUIRE_FALSE(juliet.exists());
    CHECK(publish({"n", "2", "<a xmlns='urn:example'/>"}).cause() == Cause::refused);
    Outcome retracted;
    personal_events::retract_for(juliet, "n", "1",
                                 [&](const Outcome& outcome) { retracted = outcome; });
    Outcome card;
    edit_card(
        juliet, "test", [](const std::string&) { return "<vCard xmlns='vcard-temp'/>"; },
        [&](const Outcome& outcome) { card = outcome; });
    Outcome element;
    edit_private(
        juliet, "urn:example", "a", [](const std::string&) { return "<a xmlns='urn:example'/>"; },
        [&](const Outcome& outcome) { element = outcome; });
    settle();
    CHECK(retracted.cause() == Cause::refused);
    CHECK(card.cause() == Cause::absent);
    CHECK(element.cause() == Cause::absent);
    juliet.end_question();
}

// ---- the account is read again, and what it is read with has changed meanwhile ----

class ReloadFixture : public EventsFixture {
public:
    ReloadFixture() { settle(); }

    /// The account is read as it is before `change`, which is durable before that is there.
    void reload_during(const std::function<void()>& change) {
        store.hold_commits();
        change();
        settle();
        store.hold_answers();
        account("juliet@a.test").reload();
        store.release_commits();
        settle();
        store.release_answers();
        settle();
        REQUIRE(account("juliet@a.test").loaded());
    }
    void publishes(const std::string& id) {
        personal_events::publish_for(account("juliet@a.test"),
                                     {"n", id, "<a xmlns='urn:example'/>"}, {}, {});
    }
    static std::string owns(const std::string& what) {
        return "<iq type='set' id='o1'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>" +
               what + "</pubsub></iq>";
    }

    RecordingSession juliet{*hub, "juliet@a.test/balcony"};
};

TEST_CASE_FIXTURE(ReloadFixture, "events: a node that is made while the account is read stays") {
    reload_during([&] { publishes("1"); });
    CHECK(read("n", "1").has_value());
}

TEST_CASE_FIXTURE(ReloadFixture, "events: what is published while the account is read counts") {
    publishes("1");
    settle();
    reload_during([&] { publishes("2"); });
    const auto newest = read("n", "");
    REQUIRE(newest.has_value());
    CHECK(newest->id == "2");
}

TEST_CASE_FIXTURE(ReloadFixture, "events: a node that is deleted while it is read is gone") {
    publishes("1");
    settle();
    reload_during([&] { sends(juliet, owns("<delete node='n'/>")); });
    CHECK(juliet.count("type='result'") == 1);
    sends(juliet, owns("<delete node='n'/>"));
    settle();
    CHECK(juliet.count("item-not-found") == 1);
}

TEST_CASE_FIXTURE(ReloadFixture, "vcard: a photo that is set while the account is read is shown") {
    reload_during([&] {
        sends(juliet,
              "<iq type='set' id='v1'><vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE>"
              "<BINVAL>AAAA</BINVAL></PHOTO></vCard></iq>");
    });
    CHECK(juliet.count("type='result'") == 1);
    sends(juliet, "<presence/>");
    settle();
    CHECK(juliet.count("<photo>") == 1);
}

TEST_CASE_FIXTURE(ReloadFixture, "last activity: words said while the account is read are kept") {
    sends(juliet, "<presence/>");
    settle();
    reload_during([&] {
        sends(juliet, "<presence type='unavailable'><status>Good night</status></presence>");
    });
    juliet.received.clear();
    sends(juliet, "<iq type='get' to='juliet@a.test' id='l1'><query xmlns='jabber:iq:last'/></iq>");
    settle();
    CHECK(juliet.count(">Good night</query>") == 1);
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
        personal_events::read_avatar(account("juliet@a.test"),
                                     [&](const Result<personal_events::Avatar>& avatar) {
                                         if (avatar) found = *avatar;
                                     });
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
    REQUIRE(read_it().has_value());
    CHECK(read_it()->base64.empty());
    CHECK(read("urn:xmpp:avatar:metadata", "")->payload ==
          "<metadata xmlns='urn:xmpp:avatar:metadata'/>");
}

}  // namespace
}  // namespace causeway::test
