// That a seed's run is the same each time, without which none could be looked into.
#include <doctest/doctest.h>

#include "gateway/features/registry.h"
#include "tests/loss/play.h"
#include "tests/loss/seeded_random.h"

namespace causeway::loss {

TEST_CASE("schedules: a seed gives the same run each time") {
    declare_feature_options();
    scene::SceneCertificates certificates;
    for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
        CAPTURE(seed);
        std::vector<std::string> first;
        for (int time = 0; time < 2; ++time) {
            seed_random(seed);
            const Played played = play(draw(seed), certificates);
            CHECK(played.journal.size() > 10);
            if (time == 0) first = played.journal;
            REQUIRE(played.journal.size() == first.size());
            for (std::size_t i = 0; i < first.size(); ++i) {
                REQUIRE(played.journal[i] == first[i]);
            }
        }
    }
}

TEST_CASE("schedules: seeds differ, and a schedule can go without some of its faults") {
    CHECK(describe(draw(1)) != describe(draw(2)));
    const Schedule whole = draw(1);
    REQUIRE(!whole.faults.empty());
    const Schedule shorter = without(whole, {1});
    CHECK(shorter.faults.size() + 1 == whole.faults.size());
    CHECK(shorter.steps == whole.steps);
}

}  // namespace causeway::loss
