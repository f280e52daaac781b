// Links in a whole server: pauses between attempts, and bounds that act on what is new.
#include <doctest/doctest.h>

#include "tests/unit/server/operations_fixture.h"

namespace causeway::test {
namespace {

struct Fixture : OperationsFixture {
    void send(const std::string& from, const std::string& to) {
        const PacketRef packet =
            *Packet::from_bytes("<message to='" + to + "' from='" + from +
                                "' id='m' type='chat'><body>x</body></message>");
        Hub& hub = *server->home_of(Jid::parse(to)->domain()).hub;
        hub.shard.post([&hub, packet] { hub.routing->route(packet); });
    }
    PairReport report(const std::string& domain) {
        PairReport found;
        server->home_of(domain).servers->each_pair([&](RemotePair& pair) {
            if (pair.remote() == domain) found = pair.report();
        });
        return found;
    }
    std::size_t pairs() {
        std::size_t count = 0;
        for (unsigned i = 0; i < 2; ++i) {
            server->part(i).servers->each_pair([&](RemotePair&) { ++count; });
        }
        return count;
    }
    std::size_t attempts(const std::string& domain) {
        std::size_t count = 0;
        for (const std::string& question : dns.questions()) {
            if (question == "SRV _xmpp-server._tcp." + domain) ++count;
        }
        return count;
    }
    void make_unreachable(const std::string& domain) {
        dns.set_retry("_xmpps-server._tcp." + domain);
        dns.set_retry("_xmpp-server._tcp." + domain);
    }
};

TEST_CASE_FIXTURE(Fixture,
                  "pauses between attempts double, within the bounds, until it is reached") {
    make_unreachable("far.test");
    send("juliet@a.test", "romeo@far.test");
    settle();
    CHECK(attempts("far.test") == 1);
    CHECK(report("far.test").state == "waiting");
    std::int64_t before = 0;
    for (std::size_t attempt = 1; attempt <= 5; ++attempt) {
        const PairReport waiting = report("far.test");
        CHECK(waiting.attempts == attempt);
        const std::int64_t pause = waiting.next_retry - clock.wall();
        CHECK(pause > before);
        before = pause;
        pass(Duration{pause + 200});
        CHECK(attempts("far.test") == attempt + 1);
    }
}

TEST_CASE_FIXTURE(Fixture, "a domain without anything that waits is forgotten after a while") {
    send("juliet@a.test", "romeo@nowhere.test");
    settle();
    CHECK(pairs() == 1);
    CHECK(report("nowhere.test").last_error.find("nowhere.test") != std::string::npos);
    clock.advance(Duration{700'000});
    settle();
    clock.advance(Duration{61'000});
    settle();
    CHECK(pairs() == 0);
}

TEST_CASE_FIXTURE(Fixture, "one account cannot fill the table with domains that do not answer") {
    const std::size_t most = 2 * ServerTable::unreached_per_account;
    for (std::size_t i = 0; i < most + 200; ++i) {
        const std::string domain = "d" + std::to_string(i) + ".test";
        make_unreachable(domain);
        send("juliet@a.test", "romeo@" + domain);
    }
    settle();
    CHECK(pairs() <= most);
    const std::size_t known = pairs();
    make_unreachable("other.test");
    send("nurse@a.test", "romeo@other.test");
    settle();
    CHECK(pairs() == known + 1);
}

}  // namespace
}  // namespace causeway::test
