// Timers, readiness, the end of a turn, and handlers that remove one another.
#include "tools/bench/event_loop.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <array>
#include <vector>

using namespace causeway::bench;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// A pipe whose reading end the loop watches.
class Reader final : public EventHandler {
public:
    explicit Reader(EventLoop& loop) : loop_(loop) {
        REQUIRE(::pipe(ends_.data()) == 0);
        REQUIRE(loop_.add(ends_[0], EPOLLIN, *this));
    }
    ~Reader() override {
        forget();
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    void forget() { loop_.remove(ends_[0], *this); }
    void write() const { REQUIRE(::write(ends_[1], "x", 1) == 1); }

    int reads = 0;
    int turn_ends = 0;
    Reader* victim = nullptr;

private:
    void on_events(std::uint32_t /*events*/) override {
        char byte = 0;
        REQUIRE(::read(ends_[0], &byte, 1) == 1);
        ++reads;
        loop_.flush_at_turn_end(*this);
        if (victim != nullptr) {
            victim->forget();
        }
    }
    void on_turn_end() override { ++turn_ends; }

    EventLoop& loop_;
    std::array<int, 2> ends_{};
};

}  // namespace

TEST_CASE("timers fire in the order of their deadlines, never early, and not once cancelled") {
    EventLoop loop;
    std::vector<int> fired;
    const TimePoint now = Clock::now();
    loop.call_at(now + milliseconds(4), [&] { fired.push_back(2); });
    loop.call_at(now + milliseconds(2), [&] { fired.push_back(1); });
    const auto cancelled = loop.call_at(now + milliseconds(3), [&] { fired.push_back(3); });
    loop.cancel(cancelled);
    CHECK(loop.run_until([&] { return fired.size() == 2; }, now + seconds(10)));
    CHECK(Clock::now() >= now + milliseconds(4));
    CHECK(fired == std::vector<int>{1, 2});
}

TEST_CASE("a wait ends at its deadline or when it is stopped") {
    EventLoop loop;
    const TimePoint deadline = Clock::now() + milliseconds(3);
    CHECK_FALSE(loop.run_until([] { return false; }, deadline));
    CHECK(Clock::now() >= deadline);
    loop.call_at(Clock::now(), [&] { loop.stop(); });
    CHECK_FALSE(loop.run_until([] { return false; }, Clock::now() + seconds(10)));
    CHECK_FALSE(loop.run_until([] { return true; }, Clock::now() + seconds(10)));
}

TEST_CASE("a ready descriptor is read, and its handler called once more at the turn's end") {
    EventLoop loop;
    Reader reader(loop);
    reader.write();
    CHECK(loop.run_until([&] { return reader.turn_ends == 1; }, Clock::now() + seconds(10)));
    CHECK(reader.reads == 1);
}

TEST_CASE("a handler removed by another in the same turn hears nothing more") {
    EventLoop loop;
    Reader first(loop);
    Reader second(loop);
    first.victim = &second;
    second.victim = &first;
    first.write();
    second.write();
    bool turned = false;
    loop.call_at(Clock::now(), [&] { loop.after_turn([&] { turned = true; }); });
    CHECK(loop.run_until([&] { return turned; }, Clock::now() + seconds(10)));
    CHECK(first.reads + second.reads == 1);
    CHECK(first.turn_ends + second.turn_ends == 1);
}
