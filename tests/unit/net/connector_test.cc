// Connector over the simulated network, clock and DNS, and once over real sockets.
#include "gateway/net/connector.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "gateway/net/system_network.h"
#include "tests/support/sim_dns.h"
#include "tests/support/sim_net.h"
#include "tests/support/test_loop.h"

using namespace causeway;

namespace {

struct Fixture {
    SimClock clock;
    SimLoop loop;
    TimerWheel wheel{clock};
    SimNet net{loop};
    SimDns dns{loop};
    std::vector<std::unique_ptr<Acceptor>> acceptors;
    std::vector<std::unique_ptr<Socket>> accepted;
    std::vector<Result<ConnectedTarget>> results;
    std::unique_ptr<Connector> connector;

    void listen(const std::string& address, std::uint16_t port = 5269) {
        acceptors.push_back(std::move(*net.listen(sim_endpoint(address, port), [this](auto socket) {
            accepted.push_back(std::move(socket));
        })));
    }
    void swallow(const std::string& address, std::uint16_t port = 5269) {
        net.set_behaviour(sim_endpoint(address, port), SimBehaviour::swallows);
    }
    void start(std::vector<ConnectTarget> targets, ConnectorLimits limits = {}) {
        connector = std::make_unique<Connector>(
            net, dns, wheel, clock, std::move(targets), limits,
            [this](auto result) { results.push_back(std::move(result)); });
        CHECK(results.empty());
    }
    void run(Duration time = Duration(20)) { loop.run_for(clock, wheel, time); }
    [[nodiscard]] std::string why() const {
        REQUIRE(results.size() > 0);
        REQUIRE_FALSE(results.back().ok());
        return results.back().error().why();
    }
    [[nodiscard]] Endpoint connected_to() const {
        REQUIRE(results.size() > 0);
        REQUIRE(results.back().ok());
        return results.back()->socket->remote();
    }
    [[nodiscard]] std::vector<std::string> attempts() const {
        std::vector<std::string> all;
        for (const Endpoint& endpoint : net.attempts()) all.push_back(to_string(endpoint));
        return all;
    }
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a target is resolved, connected to, and named in the result") {
    Fixture f;
    f.dns.set_addresses("x.example", {"10.0.0.1"});
    f.listen("10.0.0.1", 5270);
    f.start({{"x.example", 5270, true}});
    f.run();
    CHECK(to_string(f.connected_to()) == "10.0.0.1:5270");
    CHECK(f.results.back()->target == ConnectTarget{"x.example", 5270, true});
    CHECK(f.net.pending() == 0);
}

TEST_CASE("families alternate, IPv6 first, no more than the limit of each") {
    Fixture f;
    f.dns.set_addresses("x.example", {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "2001:db8::1",
                                      "2001:db8::2"});
    f.start({{"x.example", 5269, false}});
    f.run(Duration(2000));
    CHECK(f.attempts() == Strings{"[2001:db8::1]:5269", "10.0.0.1:5269", "[2001:db8::2]:5269",
                                  "10.0.0.2:5269", "10.0.0.3:5269"});
    CHECK(f.why() == "x.example:5269 connection refused");
    CHECK(f.results.back().error().cause() == Cause::retry);
}

TEST_CASE("beside a silent address the next starts after 250 ms, and the first to connect wins") {
    Fixture f;
    f.dns.set_addresses("x.example", {"10.0.0.1", "2001:db8::1"});
    f.swallow("2001:db8::1");
    f.listen("10.0.0.1");
    f.start({{"x.example", 5269, false}});
    f.run(Duration(200));
    CHECK(f.attempts() == Strings{"[2001:db8::1]:5269"});
    CHECK(f.results.empty());
    f.run(Duration(100));
    CHECK(to_string(f.connected_to()) == "10.0.0.1:5269");
    CHECK(f.net.pending() == 0);
}

TEST_CASE("a refused address gives way at once") {
    Fixture f;
    f.dns.set_addresses("x.example", {"10.0.0.1", "2001:db8::1"});
    f.listen("10.0.0.1");
    f.start({{"x.example", 5269, false}});
    f.run(Duration(20));
    CHECK(to_string(f.connected_to()) == "10.0.0.1:5269");
}

TEST_CASE("the next target starts beside a silent one after a while, not before") {
    Fixture f;
    f.dns.set_addresses("dead.example", {"10.0.0.1"});
    f.dns.set_addresses("live.example", {"10.0.0.2"});
    f.swallow("10.0.0.1");
    f.listen("10.0.0.2");
    f.start({{"dead.example", 5269, false}, {"live.example", 5269, false}});
    f.run(Duration(1900));
    CHECK(f.attempts() == Strings{"10.0.0.1:5269"});
    f.run(Duration(200));
    CHECK(f.results.size() == 1);
    CHECK(f.results.back()->target.host == "live.example");
}

TEST_CASE("a later target waits for the silent addresses of an earlier one though another failed") {
    Fixture f;
    f.dns.set_addresses("x.example", {"10.0.0.1", "10.0.0.2"});
    f.dns.set_addresses("y.example", {"10.0.0.3"});
    f.swallow("10.0.0.1");
    f.start({{"x.example", 5269, false}, {"y.example", 5269, false}});
    f.run(Duration(1000));
    CHECK(f.attempts() == Strings{"10.0.0.1:5269", "10.0.0.2:5269"});
    f.run(Duration(2000));
    CHECK(f.attempts().size() == 3);
}

TEST_CASE("every failure is told, and each attempt has its deadline") {
    Fixture f;
    f.dns.set_addresses("a.example", {"10.0.0.1"});
    f.dns.set_addresses("b.example", {"10.0.0.2"});
    f.dns.set_retry("d.example");
    f.swallow("10.0.0.2");
    f.net.set_behaviour(sim_endpoint("10.0.0.1", 5270), SimBehaviour::unreachable);
    f.start({{"a.example", 5269, false},
             {"a.example", 5270, true},
             {"b.example", 5269, false},
             {"c.example", 5269, false},
             {"d.example", 5269, false}});
    f.run(Duration(9'000));
    CHECK(f.results.empty());
    f.run(Duration(1'100));
    CHECK(
        f.why() ==
        "a.example:5269 connection refused; a.example:5270 network unreachable; c.example:5269 no "
        "such name: c.example; d.example:5269 the name server failed: d.example; b.example:5269 "
        "no answer in 10 s");
    CHECK(f.results.back().error().cause() == Cause::retry);
}

TEST_CASE("only lasting failures make a lasting one") {
    Fixture f;
    f.start({{"a.example", 5269, false}, {"b.example", 5269, false}});
    f.run();
    CHECK(f.results.back().error().cause() == Cause::absent);
    f.results.clear();

    f.dns.set_addresses("b.example", {"10.0.0.1"});
    ConnectorLimits limits;
    limits.allow_private_targets = false;
    f.start({{"a.example", 5269, false}, {"b.example", 5269, false}}, limits);
    f.run();
    CHECK(f.results.back().error().cause() == Cause::policy);
    CHECK(f.why() ==
          "a.example:5269 no such name: a.example; b.example:5269 has only addresses that policy "
          "forbids, such as 10.0.0.1");
    CHECK(f.net.attempts().empty());
    f.results.clear();

    f.start({});
    f.run();
    CHECK(f.results.back().error().cause() == Cause::absent);
}

TEST_CASE("next() goes on to later targets and tells why the earlier was of no use") {
    Fixture f;
    for (const int i : {1, 2, 3}) {
        const std::string n = std::to_string(i);
        f.dns.set_addresses("t" + n + ".example", {"10.0.0." + n, "10.0.1." + n});
        f.listen("10.0.0." + n);
        f.listen("10.0.1." + n);
    }
    f.start(
        {{"t1.example", 5269, false}, {"t2.example", 5269, false}, {"t3.example", 5269, false}});
    f.run();
    CHECK(to_string(f.connected_to()) == "10.0.0.1:5269");
    // However long the owner took to find out, that time does not count.
    f.run(Duration(300'000));
    f.connector->next(Outcome::policy("its certificate has expired"));
    CHECK(f.results.size() == 1);
    f.run();
    CHECK(to_string(f.connected_to()) == "10.0.0.2:5269");
    f.connector->next(Outcome::retry("closed the connection"), false);
    f.run();
    CHECK(to_string(f.connected_to()) == "10.0.1.2:5269");
    f.connector->next(Outcome::retry("closed the connection"), false);
    f.run();
    CHECK(to_string(f.connected_to()) == "10.0.0.3:5269");
    f.connector->next(Outcome::policy("its certificate names another host"));
    f.run();
    CHECK(f.why() ==
          "t1.example:5269 its certificate has expired; t2.example:5269 closed the connection; "
          "t3.example:5269 its certificate names another host");
    CHECK(f.results.size() == 5);
    CHECK(f.results.back().error().cause() == Cause::retry);
    f.connector->next(Outcome::retry("asked too often"));
    f.run();
    CHECK(f.results.size() == 5);
}

TEST_CASE("a target that another overtook gets its turn when that was of no use") {
    Fixture f;
    f.dns.set_addresses("slow.example", {"10.0.0.1"});
    f.dns.set_addresses("bad.example", {"10.0.0.2"});
    f.swallow("10.0.0.1");
    f.listen("10.0.0.2");
    f.start({{"slow.example", 5269, false}, {"bad.example", 5269, false}});
    f.run(Duration(2'500));
    CHECK(f.results.back()->target.host == "bad.example");
    f.net.set_behaviour(sim_endpoint("10.0.0.1", 5269), SimBehaviour::normal);
    f.listen("10.0.0.1");
    f.connector->next(Outcome::policy("its certificate has expired"));
    f.run();
    CHECK(f.results.back()->target.host == "slow.example");
}

TEST_CASE("a target whose look-up was interrupted by a success is looked up again") {
    Fixture f;
    f.dns.set_addresses("slow.example", {"10.0.0.1"});
    f.dns.set_never("second.example");
    f.swallow("10.0.0.1");
    f.listen("10.0.0.1");
    f.listen("10.0.0.2");
    f.start({{"slow.example", 5269, false}, {"second.example", 5269, false}});
    f.run(Duration(2'500));
    f.net.set_behaviour(sim_endpoint("10.0.0.1", 5269), SimBehaviour::normal);
    f.run();
    CHECK(f.results.back()->target.host == "slow.example");
    f.dns.set_addresses("second.example", {"10.0.0.2"});
    f.connector->next(Outcome::retry("closed the connection"));
    f.run();
    CHECK(f.results.size() == 2);
    CHECK(f.results.back()->target.host == "second.example");
}

TEST_CASE("time spent connecting before next() counts") {
    Fixture f;
    f.dns.set_addresses("slow.example", {"10.0.0.1"});
    f.dns.set_addresses("dead.example", {"10.0.0.2"});
    f.swallow("10.0.0.1");
    f.swallow("10.0.0.2");
    f.listen("10.0.0.1");
    ConnectorLimits limits;
    limits.total = Duration(5'000);
    f.start({{"slow.example", 5269, false}, {"dead.example", 5269, false}}, limits);
    f.run(Duration(4'000));
    f.net.set_behaviour(sim_endpoint("10.0.0.1", 5269), SimBehaviour::normal);
    f.run();
    f.connector->next(Outcome::retry("closed the connection"));
    f.run(Duration(900));
    CHECK(f.results.size() == 1);
    f.run(Duration(200));
    CHECK(f.results.size() == 2);
    CHECK(f.why() == "slow.example:5269 closed the connection; dead.example:5269 no answer in 5 s");
}

TEST_CASE("a look-up that never ends is given up, and a late answer is ignored") {
    Fixture f;
    f.dns.set_never("a.example");
    f.dns.set_addresses("b.example", {"10.0.0.2"});
    f.listen("10.0.0.2");
    f.start({{"a.example", 5269, false}, {"b.example", 5269, false}});
    f.run(Duration(9'900));
    CHECK(f.results.empty());
    f.run(Duration(200));
    CHECK(f.results.back()->target.host == "b.example");
    f.dns.set_addresses("a.example", {"10.0.0.1"});
    f.run();
    CHECK(f.attempts() == Strings{"10.0.0.2:5269"});
    f.connector->next(Outcome::retry("closed the connection"));
    f.run();
    CHECK(f.why() == "a.example:5269 no address in 10 s; b.example:5269 closed the connection");
}

TEST_CASE("there is an end to all attempts together") {
    Fixture f;
    std::vector<ConnectTarget> targets;
    for (int i = 0; i < 20; ++i) {
        const std::string n = std::to_string(i);
        f.dns.set_addresses("t" + n + ".example", {"10.0.0." + n});
        f.swallow("10.0.0." + n);
        targets.push_back({"t" + n + ".example", 5269, false});
    }
    ConnectorLimits limits;
    limits.total = Duration(15'000);
    f.start(targets, limits);
    f.run(Duration(14'900));
    CHECK(f.results.empty());
    f.run(Duration(200));
    CHECK(f.results.size() == 1);
    CHECK(f.why().find("; and 14 more") != std::string::npos);
    CHECK(f.net.pending() == 0);
}

TEST_CASE("destroying a connector cancels, before any answer and within one") {
    Fixture f;
    f.dns.set_addresses("a.example", {"10.0.0.1"});
    f.listen("10.0.0.1");
    f.start({{"a.example", 5269, false}});
    f.connector.reset();
    f.run(Duration(20'000));
    CHECK(f.results.empty());

    f.swallow("10.0.0.2");
    f.start({{"10.0.0.2", 5269, false}});
    f.connector.reset();
    f.run(Duration(70'000));
    CHECK(f.net.pending() == 0);

    int calls = 0;
    for (const char* host : {"a.example", "gone.example"}) {
        f.connector = std::make_unique<Connector>(f.net, f.dns, f.wheel, f.clock,
                                                  std::vector<ConnectTarget>{{host, 5269, false}},
                                                  ConnectorLimits{}, [&](auto) {
                                                      ++calls;
                                                      f.connector.reset();
                                                  });
        f.run();
    }
    CHECK(calls == 2);
}

TEST_CASE("the source address is bound by family") {
    Fixture f;
    f.dns.set_addresses("a.example", {"10.0.0.1"});
    f.listen("10.0.0.1");
    ConnectorLimits limits;
    limits.source_v4 = boost::asio::ip::make_address("10.9.9.9");
    f.start({{"a.example", 5269, false}}, limits);
    f.run();
    CHECK(f.results.back()->socket->local().address().to_string() == "10.9.9.9");
}

TEST_CASE("which addresses are public") {
    const auto is_public = [](const char* text) {
        return is_public_address(boost::asio::ip::make_address(text));
    };
    for (const char* text :
         {"8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "192.167.1.1", "2a00:1450::1",
          "2001:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
        CAPTURE(text);
        CHECK(is_public(text));
    }
    for (const char* text : {"0.0.0.0",
                             "10.1.2.3",
                             "100.64.0.1",
                             "127.0.0.1",
                             "127.255.255.255",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.0.1",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "fe80::1",
                             "fc00::1",
                             "fd12::1",
                             "ff02::1",
                             "::ffff:127.0.0.1",
                             "::ffff:10.0.0.1",
                             "64:ff9b::a00:1",
                             "64:ff9b:1::808:808",
                             "2002:7f00:1::1",
                             "2001:db8::1",
                             "2001::1",
                             "::10.0.0.1"}) {
        CAPTURE(text);
        CHECK_FALSE(is_public(text));
    }
}

TEST_CASE("over real sockets a dead address gives way to a living one") {
    TestLoop real;
    SystemNetwork network(real.poller, real.timers);
    SimLoop loop;
    SimDns dns(loop);
    std::unique_ptr<Socket> accepted;
    auto acceptor = network.listen({boost::asio::ip::make_address("127.77.2.2"), 0},
                                   [&](auto socket) { accepted = std::move(socket); });
    REQUIRE(acceptor.ok());
    dns.set_addresses("x.example", {"127.77.2.1", "127.77.2.2"});
    std::optional<Result<ConnectedTarget>> result;
    Connector connector(network, dns, real.timers, real.clock,
                        {{"x.example", (*acceptor)->local().port(), false}}, {},
                        [&](auto got) { result.emplace(std::move(got)); });
    real.run_until([&] {
        loop.run_until_idle();
        return result && accepted;
    });
    REQUIRE(result);
    REQUIRE(result->ok());
    CHECK((*result)->socket->remote() == (*acceptor)->local());
}
