#include "gateway/net/dns_cache.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/sim_clock.h"

using namespace causeway;
using std::chrono::seconds;

namespace {

struct Value {
    int number = 0;
    seconds ttl{0};
};

struct Fixture {
    SimClock clock;
    DnsCacheLimits limits;
    DnsCache<Value> cache{clock, limits};
    explicit Fixture(DnsCacheLimits with = {}) : limits(with) {}
};

}  // namespace

TEST_CASE("an answer is kept for its time, which a hit reports as what is left") {
    Fixture f;
    CHECK(f.cache.store("a", Value{7, seconds(30)}, seconds(30)) == seconds(30));
    f.clock.advance(seconds(29));
    auto hit = f.cache.find("a");
    REQUIRE(hit);
    REQUIRE(hit->ok());
    CHECK((*hit)->number == 7);
    CHECK((*hit)->ttl == seconds(1));
    f.clock.advance(seconds(1));
    CHECK_FALSE(f.cache.find("a"));
    CHECK(f.cache.size() == 0);
}

TEST_CASE("times are clamped by kind: positive, absent, failed") {
    Fixture f;
    CHECK(f.cache.store("a", Value{}, seconds(0)) == f.limits.positive_min);
    CHECK(f.cache.store("a", Value{}, seconds::max()) == f.limits.positive_max);
    CHECK(f.cache.store("a", Outcome::absent("no"), seconds(0)) == f.limits.absent_min);
    CHECK(f.cache.store("a", Outcome::absent("no"), seconds(1'000'000)) == f.limits.absent_max);
    CHECK(f.cache.store("a", Outcome::retry("later"), seconds(1'000'000)) == f.limits.retry_max);
    auto hit = f.cache.find("a");
    REQUIRE(hit);
    CHECK(hit->error().why() == "later");
    f.clock.advance(f.limits.retry_max);
    CHECK_FALSE(f.cache.find("a"));
}

TEST_CASE("the entry unused for longest makes room") {
    Fixture f({.entries = 3});
    for (const char* key : {"a", "b", "c"}) f.cache.store(key, Value{}, seconds(60));
    CHECK(f.cache.find("a"));
    f.cache.store("d", Value{}, seconds(60));
    CHECK(f.cache.size() == 3);
    CHECK(f.cache.find("a"));
    CHECK_FALSE(f.cache.find("b"));
    CHECK(f.cache.find("c"));
    CHECK(f.cache.find("d"));
}

TEST_CASE("storing again replaces, and clearing forgets") {
    Fixture f;
    f.cache.store("a", Outcome::absent("no"), seconds(60));
    f.cache.store("a", Value{2, seconds(5)}, seconds(5));
    auto hit = f.cache.find("a");
    REQUIRE(hit);
    CHECK(hit->ok());
    CHECK(f.cache.size() == 1);
    f.cache.clear();
    CHECK_FALSE(f.cache.find("a"));
}

TEST_CASE("a cache of no entries keeps none") {
    Fixture f({.entries = 0});
    f.cache.store("a", Value{}, seconds(60));
    CHECK(f.cache.size() == 0);
    CHECK_FALSE(f.cache.find("a"));
}
