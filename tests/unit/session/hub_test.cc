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
    constexpr std::array names{"bound",   "resumed",  "hibernates", "gone",    "loaded",
                               "removed", "presence", "contact",    "link up", "link down",
                               "changed", "started",  "tick",       "draining"};
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

TEST_CASE("hub: a ticket is settled where its holder lives") {
    struct Holder final : TicketHolder {
        void expect_again(std::uint32_t) override {}
        void settled(std::uint32_t number) override { safe.push_back(number); }
        std::vector<std::uint32_t> safe;
    };
    SharedFixture f(2, *FeatureRegistry::build({}));
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
