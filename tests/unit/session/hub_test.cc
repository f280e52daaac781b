// What the hub of a shard tells features, and how it settles tickets of other shards.
#include "gateway/session/hub.h"

#include <doctest/doctest.h>

#include "gateway/session/accounts.h"
#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

/// What features have heard, by the name of the event.
std::vector<std::string>& heard() {
    static std::vector<std::string> names;
    return names;
}

template <LifeEvent event>
void note(const Life&) {
    constexpr std::array names{"bound",     "resumed", "hibernates", "room",    "gone",
                               "loaded",    "removed", "presence",   "contact", "link up",
                               "link down", "changed", "started",    "tick",    "draining"};
    heard().emplace_back(names[static_cast<std::size_t>(event)]);
}

constexpr std::array life{
    LifeHook{LifeEvent::session_gone, note<LifeEvent::session_gone>},
    LifeHook{LifeEvent::account_loaded, note<LifeEvent::account_loaded>},
    LifeHook{LifeEvent::presence_changed, note<LifeEvent::presence_changed>},
    LifeHook{LifeEvent::contact_changed, note<LifeEvent::contact_changed>},
    LifeHook{LifeEvent::configuration_changed, note<LifeEvent::configuration_changed>},
    LifeHook{LifeEvent::started, note<LifeEvent::started>},
    LifeHook{LifeEvent::tick, note<LifeEvent::tick>},
    LifeHook{LifeEvent::draining, note<LifeEvent::draining>},
};
const Feature listening{.name = "listening", .points = {.life = life}};

using Names = std::vector<std::string>;

struct LifeFixture : AccountFixture {
    LifeFixture() : AccountFixture({&listening}) { heard().clear(); }
};

}  // namespace

