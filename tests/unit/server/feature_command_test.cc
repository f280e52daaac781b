// A feature that is in no list of the program: its verb asks every shard and counts a metric there.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/server/operations_fixture.h"

namespace causeway::test {
namespace {

namespace json = boost::json;
using control::Command;
using control::CommandRequest;

/// Where the answers of the shards come together, on the control thread.
struct Visit {
    control::Reply reply;
    std::size_t missing;
    std::vector<std::int64_t> shards = {};
};

/// Visits every shard.
void visit(const CommandRequest& request) {
    const Shared& shared = *request.host.shared;
    const auto under_way = std::make_shared<Visit>(Visit{request.reply, shared.hubs.size()});
    for (Hub* hub : shared.hubs) {
        hub->shard.post([hub, under_way, &home = *request.host.home] {
            hub->metrics.add(*hub->shared.features.metrics().front());
            home.post([under_way, index = hub->shard.index()] {
                under_way->shards.push_back(index);
                if (--under_way->missing != 0) return;
                std::ranges::sort(under_way->shards);
                json::object result;
                result.emplace("shards", json::value_from(under_way->shards));
                under_way->reply(json::value(std::move(result)));
            });
        });
    }
}

constexpr std::array commands_of_visitor{
    Command{.name = "visit", .doc = "goes to every shard", .run = visit}};
constexpr Feature visitor{.name = "visitor", .commands = commands_of_visitor};

TEST_CASE_FIXTURE(OperationsFixture, "a verb of a feature reaches the shards and their metrics") {
    REQUIRE(commands->add(visitor.commands).ok());
    control::Recorded recorded;
    run("visit", "{}", recorded);
    REQUIRE(recorded.answer->ok());
    CHECK(json::serialize(recorded.answer->value()) == R"({"shards":[0,1]})");
    const auto samples =
        answer_to<MetricSamples>([&](auto answer) { operations->measure(std::move(answer)); });
    REQUIRE(samples.ok());
    CHECK(std::ranges::any_of(*samples, [&](const MetricSample& sample) {
        return sample.metric == server->shared().features.metrics().front() && sample.number == 2;
    }));
    control::Recorded help;
    run("help", "{}", help);
    CHECK(json::serialize(help.answer->value()).find("goes to every shard") != std::string::npos);
}

TEST_CASE_FIXTURE(OperationsFixture, "the README names every extension that a feature implements") {
    const char* const root = std::getenv("CAUSEWAY_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    std::ifstream readme(std::string(root) + "/README.md");
    std::string line;
    while (std::getline(readme, line) && !line.starts_with("| extensions | ")) {
    }
    REQUIRE(readme.good());
    for (const Feature* feature : server->shared().features.features()) {
        if (feature->xep == 0) continue;
        CAPTURE(feature->name);
        CHECK(line.find(fmt::format("{:04}", feature->xep)) != std::string::npos);
    }
}

TEST_CASE_FIXTURE(OperationsFixture, "a feature cannot take another's verb") {
    CHECK(commands->add(server->shared().features.features()[0]->commands).ok());
    REQUIRE(commands->add(visitor.commands).ok());
    CHECK(commands->add(visitor.commands).why() == "the command visit is already there");
}

}  // namespace
}  // namespace causeway::test
