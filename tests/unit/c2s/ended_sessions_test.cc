#include "c2s/ended_sessions.h"

#include <doctest/doctest.h>

#include <string>

namespace causeway::test {

TEST_CASE("ended sessions: what was handled is told to the account whose session it was") {
    EndedSessions ended;
    ended.remember("juliet@a.test", "one", 7);
    ended.remember("romeo@a.test", "two", 9);
    CHECK(ended.handled("juliet@a.test", "one") == 7U);
    CHECK(ended.handled("romeo@a.test", "two") == 9U);
    CHECK(!ended.handled("romeo@a.test", "one"));
    CHECK(!ended.handled("juliet@a.test", "three"));
}

TEST_CASE("ended sessions: the oldest is forgotten for one more than is kept") {
    EndedSessions ended;
    for (std::size_t i = 0; i <= EndedSessions::at_most; ++i) {
        ended.remember("juliet@a.test", std::to_string(i), static_cast<std::uint32_t>(i));
    }
    CHECK(!ended.handled("juliet@a.test", "0"));
    CHECK(ended.handled("juliet@a.test", "1") == 1U);
    CHECK(ended.handled("juliet@a.test", std::to_string(EndedSessions::at_most)) ==
          EndedSessions::at_most);
}

TEST_CASE("ended sessions: one that ended twice takes one place, and the later word holds") {
    EndedSessions ended;
    ended.remember("juliet@a.test", "one", 7);
    ended.remember("juliet@a.test", "one", 8);
    CHECK(ended.handled("juliet@a.test", "one") == 8U);
    for (std::size_t i = 1; i < EndedSessions::at_most; ++i) {
        ended.remember("juliet@a.test", std::to_string(i), 0);
    }
    CHECK(ended.handled("juliet@a.test", "one") == 8U);
}

}  // namespace causeway::test
