#include "gateway/base/timer_wheel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "tests/support/sim_clock.h"

namespace causeway::test {
namespace {

/// Notes what fires, and does what the test wants done then.
struct Recorder final : TimerTarget {
    std::vector<std::uint32_t> fired;
    std::function<void(std::uint32_t)> then;
    void on_timer(std::uint32_t which) override {
        fired.push_back(which);
        if (then) then(which);
    }
};

struct Fixture {
    SimClock clock;
    TimerWheel wheel{clock};
    Recorder target;

    std::size_t pass(Duration by) {
        clock.advance(by);
        return wheel.advance();
    }
};

constexpr Duration day{86'400'000};

using Fired = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("timers: fire once, never early, at most a tick late, at every distance") {
    for (const std::int64_t after :
         {0L,       1L,       9L,           10L,          11L,          2549L,          2550L,
          2559L,    2560L,    2561L,        5120L,        655'349L,     655'350L,       655'360L,
          655'361L, 700'000L, 167'772'159L, 167'772'160L, 167'772'161L, 3 * 86'400'000L}) {
        CAPTURE(after);
        for (const std::int64_t before : {0L, 7L, 2555L, 655'357L}) {
            CAPTURE(before);
            Fixture fixture;
            fixture.pass(Duration{before});
            Timer timer;
            fixture.wheel.arm(timer, Duration{after}, fixture.target, 5);
            CHECK(timer.armed());
            if (after > 0) CHECK(fixture.pass(Duration{after - 1}) == 0);
            CHECK(fixture.target.fired.empty());
            fixture.pass(Duration{1});
            fixture.pass(TimerWheel::tick);
            CHECK(fixture.target.fired == Fired{5});
            CHECK(!timer.armed());
            CHECK(fixture.pass(Duration{60'000}) == 0);
        }
    }
}

TEST_CASE("timers: a cancelled, destroyed or re-armed timer does not fire at its old time") {
    Fixture fixture;
    Timer cancelled;
    Timer moved;
    auto destroyed = std::make_unique<Timer>();
    fixture.wheel.arm(cancelled, Duration{100}, fixture.target, 1);
    fixture.wheel.arm(moved, Duration{100}, fixture.target, 2);
    fixture.wheel.arm(*destroyed, Duration{100}, fixture.target, 3);
    cancelled.cancel();
    cancelled.cancel();
    CHECK(!cancelled.armed());
    destroyed.reset();
    fixture.wheel.arm(moved, Duration{5000}, fixture.target, 4);
    CHECK(fixture.pass(Duration{4990}) == 0);
    CHECK(fixture.pass(Duration{30}) == 1);
    CHECK(fixture.target.fired == Fired{4});
    fixture.wheel.arm(cancelled, Duration{10}, fixture.target, 6);
    fixture.pass(Duration{30});
    CHECK(fixture.target.fired == Fired{4, 6});
}

TEST_CASE("timers: of one tick fire in the order of arming") {
    Fixture fixture;
    std::vector<Timer> timers(5);
    for (std::uint32_t i = 0; i < 5; ++i) {
        fixture.wheel.arm(timers[i], Duration{30}, fixture.target, i);
    }
    fixture.pass(Duration{40});
    CHECK(fixture.target.fired == Fired{0, 1, 2, 3, 4});
}

TEST_CASE("timers: a target may cancel and destroy timers that are due with it, and arm itself") {
    Fixture fixture;
    Timer first;
    Timer second;
    auto third = std::make_unique<Timer>();
    fixture.wheel.arm(first, Duration{50}, fixture.target, 1);
    fixture.wheel.arm(second, Duration{50}, fixture.target, 2);
    fixture.wheel.arm(*third, Duration{50}, fixture.target, 3);
    int rounds = 0;
    fixture.target.then = [&](std::uint32_t which) {
        if (which != 1) return;
        second.cancel();
        third.reset();
        // Armed with nothing to wait for, it comes back on a later tick, not for ever in this one.
        if (++rounds < 3) fixture.wheel.arm(first, Duration{0}, fixture.target, 1);
    };
    fixture.pass(Duration{50});
    CHECK(fixture.target.fired == Fired{1});
    fixture.pass(Duration{100});
    CHECK(fixture.target.fired == Fired{1, 1, 1});
}

TEST_CASE("timers: a target may destroy itself and its own timer") {
    struct Owner final : TimerTarget {
        std::unique_ptr<Owner>* self = nullptr;
        Timer timer;
        void on_timer(std::uint32_t) override { self->reset(); }
    };
    Fixture fixture;
    auto owner = std::make_unique<Owner>();
    owner->self = &owner;
    fixture.wheel.arm(owner->timer, Duration{20}, *owner);
    CHECK(fixture.pass(Duration{40}) == 1);
    CHECK(owner == nullptr);
    CHECK(fixture.pass(Duration{40}) == 0);
}

TEST_CASE("timers: a negative wait is none, and an endless one never fires") {
    Fixture fixture;
    Timer past;
    Timer endless;
    fixture.wheel.arm(past, Duration{-5000}, fixture.target, 1);
    fixture.wheel.arm(endless, Duration::max(), fixture.target, 2);
    fixture.pass(TimerWheel::tick);
    CHECK(fixture.target.fired == Fired{1});
    fixture.pass(10 * day);
    CHECK(fixture.target.fired == Fired{1});
    CHECK(endless.armed());
}

TEST_CASE("timers: outlive their wheel unarmed") {
    SimClock clock;
    Recorder target;
    Timer timer;
    {
        TimerWheel wheel(clock);
        wheel.arm(timer, Duration{1000}, target);
    }
    CHECK(!timer.armed());
    timer.cancel();
}

TEST_CASE("timers: the sleep ends at the next timer, or at the bound") {
    Fixture fixture;
    CHECK(fixture.wheel.until_next(Duration{1000}) == Duration{1000});
    CHECK(fixture.wheel.until_next(Duration{0}) == Duration{0});
    Timer timer;
    fixture.wheel.arm(timer, Duration{500}, fixture.target);
    CHECK(fixture.wheel.until_next(Duration{1000}) == Duration{500});
    CHECK(fixture.wheel.until_next(Duration{5}) == Duration{5});
    fixture.clock.advance(Duration{200});
    CHECK(fixture.wheel.until_next(Duration{1000}) == Duration{300});
    fixture.clock.advance(Duration{400});
    CHECK(fixture.wheel.until_next(Duration{1000}) == Duration{0});
    CHECK(fixture.wheel.advance() == 1);
}

TEST_CASE(
    "timers: a loop that sleeps as told runs each timer on time, and seldom wakes for nothing") {
    Fixture fixture;
    Timer timer;
    std::size_t wakes = 0;
    fixture.wheel.arm(timer, Duration{3'600'000}, fixture.target);
    for (; fixture.target.fired.empty(); ++wakes) {
        const Duration sleep = fixture.wheel.until_next(Duration{60'000});
        REQUIRE((sleep > Duration{0} || wakes == 0));
        fixture.pass(sleep);
    }
    const Duration slept = fixture.clock.now() - SimClock().now();
    CHECK(slept >= Duration{3'600'000});
    CHECK(slept <= Duration{3'600'000} + TimerWheel::tick);
    CHECK(wakes <= 60 + 4);  // once for each longest sleep, and for each level that it moves down
}

TEST_CASE("timers: agree with a plain list over random arming, cancelling and sleeping") {
    // Waits up to 500 days in one run, short ones in the other, so that each level is crowded.
    for (const double widest : {23.7, 8.0}) {
        Fixture fixture;
        std::mt19937_64 random(static_cast<std::uint64_t>(widest));
        std::vector<Timer> timers(64);
        std::vector<std::optional<TimePoint>> due(timers.size());
        const TimePoint start = fixture.clock.now();
        fixture.target.then = [&](std::uint32_t which) {
            REQUIRE(due[which].has_value());
            CHECK(*due[which] <= fixture.clock.now());
            due[which].reset();
        };
        const auto span = [&](double limit) {
            return Duration{static_cast<std::int64_t>(
                std::exp(std::uniform_real_distribution<>(0, limit)(random)))};
        };
        for (int round = 0; round < 3000; ++round) {
            const auto which = static_cast<std::uint32_t>(random() % timers.size());
            if (random() % 4 == 0) {
                timers[which].cancel();
                due[which].reset();
            } else {
                const Duration after = span(widest);
                fixture.wheel.arm(timers[which], after, fixture.target, which);
                due[which] = fixture.clock.now() + after;
            }
            fixture.pass(span(round % 100 == 0 ? std::min(widest, 17.0) : 6.0));
            for (std::uint32_t i = 0; i < timers.size(); ++i) {
                REQUIRE(timers[i].armed() == due[i].has_value());
                if (due[i]) REQUIRE(*due[i] + TimerWheel::tick > fixture.clock.now());
            }
        }
        CHECK(fixture.target.fired.size() > 50);
        CHECK(fixture.clock.now() > start);
    }
}

TEST_CASE("timers: waits longer than the wheel's range fire when they are due") {
    Fixture fixture;
    Timer timer;
    fixture.wheel.arm(timer, 600 * day, fixture.target);
    fixture.pass(500 * day);
    fixture.pass(99 * day);
    CHECK(fixture.target.fired.empty());
    fixture.pass(day);
    fixture.pass(TimerWheel::tick);
    CHECK(fixture.target.fired.size() == 1);
}

}  // namespace causeway::test