TEST_CASE_FIXTURE(LifeFixture,
                  "hub: features hear the start, a tick a minute, a reload and the end") {
    hub->begin();
    CHECK(heard() == Names{"started"});
    SharedFixture::pass(Duration(59'000), Duration(1000));
    CHECK(heard() == Names{"started"});
    SharedFixture::pass(Duration(2'000), Duration(1000));
    CHECK(heard() == Names{"started", "tick"});
    SharedFixture::pass(Duration(60'000), Duration(1000));
    CHECK(heard() == Names{"started", "tick", "tick"});
    heard().clear();
    hub->adopt(config, nullptr);
    hub->drain();
    CHECK(heard() == Names{"changed", "draining"});
}

TEST_CASE_FIXTURE(LifeFixture, "hub: features hear what becomes of accounts and sessions, once") {
    add_account("romeo@a.test");
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    settle();
    CHECK(heard() == Names{"loaded"});
    sends(romeo, "<presence/>");
    sends(romeo, "<presence to='juliet@b.test' type='subscribe'/>");
    settle();
    CHECK(heard() == Names{"loaded", "presence", "contact"});
    heard().clear();
    romeo.leave();
    settle();
    CHECK(heard() == Names{"presence", "gone"});
    heard().clear();
    { const RecordingSession nobody(*hub, "nobody@a.test/x"); }
    settle();
    CHECK(heard() == Names{"gone"});  // an account that does not exist is not loaded
}

namespace {

std::vector<std::string>& takers() {
    static std::vector<std::string> names;
    return names;
}
void note_takers(const Delivered& delivered) {
    std::string all(delivered.packet->id());
    for (const Resource* session : delivered.sessions) {
        all += ' ' + std::string(session->jid().resource());
    }
    takers().push_back(all);
}
constexpr std::array delivered_hooks{DeliveredHook{Phase::copy, note_takers}};
const Feature copying{.name = "copying", .points = {.delivered = delivered_hooks}};

struct CopyFixture : AccountFixture {
    CopyFixture() : AccountFixture({&copying}) { takers().clear(); }
    void message(std::string_view id, std::string_view type, std::string_view to = "") {
        arrives("<message from='nurse@b.test/x' to='romeo@a.test" + std::string(to) + "' type='" +
                std::string(type) + "' id='" + std::string(id) + "'><body>x</body></message>");
        settle();
    }
};

}  // namespace

TEST_CASE_FIXTURE(CopyFixture, "account: features hear which sessions got a message, if any did") {
    add_account("romeo@a.test");
    message("early", "headline");
    message("stored", "chat");
    RecordingSession one(*hub, "romeo@a.test/one");
    RecordingSession two(*hub, "romeo@a.test/two");
    RecordingSession hidden(*hub, "romeo@a.test/hidden");
    sends(one, "<presence><priority>1</priority></presence>");
    sends(two, "<presence/>");
    sends(hidden, "<presence><priority>-1</priority></presence>");
    settle();
    message("m1", "headline");
    message("m2", "chat");
    message("m3", "chat", "/hidden");
    sends(two, "<presence><priority>1</priority></presence>");
    settle();
    message("m4", "normal");
    message("m5", "groupchat");
    sends(two, "<presence/>");
    settle();
    one.full = true;
    message("m6", "chat");
    CHECK(takers().size() == 4);
    one.full = false;
    account("romeo@a.test").inbox().room_again();
    settle();
    CHECK(takers() == Names{"m1 one two", "m2 one", "m3 hidden", "m4 one two", "m6 one"});
}

TEST_CASE_FIXTURE(AccountFixture, "account: what is not a message holds none in the ledger") {
    add_account("romeo@a.test");
    // The first entry of the ledger is another's, and on its way.
    const HoldId first = hub->ledger.hold(
        *Packet::from_bytes("<message from='nurse@b.test/x' to='tybalt@a.test/x'/>"), {},
        {AccountInbox::store_name, "tybalt@a.test", 0});
    REQUIRE(first == 1);
    RecordingSession romeo(*hub, "romeo@a.test/orchard");
    RecordingSession other(*hub, "romeo@a.test/other");
    romeo.interested = true;
    settle();
    arrives("<presence type='subscribe' from='nurse@b.test' to='romeo@a.test'/>");
    settle();
    sends(romeo, "<presence/>");
    sends(other, "<presence/>");
    sends(romeo, "<presence><priority>high</priority></presence>");
    sends(romeo, "<presence type='subscribe' to='tybalt@b.test'/>");
    sends(romeo, "<iq type='get' id='i'><query xmlns='urn:example:nothing'/></iq>");
    arrives("<presence type='subscribe' from='tybalt@b.test' to='romeo@a.test'/>");
    arrives("<presence from='nurse@b.test/x' to='romeo@a.test'/>");
    arrives("<presence from='nurse@b.test/x' to='romeo@a.test/orchard'/>");
    arrives("<message type='headline' from='nurse@b.test/x' to='romeo@a.test'/>");
    arrives(
        "<iq type='get' id='i' from='nurse@b.test/x' to='romeo@a.test/orchard'><q "
        "xmlns='q'/></iq>");
    arrives("<iq type='result' id='i' from='nurse@b.test/x' to='romeo@a.test/orchard'/>");
    settle();
    CHECK(romeo.received.size() >= 10);
    CHECK(hub->ledger.packet(first) != nullptr);
    CHECK(hub->ledger.open() == 1);
}

TEST_CASE("hub: a ticket is settled where its holder lives") {
    struct Holder final : TicketHolder {
        void expect_again(std::uint32_t) override {}
        void settled(std::uint32_t number) override { safe.push_back(number); }
        std::vector<std::uint32_t> safe;
    };
    SharedFixture f(2, std::move(*FeatureRegistry::build({})));
    std::vector<std::unique_ptr<Hub>> hubs;
    for (unsigned i = 0; i < 2; ++i) {
        hubs.push_back(std::make_unique<Hub>(f.shared, f.shards[i], f.net, f.dns,
                                             std::make_shared<const Config>(), nullptr));
        f.shared.hubs.push_back(hubs.back().get());
    }
    Holder holder;
    const std::uint64_t id = hubs[1]->next_id();
    CHECK(hubs[0]->next_id() != id);
    CHECK(hubs[1]->next_id() != id);
    hubs[1]->ticket_holders.emplace(id, &holder);
    hubs[0]->settle({.holder = id, .shard = 1, .number = 4});
    CHECK(holder.safe.empty());
    f.settle();
    CHECK(holder.safe == std::vector<std::uint32_t>{4});
    hubs[1]->settle({.holder = id, .shard = 1, .number = 5});
    CHECK(holder.safe == std::vector<std::uint32_t>{4, 5});
    hubs[1]->settle({.holder = id + 100, .shard = 1, .number = 6});  // it is gone
    hubs[1]->settle({});                                             // nobody waits
    f.settle();
    CHECK(holder.safe == std::vector<std::uint32_t>{4, 5});
}

}  // namespace causeway::test
