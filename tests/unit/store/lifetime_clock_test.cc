#include "gateway/store/lifetime_clock.h"

#include <doctest/doctest.h>

#include <optional>

#include "tests/support/sim_clock.h"

using namespace causeway;

namespace {
constexpr UnixMillis hour = 3'600'000;
constexpr UnixMillis day = 24 * hour;
}  // namespace

TEST_CASE("lifetimes begin as the wall clock, in which older stores have their expiries") {
    SimClock clock;
    clock.advance(Duration(hour));
    const LifetimeClock lifetimes(clock);
    CHECK(lifetimes.now() == clock.wall());
    CHECK(lifetimes.over(clock.wall()));
    CHECK_FALSE(lifetimes.over(clock.wall() + 1));
    CHECK_FALSE(lifetimes.over(0));
    CHECK(lifetimes.as_wall(clock.wall() + 5) == clock.wall() + 5);
    CHECK(lifetimes.as_wall(0) == 0);
}

TEST_CASE("lifetimes pass with the process, whatever is done to the wall clock") {
    SimClock clock;
    clock.set_wall(60'000);  // 1970
    const LifetimeClock lifetimes(clock);
    const auto at_start = lifetimes.mark();
    const UnixMillis expires = lifetimes.after(Duration(day));
    clock.set_wall(SimClock::first_moment);
    CHECK_FALSE(lifetimes.over(expires));
    CHECK(lifetimes.wall_was_set_since(at_start));
    CHECK_FALSE(lifetimes.wall_was_set_since(lifetimes.mark()));
    CHECK(lifetimes.as_wall(expires) == SimClock::first_moment + day);
    clock.advance(Duration(day - 1));
    CHECK_FALSE(lifetimes.over(expires));
    clock.set_wall(0);
    CHECK_FALSE(lifetimes.over(expires));
    clock.advance(Duration(1));
    CHECK(lifetimes.over(expires));
}

TEST_CASE("a restart adds what the wall clock says, never less than nothing and at most a day") {
    SimClock clock;
    clock.advance(Duration(hour));
    const LifetimeClock before(clock,
                               LifetimeClock::Mark{.lifetime = 1'000'000, .wall = clock.wall()});
    CHECK(before.now() == 1'000'000);
    const auto added = [&](UnixMillis wall_later) {
        const auto mark = LifetimeClock::Mark::parse(before.mark().text());
        REQUIRE(mark.has_value());
        const UnixMillis then = clock.wall();
        clock.set_wall(then + wall_later);
        const UnixMillis gained = LifetimeClock(clock, mark).now() - before.now();
        clock.set_wall(then);
        return gained;
    };
    CHECK(added(0) == 0);
    CHECK(added(hour) == hour);
    CHECK(added(day) == day);
    CHECK(added(50 * 365 * day) == day);
    CHECK(added(-hour) == 0);
    CHECK(added(-50 * 365 * day) == 0);
}

TEST_CASE("a mark that is none is nothing") {
    for (const char* text : {"", " ", "1", "1 ", "1 x", "x 1", "1 2 3", "1 2x"}) {
        CAPTURE(text);
        CHECK_FALSE(LifetimeClock::Mark::parse(text).has_value());
    }
    CHECK(LifetimeClock::Mark::parse("-5 7")->lifetime == -5);
}
