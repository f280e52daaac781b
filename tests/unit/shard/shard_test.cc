#include "gateway/shard/shard.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/sim_clock.h"

namespace causeway::test {
namespace {

using Words = std::vector<std::string>;

void turn(Shard& shard) { shard.turn(Duration::zero()); }

/// Says that it is freed.
class Mortal final : public Condemned {
public:
    Mortal(Words& told, std::string name) : told_(told), name_(std::move(name)) {}
    ~Mortal() override {
        told_.push_back(name_);
        if (at_end) at_end();
    }
    std::function<void()> at_end;

private:
    Words& told_;
    std::string name_;
};

/// Says that it is flushed.
struct Written final : Flushable {
    Written(Words& told, std::string name) : told_(told), name_(std::move(name)) {}
    void flush() override {
        told_.push_back(name_);
        if (at_flush) at_flush();
    }
    std::function<void()> at_flush;

private:
    Words& told_;
    std::string name_;
};

/// Something to be read: does what it is to do then.
struct Pipe final : Polled {
    Pipe(Poller& poller, int descriptor, std::function<void()> when_ready)
        : Polled(poller), when_ready_(std::move(when_ready)) {
        REQUIRE(watch(descriptor));
        want(Direction::read);
    }
    void on_ready(Direction) override { when_ready_(); }

private:
    std::function<void()> when_ready_;
};

struct Alarm final : TimerTarget {
    void on_timer(std::uint32_t) override { ++rung; }
    int rung = 0;
};

}  // namespace

TEST_CASE(
    "shard: tasks run in a turn, not in the call that posts them, in the order of their posting") {
    const SimClock clock;
    Shard shard(0, 1, clock);
    Words told;
    shard.post([&] {
        told.emplace_back("a");
        shard.post([&] { told.emplace_back("c"); });
    });
    shard.post([&] { told.emplace_back("b"); });
    CHECK(told.empty());
    turn(shard);
    turn(shard);
    CHECK(told == Words{"a", "b", "c"});
    CHECK(shard.turn(Duration::zero()) == 0);
}

TEST_CASE("shard: which shard is running is known during a turn only") {
    const SimClock clock;
    Shards shards(2, clock);
    CHECK(Shard::current() == nullptr);
    std::vector<Shard*> seen;
    shards[0].post([&] {
        seen.push_back(Shard::current());
        // A turn of another, as in a simulation, gives back what was.
        turn(shards[1]);
        seen.push_back(Shard::current());
    });
    shards[1].post([&] { seen.push_back(Shard::current()); });
    turn(shards[0]);
    CHECK(seen == std::vector<Shard*>{&shards[0], &shards[1], &shards[0]});
    CHECK(Shard::current() == nullptr);
}

TEST_CASE("shard: what one shard posts to another leaves at the end of its turn, in order") {
    const SimClock clock;
    Shards shards(2, clock);
    Words told;
    Written output(told, "flushed");
    shards[0].post([&] {
        shards[0].mark_dirty(output);
        shards[1].post([&] { told.emplace_back("a"); });
        shards[1].post([&] { told.emplace_back("b"); });
        turn(shards[1]);
        CHECK(told.empty());
    });
    turn(shards[0]);
    turn(shards[1]);
    CHECK(told == Words{"flushed", "a", "b"});
}

TEST_CASE("shard: what another shard has sent is done before what is ready to be read since") {
    const SimClock clock;
    Shards shards(2, clock);
    Words told;
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_NONBLOCK) == 0);
    {
        const auto send = [&] { shards[1].post([&] { told.emplace_back("sent"); }); };
        // A client that was told by shard 0 asks shard 1 next, which is in the middle of a turn.
        const auto read = [&] {
            told.emplace_back("read");
            if (told.size() == 1) turn(shards[0]);
        };
        Pipe first(shards[1].poller(), ends[0], read);
        const int again = ::dup(ends[0]);
        Pipe second(shards[1].poller(), again, read);
        shards[0].post(send);
        REQUIRE(::write(ends[1], "x", 1) == 1);
        turn(shards[1]);
        CHECK(told == Words{"read", "sent", "read"});
        told = {"before"};
        shards[0].post(send);
        turn(shards[0]);
        REQUIRE(::write(ends[1], "x", 1) == 1);
        first.want(Direction::read);
        turn(shards[1]);
        CHECK(told == Words{"before", "sent", "read"});
        second.unwatch();
        ::close(again);
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("shard: more than the way to another shard holds arrives all the same, in order") {
    const SimClock clock;
    Shards shards(2, clock);
    constexpr int count = 10'000;
    std::vector<int> arrived;
    shards[0].post([&] {
        for (int i = 0; i < count; ++i) shards[1].post([&arrived, i] { arrived.push_back(i); });
    });
    turn(shards[0]);
    turn(shards[1]);
    CHECK(!arrived.empty());
    CHECK(arrived.size() < count);
    shards.run_until_idle();
    std::vector<int> expected(count);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(arrived == expected);
}

TEST_CASE("shard: shards that answer each other come to an end") {
    const SimClock clock;
    Shards shards(3, clock);
    int left = 100;
    std::function<void()> pass = [&] {
        if (--left > 0) shards[static_cast<unsigned>(left) % 3].post(pass);
    };
    shards[0].post(pass);
    CHECK(shards.run_until_idle() >= 100);
    CHECK(left == 0);
    CHECK(shards.run_until_idle() == 0);
}

TEST_CASE("shard: threads that are no shard post to one that runs, each in its order") {
    const SystemClock clock;
    Shard shard(0, 1, clock);
    constexpr int count = 2000;
    std::vector<int> seen[2];
    std::thread runner([&] { shard.run(); });
    std::vector<std::thread> posters;
    for (int which : {0, 1}) {
        posters.emplace_back([&, which] {
            for (int i = 0; i < count; ++i) {
                shard.post([&seen, which, i] { seen[which].push_back(i); });
            }
        });
    }
    for (std::thread& poster : posters) poster.join();
    // From a thread that is no shard, so behind everything that the others posted.
    shard.post([&] { shard.stop(); });
    runner.join();
    std::vector<int> expected(count);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(seen[0] == expected);
    CHECK(seen[1] == expected);
}

TEST_CASE("shard: two that run on threads of their own reach each other") {
    const SystemClock clock;
    Shards shards(2, clock);
    constexpr int count = 20'000;
    int hops = 0;
    std::function<void()> hop = [&] {
        const unsigned here = Shard::current()->index();
        if (++hops < count) {
            shards[1 - here].post(hop);
        } else {
            shards[0].stop();
            shards[1].stop();
        }
    };
    shards[0].post(hop);
    std::thread one([&] { shards[0].run(); });
    std::thread two([&] { shards[1].run(); });
    one.join();
    two.join();
    CHECK(hops == count);
}

TEST_CASE("shard: what was written is flushed once, when the turn's work is done") {
    SimClock clock;
    Shard shard(0, 1, clock);
    Words told;
    Written first(told, "first"), second(told, "second");
    shard.post([&] {
        shard.mark_dirty(first);
        shard.mark_dirty(first);
        told.emplace_back("task");
    });
    shard.post([&] { told.emplace_back("task"); });
    // What is written while flushing still goes with this turn.
    first.at_flush = [&] { shard.mark_dirty(second); };
    turn(shard);
    CHECK(told == Words{"task", "task", "first", "second"});
    turn(shard);
    CHECK(told.size() == 4);
}

TEST_CASE("shard: who is gone is not flushed") {
    const SimClock clock;
    Shard shard(0, 1, clock);
    Words told;
    {
        Written gone(told, "gone");
        shard.mark_dirty(gone);
    }
    turn(shard);
    CHECK(told.empty());
}

TEST_CASE("shard: what is condemned lives until the turn is over, and may condemn others") {
    const SimClock clock;
    Shard shard(0, 1, clock);
    Words told;
    Written output(told, "flushed");
    shard.post([&] {
        auto first = std::make_unique<Mortal>(told, "first");
        first->at_end = [&] { shard.condemn(std::make_unique<Mortal>(told, "second")); };
        shard.condemn(std::move(first));
        shard.mark_dirty(output);
        told.emplace_back("task");
    });
    shard.post([&] { told.emplace_back("task"); });
    turn(shard);
    CHECK(told == Words{"task", "task", "flushed", "first", "second"});
}

TEST_CASE("shard: at its end it frees what is condemned and drops what was posted") {
    const SimClock clock;
    Words told;
    {
        Shard shard(0, 1, clock);
        auto condemned = std::make_unique<Mortal>(told, "condemned");
        condemned->at_end = [&] { shard.post([] { std::abort(); }); };
        shard.condemn(std::move(condemned));
        const std::shared_ptr<Mortal> held = std::make_shared<Mortal>(told, "held by a task");
        shard.post([held] { std::abort(); });
    }
    CHECK(told.size() == 2);
}

TEST_CASE("shard: timers run in a turn when they are due") {
    SimClock clock;
    Shard shard(0, 1, clock);
    Alarm alarm;
    Timer timer;
    shard.timers().arm(timer, Duration{100}, alarm);
    turn(shard);
    CHECK(alarm.rung == 0);
    clock.advance(Duration{100} + TimerWheel::tick);
    turn(shard);
    CHECK(alarm.rung == 1);
    turn(shard);
    CHECK(alarm.rung == 1);
}

TEST_CASE("shard: a name has one home") {
    const SimClock clock;
    const Shards one(1, clock);
    const Shards four(4, clock);
    std::vector<int> count(4);
    for (int i = 0; i < 1000; ++i) {
        const std::string name = "user" + std::to_string(i) + "@a.test";
        CHECK(one.home_of(name) == 0);
        CHECK(four.home_of(name) == four.home_of(std::string(name)));
        ++count.at(four.home_of(name));
    }
    for (const int each : count) CHECK(each > 100);
}

TEST_CASE("buffers: strings are lent again, but not those that have grown large") {
    IoBuffers buffers;
    CHECK(buffers.take_string().capacity() <= 15);
    std::string used(1000, 'x');
    const char* at = used.data();
    buffers.give_back(std::move(used));
    const std::string again = buffers.take_string();
    CHECK(again.empty());
    CHECK(again.data() == at);
    buffers.give_back(std::string(1'000'000, 'x'));
    CHECK(buffers.take_string().capacity() <= 15);
}

}  // namespace causeway::test
