// How many connections that have not logged in are taken, and what ends with the server.
#include "tests/unit/c2s/client_fixture.h"

namespace causeway::test {
namespace {

using Wire = MemoryChannel::Wire;

constexpr std::string_view opening =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>";
constexpr std::string_view login =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHNlY3JldA==</auth>";

struct Fixture : ClientFixture {
    Fixture() : ClientFixture(false, limited()) {}
    static std::shared_ptr<Config> limited() {
        auto config = make_config();
        config->limits.unauthenticated_connections = 3;
        config->limits.unauthenticated_connections_per_prefix = 2;
        return config;
    }
    std::shared_ptr<Wire> connects(const std::string& address) {
        auto made = std::make_shared<Wire>();
        made->address = address;
        made->framed = true;  // as over TLS: what comes first is the stream
        table.accept(std::make_unique<MemoryChannel>(shards[0], made));
        settle();
        return made;
    }
    static bool taken(const std::shared_ptr<Wire>& made) { return made->channel != nullptr; }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "client table: so many connections before login, in all and from one network") {
    const auto one = connects("192.0.2.1"), two = connects("192.0.2.2");
    CHECK(taken(one));
    CHECK(taken(two));
    CHECK_FALSE(taken(connects("192.0.2.3")));
    CHECK(table.negotiating() == 2);
    const auto three = connects("198.51.100.1");
    CHECK(taken(three));
    CHECK_FALSE(taken(connects("203.0.113.1")));
    CHECK(table.negotiating() == 3);
    SUBCASE("one that is closed makes room") {
        one->channel->end();
        settle();
        CHECK(table.negotiating() == 2);
        CHECK(taken(connects("192.0.2.3")));
        CHECK_FALSE(taken(connects("192.0.2.4")));
    }
    SUBCASE("one that logs in makes room, and takes none again when it ends") {
        one->channel->receive(opening);
        one->channel->receive(login);
        settle();
        CHECK(one->sent.find("<success ") != std::string::npos);
        CHECK(table.negotiating() == 2);
        CHECK(taken(connects("192.0.2.3")));
        one->channel->end();
        settle();
        CHECK(table.negotiating() == 3);
    }
    SUBCASE("those of the only connection of a network are forgotten with it") {
        three->channel->end();
        settle();
        CHECK(taken(connects("198.51.100.2")));
    }
}

TEST_CASE_FIXTURE(Fixture,
                  "client table: when the server ends, every stream does, and none begins") {
    const auto one = connects("192.0.2.1");
    one->channel->receive(opening);
    settle();
    table.shut_down();
    settle();
    CHECK(one->sent.find("<system-shutdown ") != std::string::npos);
    CHECK(one->closing);
    CHECK(wire->sent.find("<system-shutdown ") != std::string::npos);
    CHECK_FALSE(taken(connects("198.51.100.1")));
}

TEST_CASE("client table: each shard takes its part, and one of each network at least") {
    SharedFixture f(2, std::move(*FeatureRegistry::build(all_features())));
    auto config = make_config();
    config->limits.unauthenticated_connections = 4;
    config->limits.unauthenticated_connections_per_prefix = 1;
    Hub hub(f.shared, f.shards[0], f.net, f.dns, config, nullptr);
    ClientTable table(hub);
    const auto connects = [&](const std::string& address) {
        auto wire = std::make_shared<Wire>();
        wire->address = address;
        table.accept(std::make_unique<MemoryChannel>(f.shards[0], wire));
        f.settle();
        return wire->channel != nullptr;
    };
    CHECK(connects("192.0.2.1"));
    CHECK_FALSE(connects("192.0.2.2"));
    CHECK(connects("198.51.100.1"));
    CHECK_FALSE(connects("203.0.113.1"));
}

TEST_CASE("client stream: what was known of a client moves with it to its home") {
    ClientFixture f(false);
    REQUIRE(f.session->stream() != nullptr);
    CHECK(f.session->stream()->since() == 1234);
    CHECK(f.session->stream()->mechanism() == "PLAIN");
    CHECK(f.session->since() == f.clock.wall());
}

}  // namespace causeway::test
