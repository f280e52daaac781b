#include "gateway/base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>

namespace causeway::test {

TEST_CASE("random: bytes fill what is given, and only that") {
    std::array<unsigned char, 96> bytes{};
    random_bytes(std::span(bytes).subspan(16, 64));
    const auto zeros = [&](std::size_t from, std::size_t size) {
        return std::count(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                          bytes.begin() + static_cast<std::ptrdiff_t>(from + size), 0);
    };
    CHECK(zeros(0, 16) == 16);
    CHECK(zeros(80, 16) == 16);
    CHECK(zeros(16, 64) < 16);  // 16 or more happen once in 10^25 runs
    random_bytes({});
}

TEST_CASE("random: tokens are URL-safe, of the promised length, and never the same") {
    std::set<std::string> seen;
    for (int i = 0; i < 2000; ++i) {
        const std::string token = random_token();
        CHECK(token.size() == 22);
        CHECK(std::all_of(token.begin(), token.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-' || c == '_';
        }));
        CHECK(seen.insert(token).second);
    }
    CHECK(random_token(0).empty());
    CHECK(random_token(1).size() == 2);
    CHECK(random_token(32).size() == 43);
}

TEST_CASE("random: numbers below a bound reach every value, evenly") {
    for (int i = 0; i < 100; ++i) CHECK(random_below(1) == 0);
    std::array<int, 10> counts{};
    for (int i = 0; i < 100'000; ++i) ++counts.at(random_below(counts.size()));
    for (const int count : counts) {
        // Ten standard deviations: a fair source fails this once in 10^22 runs.
        CHECK(count > 10'000 - 949);
        CHECK(count < 10'000 + 949);
    }
}

TEST_CASE("random: the largest bounds keep their promise") {
    constexpr std::uint64_t half = (std::uint64_t{1} << 63U) + 1;
    int upper = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::uint64_t value = random_below(half);
        CHECK(value < half);
        upper += value >= half / 2;
        CHECK(random_below(UINT64_MAX) < UINT64_MAX);
    }
    CHECK(upper > 700);
    CHECK(upper < 1300);
}

}  // namespace causeway::test
