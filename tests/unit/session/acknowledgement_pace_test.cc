#include "gateway/session/acknowledgement_pace.h"

#include <doctest/doctest.h>

#include <string>

namespace causeway::test {

using Pace = AcknowledgementPace;
const std::string juliet = "juliet@a.test";

TEST_CASE("pace: nothing is known of a new recipient") {
    const Pace pace;
    CHECK(pace.wait_for(juliet) == Pace::first);
}

TEST_CASE("pace: the wait is twice the slowest acknowledgement of late") {
    Pace pace;
    pace.acknowledged(juliet, Duration(50));
    CHECK(pace.wait_for(juliet) == Duration(100));
    pace.acknowledged(juliet, Duration(90));
    CHECK(pace.wait_for(juliet) == Duration(180));
    for (int i = 0; i < 100; ++i) pace.acknowledged(juliet, Duration(20));
    CHECK(pace.wait_for(juliet) == Duration(40));
    CHECK(pace.wait_for("romeo@a.test") == Pace::first);
}

TEST_CASE(
    "pace: a quicker acknowledgement takes an eighth of the difference off, and 1 ms at least") {
    Pace pace;
    pace.acknowledged(juliet, Duration(100));
    pace.acknowledged(juliet, Duration(20));
    CHECK(pace.wait_for(juliet) == Duration(180));
    pace.acknowledged(juliet, Duration(90));  // what it is by now
    CHECK(pace.wait_for(juliet) == Duration(180));
    pace.acknowledged(juliet, Duration(86));
    CHECK(pace.wait_for(juliet) == Duration(178));
}

TEST_CASE("pace: silence never makes the wait shorter") {
    Pace pace;
    pace.silent(juliet, Duration(100));
    CHECK(pace.wait_for(juliet) == Duration(200));
    pace.silent(juliet, Duration(50));
    CHECK(pace.wait_for(juliet) == Duration(200));
    pace.silent(juliet, Duration(3'600'000));
    CHECK(pace.wait_for(juliet) == Pace::shortest);
    // It counts as 2.56 s: at an eighth each, 1.28 s are reached in this many steps.
    int needed = 0;
    while (pace.wait_for(juliet) == Pace::shortest && ++needed < 100) {
        pace.acknowledged(juliet, Duration(0));
    }
    CHECK(needed == 6);
}

TEST_CASE("pace: the wait has bounds") {
    Pace pace;
    pace.acknowledged(juliet, Duration(0));
    CHECK(pace.wait_for(juliet) == Pace::shortest);
    pace.acknowledged(juliet, Pace::longest - Duration(1));
    CHECK(pace.wait_for(juliet) == Pace::longest);
    pace.acknowledged(juliet, Pace::longest);
    CHECK(pace.wait_for(juliet) == Pace::shortest);
}

TEST_CASE("pace: who is too slow is not waited for, until it is quick again") {
    Pace pace;
    pace.acknowledged(juliet, Duration(3'600'000));
    CHECK(pace.wait_for(juliet) == Pace::shortest);
    int needed = 0;
    while (pace.wait_for(juliet) != Pace::longest && ++needed < 100) {
        pace.acknowledged(juliet, Duration(50));
    }
    CHECK(needed < 10);
}

TEST_CASE("pace: silence makes the wait longer and then vain, and a short wait proves nothing") {
    Pace pace;
    int silences = 0;
    while (pace.wait_for(juliet) > Pace::shortest && ++silences < 100) {
        pace.silent(juliet, pace.wait_for(juliet) + Duration(10));
    }
    CHECK(silences <= 4);
    for (int i = 0; i < 100; ++i) pace.silent(juliet, Pace::shortest);
    CHECK(pace.wait_for(juliet) == Pace::shortest);
}

TEST_CASE("pace: what is remembered has a bound") {
    Pace pace;
    for (std::size_t i = 0; i <= Pace::remembered; ++i) {
        pace.acknowledged("u" + std::to_string(i), Duration(50));
    }
    std::size_t known = 0;
    for (std::size_t i = 0; i <= Pace::remembered; ++i) {
        if (pace.wait_for("u" + std::to_string(i)) != Pace::first) ++known;
    }
    CHECK(known == Pace::remembered);
}

}  // namespace causeway::test
