// Links in a whole server: pauses between attempts, and bounds that act on what is new.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

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
    /// An iq request whose packet has that many bytes, or as few as it can have.
    void ask(const std::string& from, const std::string& to, std::size_t bytes = 0) {
        const std::string before = "<iq to='" + to + "' from='" + from +
                                   "' id='i' type='get'><query xmlns='urn:example:x'>";
        const std::string behind = "</query></iq>";
        const std::size_t around = before.size() + behind.size();
        bytes = std::max(bytes, around + 1);
        const PacketRef packet =
            *Packet::from_bytes(before + std::string(bytes - around, 'x') + behind);
        REQUIRE(packet->bytes().size() == bytes);
        Hub& hub = *server->home_of(Jid::parse(to)->domain()).hub;
        hub.shard.post([&hub, packet] { hub.routing->route(packet); });
    }
    /// Nobody answers who knows where the domain is.
    void keep_attempts_open(const std::string& domain) {
        dns.set_never("_xmpps-server._tcp." + domain);
        dns.set_never("_xmpp-server._tcp." + domain);
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

TEST_CASE_FIXTURE(Fixture, "what an account wrote to in vain is forgotten, and it may write anew") {
    const std::size_t most = 2 * ServerTable::unreached_per_account;
    for (std::size_t i = 0; i < most + 200; ++i) {
        send("juliet@a.test", "romeo@d" + std::to_string(i) + ".test");  // no such domain
    }
    settle();
    const std::size_t known = pairs();
    CHECK(known <= most);
    send("juliet@a.test", "romeo@other.test");
    send("juliet@a.test", "romeo@others.test");
    settle();
    CHECK(pairs() <= most);
    for (int minute = 0; minute < 12; ++minute) {
        clock.advance(Duration{61'000});
        settle();
    }
    CHECK(pairs() == 0);
    for (std::size_t i = 0; i < 100; ++i) {
        send("juliet@a.test", "romeo@e" + std::to_string(i) + ".test");
    }
    settle();
    CHECK(pairs() == 100);
}

TEST_CASE_FIXTURE(Fixture, "nothing is sent for a domain that is not ours") {
    send("romeo@elsewhere.test", "juliet@far.test");
    settle();
    CHECK(pairs() == 0);
    CHECK(attempts("far.test") == 0);
}

TEST_CASE_FIXTURE(Fixture, "what waits in memory for an attempt is bounded by number") {
    keep_attempts_open("far.test");
    for (int i = 0; i < 999; ++i) ask("juliet@a.test", "far.test");
    send("juliet@a.test", "romeo@far.test");
    settle();
    CHECK(report("far.test").state == "resolving");
    CHECK(report("far.test").in_memory == 1000);
    CHECK(log_rows("outbound", "far.test a.test") == 0);
    ask("juliet@a.test", "far.test");
    settle();
    CHECK(report("far.test").in_memory == 1000);
    // A message finds room: what can be stored goes to the store, and it follows.
    send("juliet@a.test", "romeo@far.test");
    settle();
    CHECK(report("far.test").in_memory == 999);
    CHECK(log_rows("outbound", "far.test a.test") == 2);
    ask("juliet@a.test", "far.test");
    ask("juliet@a.test", "far.test");
    settle();
    CHECK(report("far.test").in_memory == 1000);
}

TEST_CASE_FIXTURE(Fixture, "what waits in memory for an attempt is bounded by bytes") {
    constexpr std::size_t mib = 1U << 20U;
    keep_attempts_open("far.test");
    for (int i = 0; i < 4; ++i) ask("juliet@a.test", "far.test", mib);
    ask("juliet@a.test", "far.test");
    settle();
    CHECK(report("far.test").in_memory == 4);
    keep_attempts_open("near.test");
    for (int i = 0; i < 4; ++i) ask("juliet@a.test", "near.test", i == 0 ? mib - 1 : mib);
    ask("juliet@a.test", "near.test", mib);
    ask("juliet@a.test", "near.test");
    settle();
    CHECK(report("near.test").in_memory == 5);
    // What is stored makes room.
    keep_attempts_open("next.test");
    send("juliet@a.test", "romeo@next.test");
    for (int i = 0; i < 4; ++i) ask("juliet@a.test", "next.test", i == 0 ? mib - 1 : mib);
    settle();
    CHECK(report("next.test").in_memory == 5);
    send("juliet@a.test", "romeo@next.test");
    settle();
    CHECK(report("next.test").in_memory == 4);
    ask("juliet@a.test", "next.test");
    settle();
    CHECK(report("next.test").in_memory == 5);
}

TEST_CASE_FIXTURE(Fixture,
                  "a table that is full forgets what need not be remembered, and no more") {
    const auto fill = [&](std::size_t from, std::size_t count) {
        std::size_t made = 0;
        for (std::size_t i = from; made < count; ++i) {
            const std::string domain = "d" + std::to_string(i) + ".test";
            if (&server->home_of(domain) != &server->part(0)) continue;
            ask("u" + std::to_string(made / ServerTable::unreached_per_account) + "@a.test",
                domain);
            if (++made % 1000 == 0) settle();
        }
        settle();
    };
    fill(0, ServerTable::pair_limit);
    CHECK(pairs() == ServerTable::pair_limit);
    clock.advance(Duration{4000});
    fill(1'000'000, 1);
    CHECK(pairs() == ServerTable::pair_limit);
    clock.advance(Duration{2000});
    fill(1'000'000, 1);
    CHECK(pairs() == 1);
}

}  // namespace
}  // namespace causeway::test
