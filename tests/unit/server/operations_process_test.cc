// Status, reload, log level and end, as the control socket asks for them.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/config/diff.h"
#include "gateway/config/load.h"
#include "gateway/config/options.h"
#include "gateway/server/metrics.h"
#include "tests/unit/server/operations_fixture.h"

namespace causeway::test {
namespace {

using control::ReloadChange;
using control::Status;

struct Fixture : OperationsFixture {
    Status status() {
        const auto found =
            answer_to<Status>([&](auto answer) { operations->status(std::move(answer)); });
        REQUIRE(found.ok());
        return *found;
    }
    Result<std::vector<ReloadChange>> reload() {
        return answer_to<std::vector<ReloadChange>>(
            [&](auto answer) { operations->reload(std::move(answer)); });
    }
    /// As "option applies".
    std::vector<std::string> changes() {
        const auto changed = reload();
        REQUIRE(changed.ok());
        std::vector<std::string> texts;
        for (const ReloadChange& change : *changed) {
            texts.push_back(change.option + " " + change.applies);
        }
        return texts;
    }
    const Hub& hub() { return *server->part(1).hub; }
};

using Texts = std::vector<std::string>;

TEST_CASE_FIXTURE(Fixture, "the status counts what all shards have") {
    for (int i = 0; i < 8; ++i) REQUIRE(add(fmt::format("user{}@b.test", i)).ok());
    for (int i = 0; i < 8; ++i) session(fmt::format("user{}@b.test/x", i));
    Batch batch;
    for (std::uint64_t id = 1; id <= 3; ++id) {
        batch.log_append("outbound", id == 1 ? "far.test a.test" : "far.test b.test",
                         {.id = id, .at = 1, .expires = 0, .body = "12345"});
    }
    batch.log_append("outbound", "near.test b.test",
                     {.id = 9, .at = 1, .expires = 0, .body = "12345"});
    commit(std::move(batch));
    clock.advance(Duration{60'000});
    const Status found = status();
    CHECK(found.process == ::getpid());
    CHECK(found.now - found.started == 60'000);
    clock.set_wall(1000);  // somebody sets the clock: the server runs for as long as before
    const Status later = status();
    CHECK(later.now - later.started == 60'000);
    CHECK(found.shards == 2);
    CHECK(found.sessions == 0);
    CHECK(found.sessions_detached == 8);
    CHECK(found.queued_domains == 2);
    CHECK(found.queued_stanzas == 4);
    CHECK(found.queued_bytes == 20);
    CHECK(found.resident_bytes > 1'000'000);
    CHECK_FALSE(found.draining);
    REQUIRE(found.domains.size() == 2);
    CHECK(found.domains[0].name == "a.test");
    CHECK(found.domains[0].certificate_expires > found.domains[0].sessions);
    CHECK(found.domains[0].certificate_issuer.find("a.test") != std::string::npos);
    const auto listens = [&](const std::string& kind, const std::string& address) {
        return std::ranges::any_of(found.listeners, [&](const control::ListenerStatus& row) {
            return row.kind == kind && row.address == address;
        });
    };
    CHECK(listens("c2s.listen", "[::]:5222"));
    CHECK(listens("s2s.listen_tls", "[::]:5270"));
    CHECK(found.listeners.size() == 4);
}

TEST_CASE_FIXTURE(Fixture, "a store that takes nothing is told, with the reason, until it does") {
    CHECK(status().store_failure.empty());
    store.fail_next_commits(2);
    const auto metric = [&](std::string_view name) {
        const control::Status found = status();
        for (const MetricSample& sample : samples_of(found)) {
            if (sample.metric->name == name) return sample.number;
        }
        return -1.0;
    };
    CHECK_FALSE(add("tybalt@b.test").ok());
    CHECK_FALSE(add("paris@b.test").ok());
    CHECK(status().store_failure == "the disk is full");
    CHECK(metric("store_failing") == 1);
    CHECK(metric("store_failed") == 2);
    REQUIRE(add("benvolio@b.test").ok());
    CHECK(status().store_failure.empty());
    CHECK(metric("store_failing") == 0);
    CHECK(metric("store_failed") == 2);
}

TEST_CASE_FIXTURE(Fixture, "a scrape has the status, and what features counted on all shards") {
    const auto metrics = server->shared().features.metrics();
    REQUIRE_FALSE(metrics.empty());
    server->part(0).hub->metrics.add(*metrics.front(), 0, 3);
    server->part(1).hub->metrics.add(*metrics.front(), 0, 4);
    const auto samples =
        answer_to<MetricSamples>([&](auto answer) { operations->measure(std::move(answer)); });
    REQUIRE(samples.ok());
    const auto number = [&](std::string_view name) {
        const auto found = std::ranges::find(
            *samples, name, [](const MetricSample& sample) { return sample.metric->name; });
        REQUIRE(found != samples->end());
        return found->number;
    };
    CHECK(number(metrics.front()->name) == 7);
    CHECK(number("shards") == 2);
}

TEST_CASE_FIXTURE(Fixture, "a reload without changes says so") { CHECK(changes().empty()); }

TEST_CASE_FIXTURE(Fixture, "a reload puts limits in force on every shard") {
    wanted->limits.roster_items = 7;
    wanted->log.level = log::Level::warn;
    CHECK(changes() == Texts{"log.level live", "limits.roster_items live"});
    CHECK(hub().limits().roster_items == 7);
    CHECK(server->part(0).hub->limits().roster_items == 7);
    CHECK(operations->config()->limits.roster_items == 7);
    CHECK(changes().empty());
    log::set_level(log::Level::info);
}

TEST_CASE_FIXTURE(Fixture, "a renewed certificate is loaded, though no option changed") {
    const auto before = hub().tls;
    renew("b.test");
    CHECK(changes() == Texts{"tls b.test new-streams"});
    CHECK(hub().tls != before);
    CHECK(changes().empty());
}

TEST_CASE_FIXTURE(Fixture, "what needs a restart is told at each reload and not put in force") {
    wanted->domains.erase(wanted->domains.begin());
    wanted->server.threads = 5;
    wanted->limits.offline_messages = 3;
    for (int i = 0; i < 2; ++i) {
        const auto texts = changes();
        CHECK(std::ranges::count(texts, "domain.\"a.test\" restart") == 1);
        CHECK(std::ranges::count(texts, "server.threads restart") == 1);
        CHECK(std::ranges::count(texts, "limits.offline_messages live") == (i == 0 ? 1 : 0));
    }
    CHECK(hub().serves("a.test"));
    CHECK(hub().tls->find("a.test") != nullptr);
    CHECK(hub().limits().offline_messages == 3);
    CHECK(add("juliet@a.test").ok());
}

TEST_CASE_FIXTURE(Fixture, "a configuration or certificate that is wrong changes nothing") {
    const auto before = hub().tls;
    wanted = Outcome::malformed("causeway.toml:3:1: unknown key");
    CHECK(reload().error().why() == "causeway.toml:3:1: unknown key");
    wanted = config;
    wanted->limits.roster_items = 7;
    files.write("b.test.crt", "no certificate");
    const auto refused = reload();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().why().find("b.test.crt") != std::string::npos);
    CHECK(hub().tls == before);
    CHECK(hub().limits().roster_items == Limits{}.roster_items);
}

TEST_CASE("no option that needs a restart is put in force by a reload") {
    std::string text;
    std::size_t expected = 0;
    for (const Option& option : options()) {
        if (option.reload != Reload::restart || option.of_domain()) continue;
        const std::string value = option.example.empty() ? fmt::format("{}", option.minimum)
                                                         : std::string(option.example);
        text += fmt::format("{} = {}\n", option.key, value);
        ++expected;
    }
    const auto wanted =
        parse_config(text + "[[domain]]\nname = \"c.test\"\n", "/etc/causeway/causeway.toml");
    REQUIRE_MESSAGE(wanted.ok(), (wanted.ok() ? std::string() : wanted.error().why()));
    const auto running = parse_config("[[domain]]\nname = \"a.test\"\n", "/tmp/causeway.toml");
    REQUIRE(running.ok());
    const auto restarting = [](const std::vector<Change>& changes) {
        return static_cast<std::size_t>(
            std::ranges::count(changes, Reload::restart, &Change::reload));
    };
    // Each of them, and the two domains.
    CHECK(restarting(diff(*running, *wanted)) == expected + 2);
    CHECK(restarting(diff(*running, in_force(*running, *wanted))) == 0);
}

TEST_CASE_FIXTURE(Fixture, "the log's level follows, if there is such a level") {
    const auto set = [&](const std::string& level) {
        return outcome_of(
            [&](control::Done done) { operations->set_log_level(level, std::move(done)); });
    };
    CHECK(set("error").ok());
    CHECK(log::level() == log::Level::error);
    CHECK(set("loud").cause() == Cause::malformed);
    CHECK(log::level() == log::Level::error);
    CHECK(set("info").ok());
}

TEST_CASE_FIXTURE(Fixture, "a shutdown begins the drain and answers") {
    const auto shut_down = [&](std::optional<std::uint32_t> seconds) {
        return outcome_of(
            [&](control::Done done) { operations->shutdown(seconds, std::move(done)); });
    };
    CHECK(shut_down(std::nullopt).ok());
    CHECK(draining);
    CHECK_FALSE(drain);
    CHECK(status().draining);
    CHECK(shut_down(90).ok());
    CHECK(drain == std::chrono::seconds(90));
}

}  // namespace
}  // namespace causeway::test
