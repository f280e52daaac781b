// The command line: defaults that depend on the scenario, and what is refused.
#include "tools/bench/command_line.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway::bench;

namespace {

std::optional<Options> parse(std::vector<std::string> words, int& status) {
    words.insert(words.begin(), "causeway-bench");
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data(), status);
}

std::optional<Options> parse(std::vector<std::string> words) {
    int status = 0;
    return parse(std::move(words), status);
}

}  // namespace

TEST_CASE("ports follow the kind of TLS unless they are given") {
    CHECK(parse({"chat", "--domain", "a.test"})->server.port == 5222);
    CHECK(parse({"chat", "--domain", "a.test", "--direct-tls"})->server.port == 5223);
    CHECK(parse({"chat", "--domain", "a.test", "--direct-tls", "--port", "77"})->server.port == 77);
}

TEST_CASE("counts follow the scenario unless they are given") {
    CHECK(parse({"chat", "--domain", "a"})->in_flight == 10);
    CHECK(parse({"presence", "--domain", "a"})->in_flight == 1);
    CHECK(parse({"presence", "--domain", "a", "--in-flight", "3"})->in_flight == 3);
    CHECK(parse({"login", "--domain", "a"})->count == 1000);
    CHECK(parse({"idle", "--domain", "a", "--sessions", "50"})->baseline == 10);
    CHECK(parse({"idle", "--domain", "a", "--sessions", "50", "--baseline", "0"})->baseline == 0);
}

TEST_CASE("subscribers of another domain, and groups of them, are counted one change at a time") {
    CHECK_FALSE(parse({"presence", "--domain", "a", "--remote", "5"}));
    CHECK_FALSE(parse({"presence", "--domain", "a", "--peer-domain", "b", "--subscribers", "4",
                       "--remote", "5"}));
    const auto options = parse({"presence", "--domain", "a", "--peer-domain", "b", "--remote", "5",
                                "--groups", "3", "--in-flight", "7"});
    REQUIRE(options);
    CHECK(options->remote == 5);
    CHECK(options->in_flight == 1);
    CHECK(parse({"events", "--domain", "a"})->scenario == Scenario::events);
}

TEST_CASE("a restart needs its command, and sessions in pairs") {
    CHECK_FALSE(parse({"restart", "--domain", "a"}));
    CHECK_FALSE(parse({"restart", "--domain", "a", "--restart", "true", "--sessions", "3"}));
    const auto options = parse({"restart", "--domain", "a", "--restart", "true"});
    REQUIRE(options);
    CHECK(options->sessions == 1000);
    CHECK(options->restart_command == "true");
}

TEST_CASE("each scenario is recognised, with its endpoints and processes") {
    const auto options =
        parse({"s2s", "--domain", "a", "--peer-domain", "b", "--peer-address", "::1",
               "--server-pid", "1", "--server-pid", "2", "--mechanism", "plain", "--no-presence"});
    REQUIRE(options);
    CHECK(options->scenario == Scenario::s2s);
    CHECK(options->peer.domain == "b");
    CHECK(options->peer.port == 5222);
    CHECK(options->server_processes == std::vector<int>{1, 2});
    CHECK(options->mechanism == Mechanism::plain);
    CHECK_FALSE(options->presence);
}

TEST_CASE("a bad command line is refused with status 2") {
    const std::vector<std::vector<std::string>> bad = {
        {},
        {"dance"},
        {"chat"},
        {"s2s", "--domain", "a"},
        {"chat", "--domain", "a", "--address", "localhost"},
        {"chat", "--domain", "a", "--pairs", "0"},
        {"chat", "--domain", "a", "--type", "groupchat"},
        {"chat", "--domain", "a", "--ca", "/no/such/file"},
        {"idle", "--domain", "a", "--sessions", "5", "--baseline", "5"},
    };
    for (const auto& words : bad) {
        int status = 0;
        CHECK_FALSE(parse(words, status));
        CHECK(status == 2);
    }
    int status = -1;
    CHECK_FALSE(parse({"--help"}, status));
    CHECK(status == 0);
}

TEST_CASE("accounts are numbered from the first") {
    auto options = parse(
        {"chat", "--domain", "a", "--user", "u%d", "--password", "p%d", "--first-user", "10"});
    REQUIRE(options);
    const ClientSettings settings = client_settings(*options, options->server, 5, "r");
    CHECK(settings.user == "u15");
    CHECK(settings.password == "p15");
    CHECK(settings.domain == "a");
    CHECK(settings.resource == "r");
}
