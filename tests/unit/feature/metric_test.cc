// Metrics of features: declared, counted by shard, added up.
#include "gateway/feature/metric.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "gateway/feature/registry.h"

using namespace causeway;

namespace {

constexpr std::array<std::string_view, 2> colours{"red", "blue"};
constexpr Metric balls{.name = "balls", .help = "Balls.", .label = "colour", .values = colours};
constexpr Metric players{.name = "players", .kind = Metric::Kind::gauge, .help = "Players."};
constexpr Metric undeclared{.name = "undeclared", .help = "Nobody's."};
constexpr Metric namesake{.name = "balls", .help = "Others."};
constexpr std::array game_metrics{&balls, &players};
constexpr std::array other_metrics{&namesake};
constexpr Feature game{.name = "game", .metrics = game_metrics};
constexpr Feature other{.name = "other", .metrics = other_metrics};

}  // namespace

TEST_CASE("each metric of each feature is counted by itself") {
    MetricCounts counts(game_metrics);
    counts.add(balls, 1);
    counts.add(balls, 1, 4);
    counts.add(players);
    counts.add(players);
    counts.add(players, 0, -1);
    CHECK(counts.at(balls, 0) == 0);
    CHECK(counts.at(balls, 1) == 5);
    CHECK(counts.at(players) == 1);
    CHECK(counts.all() == std::vector<std::int64_t>{0, 5, 1});
}

TEST_CASE("what is not declared is not counted") {
    MetricCounts counts(game_metrics);
    counts.add(undeclared);
    counts.add(balls, 2);
    counts.add(players, 1);
    CHECK(counts.all() == std::vector<std::int64_t>{0, 0, 0});
    CHECK(counts.at(undeclared) == 0);
    CHECK(counts.at(balls, 2) == 0);
    MetricCounts none({});
    none.add(balls);
    CHECK(none.all().empty());
}

TEST_CASE("many metrics do not get in each other's way") {
    const std::vector<Metric> metrics(100, Metric{.name = "x", .help = "X."});
    std::vector<const Metric*> all;
    for (const Metric& metric : metrics) all.push_back(&metric);
    MetricCounts counts(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
        counts.add(*all[i], 0, static_cast<std::int64_t>(i));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(counts.at(*all[i]) == static_cast<std::int64_t>(i));
    }
}

TEST_CASE("metrics whose addresses lead to the same place are told apart") {
    constexpr std::size_t apart = 64;  // a power of two that is no smaller than the table
    const std::vector<Metric> metrics(20 * apart, Metric{.name = "x", .help = "X."});
    std::vector<const Metric*> all;
    for (std::size_t i = 0; i < metrics.size(); i += apart) all.push_back(&metrics[i]);
    MetricCounts counts(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
        counts.add(*all[i], 0, static_cast<std::int64_t>(i + 1));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(counts.at(*all[i]) == static_cast<std::int64_t>(i + 1));
        CHECK(counts.all()[i] == static_cast<std::int64_t>(i + 1));
    }
    CHECK(counts.at(metrics[1]) == 0);
}

TEST_CASE("what shards counted is added up, by metric and label") {
    const MetricSamples samples = samples_of(game_metrics, {{1, 2, 3}, {10, 20, -1}});
    REQUIRE(samples.size() == 3);
    CHECK(samples[0].metric == &balls);
    CHECK(samples[0].value == "red");
    CHECK(samples[0].number == 11);
    CHECK(samples[1].value == "blue");
    CHECK(samples[1].number == 22);
    CHECK(samples[2].metric == &players);
    CHECK(samples[2].value.empty());
    CHECK(samples[2].number == 2);
}

TEST_CASE("two metrics of one name are an error of the program") {
    const std::array features{&game, &other};
    const auto built = FeatureRegistry::build(features);
    REQUIRE_FALSE(built.ok());
    CHECK(built.error().why() == "feature other: the metric balls is there already");
    CHECK(FeatureRegistry::build({&features[0], 1})->metrics().size() == 2);
}
