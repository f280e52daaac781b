#include "gateway/config/diff.h"

#include <doctest/doctest.h>

#include "gateway/config/load.h"

using causeway::Change;
using causeway::Config;
using causeway::parse_config;
using causeway::Reload;

namespace {

Config parsed(const std::string& text) {
    auto config = parse_config(text, "/etc/c.toml");
    REQUIRE(config.ok());
    return *config;
}

std::string told(const Change& change) {
    return change.key + ": " + change.old_value + " -> " + change.new_value + " (" +
           std::string(causeway::to_string(change.reload)) + ")";
}

}  // namespace

TEST_CASE("equal configurations have no difference, wherever they stand") {
    const std::string text = "[[domain]]\nname = \"a.test\"\n";
    CHECK(causeway::diff(parsed(text), parsed("# comment\n" + text + "[log]\nlevel = \"info\"\n"))
              .empty());
}

TEST_CASE("each change names its values and when it takes effect") {
    const Config before = parsed("[[domain]]\nname = \"a.test\"\n[[domain]]\nname = \"b.test\"\n");
    const Config after = parsed(R"([[domain]]
name = "a.test"
certificate = "new.crt"
[[domain]]
name = "c.test"
[c2s]
listen = ["127.0.0.1:5222"]
[log]
level = "debug"
[limits]
depth = 100
[server]
threads = 2
)");
    const auto changes = causeway::diff(before, after);
    REQUIRE(changes.size() == 8);
    CHECK(told(changes[0]) ==
          R"(domain."a.test".certificate: "/etc/tls/a.test.crt" -> "/etc/new.crt" (new-streams))");
    CHECK(told(changes[1]) == R"(domain."b.test": served -> not served (restart))");
    CHECK(told(changes[2]) == R"(domain."c.test": not served -> served (restart))");
    CHECK(told(changes[3]) == R"(c2s.listen: ["[::]:5222"] -> ["127.0.0.1:5222"] (restart))");
    CHECK(told(changes[4]) == R"(c2s.listen_tls: ["[::]:5223"] -> [] (restart))");
    CHECK(told(changes[5]) == R"(log.level: "info" -> "debug" (live))");
    CHECK(told(changes[6]) == "limits.depth: 64 -> 100 (new-streams)");
    CHECK(told(changes[7]) == "server.threads: 0 -> 2 (restart)");
}
