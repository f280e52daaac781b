#include "gateway/store/ids.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace causeway::test {
namespace {

class SetClock final : public Clock {
public:
    [[nodiscard]] TimePoint now() const override { return {}; }
    [[nodiscard]] UnixMillis wall() const override { return at.load(); }
    std::atomic<UnixMillis> at = 1'800'000'000'000;
};

}  // namespace

TEST_CASE("ids: rise with the clock, while it stands, and when it steps back") {
    SetClock clock;
    IdSource ids(clock);
    const std::uint64_t first = ids.next_id();
    CHECK(time_of_id(first) == clock.at);
    CHECK(ids.next_id() == first + 1);
    clock.at += 5;
    const std::uint64_t later = ids.next_id();
    CHECK(later == first + id_distance(Duration{5}));
    clock.at -= 3'600'000;
    CHECK(ids.next_id() == later + 1);
    CHECK(ids.next_id() == later + 2);
}

TEST_CASE("ids: start above the floor, and stay within 63 bits for two centuries") {
    SetClock clock;
    const std::uint64_t floor = IdSource(clock).next_id() + id_distance(Duration{10'000});
    IdSource ids(clock, floor);
    CHECK(ids.next_id() == floor + 1);
    clock.at = 7'000'000'000'000;  // the year 2191
    CHECK(ids.next_id() < std::uint64_t{1} << 63U);
    clock.at = -5;
    CHECK(IdSource(clock).next_id() == 1);
}

TEST_CASE("ids: of two secrets are not alike, and rise and keep the time all the same") {
    SetClock clock;
    IdSource ids(clock, 0, 1);
    IdSource others(clock, 0, 2);
    std::set<std::uint64_t> low_bits;
    std::set<std::uint64_t> steps;
    std::size_t alike = 0;
    std::uint64_t last = 0;
    for (int i = 0; i < 1000; ++i) {
        clock.at += 2;
        const std::uint64_t first = ids.next_id();
        const std::uint64_t second = ids.next_id();
        CHECK(last < first);
        CHECK(first < second);
        CHECK(time_of_id(first) == clock.at);
        low_bits.insert(first & 0xfffffU);
        steps.insert(second - first);
        if (others.next_id() == first) ++alike;
        last = second;
    }
    CHECK(low_bits.size() > 990);
    CHECK(steps.size() > 500);
    CHECK(alike < 5);
}

TEST_CASE("ids: are unique across threads and rise on each") {
    SetClock clock;
    IdSource ids(clock);
    std::array<std::vector<std::uint64_t>, 4> found;
    std::vector<std::thread> threads;
    for (auto& mine : found) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                if (i % 1000 == 0) ++clock.at;
                mine.push_back(ids.next_id());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<std::uint64_t> all;
    for (const auto& mine : found) {
        CHECK(std::is_sorted(mine.begin(), mine.end()));
        all.insert(all.end(), mine.begin(), mine.end());
    }
    std::sort(all.begin(), all.end());
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

}  // namespace causeway::test
