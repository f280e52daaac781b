// How a domain's server is found, over a scripted resolver.
#include "s2s/discover.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/sim_dns.h"

using namespace causeway;
using std::chrono::seconds;

namespace {

const std::string starttls = "_xmpp-server._tcp.a.example";
const std::string direct = "_xmpps-server._tcp.a.example";

struct Fixture {
    SimLoop loop;
    SimClock clock;
    TimerWheel wheel{clock};
    SimDns dns{loop};
    std::optional<Result<Targets>> result;
    std::unique_ptr<Discovery> discovery;
    DiscoveryLimits limits;

    Fixture() {
        limits.random = [](std::uint64_t) { return std::uint64_t{0}; };
    }
    void run(const std::string& domain = "a.example") {
        result.reset();
        discovery = discover(domain, dns, wheel, limits,
                             [this](auto got) { result.emplace(std::move(got)); });
        CHECK_FALSE(result);
        loop.run_until_idle();
    }
    /// The targets as "host:port" in order, direct TLS with a '+'.
    std::vector<std::string> targets(const std::string& domain = "a.example") {
        run(domain);
        REQUIRE(result);
        std::vector<std::string> all;
        if (!result->ok()) return {result->error().why()};
        for (const auto& target : (*result)->list) {
            all.push_back(to_string(target) + (target.direct_tls ? "+" : ""));
        }
        return all;
    }
    const Outcome& failure() {
        run();
        REQUIRE(result);
        REQUIRE_FALSE(result->ok());
        return result->error();
    }
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("both services are asked at once and merged by priority") {
    Fixture f;
    f.dns.set_srv(starttls, {{10, 0, 5269, "x1"}, {30, 0, 5269, "x3"}}, seconds(60));
    f.dns.set_srv(direct, {{20, 0, 5270, "x2"}, {5, 0, 443, "x0"}}, seconds(50));
    CHECK(f.targets() == Strings{"x0:443+", "x1:5269", "x2:5270+", "x3:5269"});
    CHECK((*f.result)->ttl == seconds(50));
    CHECK((*f.result)->from_srv);
    CHECK((*f.result)->list[0].priority == 5);
    CHECK((*f.result)->list[3].priority == 30);
    auto questions = f.dns.questions();
    std::sort(questions.begin(), questions.end());
    CHECK(questions == Strings{"SRV " + starttls, "SRV " + direct});
}

TEST_CASE("either service alone is enough, whatever became of the other") {
    for (const int other : {0, 1, 2}) {
        CAPTURE(other);
        Fixture f;
        f.dns.set_srv(starttls, {{10, 0, 5269, "x1"}});
        if (other == 1) f.dns.set_retry(direct);
        if (other == 2) f.dns.set_srv(direct, {{0, 0, 0, ""}});
        CHECK(f.targets() == Strings{"x1:5269"});

        Fixture g;
        g.dns.set_srv(direct, {{10, 0, 5270, "x1"}});
        if (other == 1) g.dns.set_retry(starttls);
        if (other == 2) g.dns.set_srv(starttls, {{0, 0, 0, ""}});
        CHECK(g.targets() == Strings{"x1:5270+"});
    }
}

TEST_CASE("the target '.' is a decided no, and nothing is tried instead") {
    Fixture f;
    f.dns.set_addresses("a.example", {"192.0.2.1"});
    f.dns.set_srv(starttls, {{0, 0, 0, ""}});
    const Outcome no = f.failure();
    CHECK(no.cause() == Cause::absent);
    CHECK(no.why() == "a.example offers no federation (its SRV target is \".\")");
    f.dns.set_srv(direct, {{0, 0, 0, ""}});
    CHECK(f.failure().cause() == Cause::absent);
    f.dns.set_retry(direct);
    CHECK(f.failure().cause() == Cause::retry);
    CHECK(std::count(f.dns.questions().begin(), f.dns.questions().end(), "A a.example") == 0);
}

TEST_CASE("'.' for direct TLS alone leaves the fallback open") {
    Fixture f;
    f.dns.set_addresses("a.example", {"192.0.2.1"});
    f.dns.set_srv(direct, {{0, 0, 0, ""}});
    CHECK(f.targets() == Strings{"a.example:5269"});
}

TEST_CASE("'.' among other records is ignored") {
    Fixture f;
    f.dns.set_srv(starttls, {{0, 0, 0, ""}, {10, 0, 5269, "x1"}});
    CHECK(f.targets() == Strings{"x1:5269"});
}

TEST_CASE("without SRV records the domain itself is tried") {
    Fixture f;
    f.dns.set_addresses("a.example", {"192.0.2.1"}, seconds(77));
    CHECK(f.targets() == Strings{"a.example:5269"});
    CHECK((*f.result)->ttl == seconds(77));
    CHECK_FALSE((*f.result)->from_srv);
}

TEST_CASE("a failing SRV look-up is no reason to fall back") {
    for (const std::string& failing : {starttls, direct}) {
        Fixture f;
        f.dns.set_addresses("a.example", {"192.0.2.1"});
        f.dns.set_retry(failing);
        const Outcome later = f.failure();
        CHECK(later.cause() == Cause::retry);
        CHECK(later.why() ==
              "cannot find the server of a.example now: the name server failed: " + failing);
    }
}

TEST_CASE("a look-up that nobody answers in its time leaves the domain itself") {
    Fixture f;
    f.dns.set_addresses("a.example", {"192.0.2.1"});
    f.dns.set_never(starttls);
    f.dns.set_never(direct);
    f.run();
    CHECK_FALSE(f.result);
    f.loop.run_for(f.clock, f.wheel, f.limits.patience - Duration{100});
    CHECK_FALSE(f.result);
    f.loop.run_for(f.clock, f.wheel, Duration{200});
    REQUIRE(f.result);
    REQUIRE(f.result->ok());
    CHECK((*f.result)->list.front().host == "a.example");
    // An answer that comes after all changes nothing.
    f.dns.set_srv(starttls, {{10, 0, 5269, "x1"}});
    f.loop.run_until_idle();
    CHECK((*f.result)->list.front().host == "a.example");
}

TEST_CASE("silence about one service does not hide what is known of the other") {
    Fixture f;
    f.dns.set_addresses("a.example", {"192.0.2.1"});
    f.dns.set_never(direct);
    f.dns.set_srv(starttls, {{10, 0, 5269, "x1"}});
    f.run();
    f.loop.run_for(f.clock, f.wheel, f.limits.patience * 2);
    REQUIRE(f.result);
    REQUIRE(f.result->ok());
    CHECK((*f.result)->list.front().host == "x1");
    f.dns.set_retry(starttls);
    f.run();
    f.loop.run_for(f.clock, f.wheel, f.limits.patience * 2);
    REQUIRE(f.result);
    CHECK(f.result->error().cause() == Cause::retry);
}

TEST_CASE("no record at all means no such domain; a failing address look-up does not") {
    Fixture f;
    const Outcome no = f.failure();
    CHECK(no.cause() == Cause::absent);
    CHECK(no.why() == "no such domain: a.example has neither an SRV record nor an address");
    f.dns.set_retry("a.example");
    CHECK(f.failure().cause() == Cause::retry);
}

TEST_CASE("IP literals need no look-up of services") {
    Fixture f;
    CHECK(f.targets("192.0.2.1") == Strings{"192.0.2.1:5269"});
    CHECK(f.targets("[2001:db8::1]") == Strings{"[2001:db8::1]:5269"});
    for (const auto& question : f.dns.questions()) CHECK(question.substr(0, 2) == "A ");
}

TEST_CASE("no more targets than the limit, the most preferred of them, none twice") {
    Fixture f;
    std::vector<SrvRecord> many;
    for (std::uint16_t i = 100; i > 0; --i) many.push_back({i, 0, 5269, "x" + std::to_string(i)});
    many.push_back({1, 0, 5269, "x1"});
    f.dns.set_srv(starttls, many);
    f.dns.set_srv(direct, {{1, 0, 5269, "x1"}});
    const auto targets = f.targets();
    CHECK(targets.size() == 20);
    CHECK(std::count(targets.begin(), targets.end(), "x1:5269") == 1);
    CHECK(std::count(targets.begin(), targets.end(), "x1:5269+") == 1);
    CHECK(targets.back() == "x19:5269");
}

TEST_CASE("weights set the odds of the first place, and zero still has a chance") {
    std::vector<SrvRecord> records{
        {10, 0, 5269, "none"}, {10, 25, 5269, "quarter"}, {10, 75, 5269, "most"}};
    // In whatever order the answer has them.
    for (std::size_t turn = 0; turn < records.size(); ++turn) {
        CAPTURE(turn);
        std::rotate(records.begin(), records.begin() + 1, records.end());
        Fixture f;
        f.limits.random = nullptr;
        f.dns.set_srv(starttls, records);
        std::map<std::string, int> first;
        constexpr int rounds = 4000;
        for (int i = 0; i < rounds; ++i) {
            const auto targets = f.targets();
            CHECK(targets.size() == 3);
            ++first[targets.front()];
        }
        // Expected 40, 990 and 2970 of 4000; the bounds are some eight deviations away.
        CHECK(first["none:5269"] > 0);
        CHECK(first["none:5269"] < 100);
        CHECK(first["quarter:5269"] > 780);
        CHECK(first["quarter:5269"] < 1200);
        CHECK(first["most:5269"] > 2700);
    }
}

TEST_CASE("equal records share the first place") {
    for (const unsigned number : {0U, 1U, 65535U}) {
        const auto weight = static_cast<std::uint16_t>(number);
        CAPTURE(weight);
        Fixture f;
        f.limits.random = nullptr;
        f.dns.set_srv(starttls, {{10, weight, 5269, "x1"}, {10, weight, 5269, "x2"}});
        std::map<std::string, int> first;
        for (int i = 0; i < 1000; ++i) ++first[f.targets().front()];
        CHECK(first["x1:5269"] > 400);
        CHECK(first["x2:5269"] > 400);
    }
}

TEST_CASE("a discovery is cancelled by destroying it, also from its own answer") {
    Fixture f;
    f.dns.set_never(starttls);
    f.run();
    CHECK_FALSE(f.result);
    f.discovery.reset();
    f.dns.set_srv(starttls, {{10, 0, 5269, "x1"}});
    f.loop.run_until_idle();
    CHECK_FALSE(f.result);

    int calls = 0;
    f.discovery = discover("a.example", f.dns, f.wheel, {}, [&](auto result) {
        CHECK(result.ok());
        ++calls;
        f.discovery.reset();
    });
    f.loop.run_until_idle();
    CHECK(calls == 1);
}

TEST_CASE("direct TLS can be left out") {
    Fixture f;
    f.limits.direct_tls = false;
    f.dns.set_srv(starttls, {{10, 0, 5269, "x1"}});
    f.dns.set_srv(direct, {{1, 0, 5270, "x0"}});
    CHECK(f.targets() == Strings{"x1:5269"});
}
