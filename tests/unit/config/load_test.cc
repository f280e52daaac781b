#include "gateway/config/load.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gateway/config/endpoint.h"
#include "gateway/config/options.h"

using causeway::Cause;
using causeway::Config;
using causeway::load_config;
using causeway::Outcome;
using causeway::parse_config;
using causeway::Result;

namespace {

constexpr const char* shortest = "[[domain]]\nname = \"a.test\"\n";

Config parsed(const std::string& text) {
    auto config = parse_config(text, "conf/c.toml");
    INFO((config.ok() ? std::string() : config.error().why()));
    REQUIRE(config.ok());
    return *config;
}

/// Why a file with one domain and then `text`, which begins at line 3, is refused.
std::string refused(const std::string& text) {
    const auto config = parse_config(shortest + text, "c.toml");
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().cause() == Cause::malformed);
    return config.error().why();
}

std::string list(const Config::Endpoints& endpoints) {
    std::string text;
    for (const auto& endpoint : endpoints) text += causeway::to_text(endpoint) + " ";
    return text;
}

}  // namespace

TEST_CASE("a domain's name is all that a configuration needs") {
    const Config config = parsed(shortest);
    REQUIRE(config.domains.size() == 1);
    CHECK(config.path == "conf/c.toml");
    CHECK(config.domains[0].name == "a.test");
    CHECK(config.domains[0].certificate == "conf/tls/a.test.crt");
    CHECK(config.domains[0].key == "conf/tls/a.test.key");
    CHECK(config.tls.trust.empty());
    CHECK(config.store.backend == "sqlite");
    CHECK(config.store.location == "conf/causeway.db");
    CHECK(config.control.socket == "conf/causeway.sock");
    CHECK(list(config.c2s.listen) == "[::]:5222 ");
    CHECK(list(config.c2s.listen_tls) == "[::]:5223 ");
    CHECK(list(config.s2s.listen) == "[::]:5269 ");
    CHECK(list(config.s2s.listen_tls) == "[::]:5270 ");
    CHECK(config.s2s.authentication == Config::PeerAuthentication::certificate_or_dialback);
    CHECK_FALSE(config.s2s.bind.has_value());
    CHECK(config.http.listen_tls.empty());
    CHECK(config.http.listen.empty());
    CHECK(config.dns.servers.empty());
    CHECK(config.log.level == causeway::log::Level::info);
    CHECK_FALSE(config.log.json);
    CHECK(config.limits == causeway::Limits{});
    CHECK(config.server.threads == 0);
}

TEST_CASE("every key is read") {
    const Config config = parsed(R"(
[[domain]]
name = "A.Test."
certificate = "/etc/a.crt"
key = "a.key"
[[domain]]
name = "b.test"
[tls]
trust = "tls/ca.pem"
[store]
url = "sqlite:/var/lib/x.db"
[c2s]
listen = ["127.0.1.1:5222", "5322"]
listen_tls = ["127.0.1.1:5223"]
[s2s]
listen = ["127.0.1.1:5269"]
listen_tls = []
authentication = "certificate"
bind = "127.0.1.1"
[http]
listen_tls = ["127.0.1.1:5281"]
listen = ["127.0.0.1:5280", "[::1]:5280"]
[dns]
servers = ["127.0.0.53", "127.0.0.54:5300"]
[control]
socket = "run/s"
[log]
level = "debug"
format = "json"
[limits]
depth = 32
resume_seconds = 0
client_queue_soft_bytes = 65_536
[server]
threads = 3
)");
    REQUIRE(config.domains.size() == 2);
    CHECK(config.domains[0].name == "a.test");
    CHECK(config.domains[0].certificate == "/etc/a.crt");
    CHECK(config.domains[0].key == "conf/a.key");
    CHECK(config.domains[1].key == "conf/tls/b.test.key");
    CHECK(config.tls.trust == "conf/tls/ca.pem");
    CHECK(config.store.location == "/var/lib/x.db");
    CHECK(list(config.c2s.listen) == "127.0.1.1:5222 [::]:5322 ");
    CHECK(list(config.c2s.listen_tls) == "127.0.1.1:5223 ");
    CHECK(list(config.s2s.listen) == "127.0.1.1:5269 ");
    CHECK(config.s2s.listen_tls.empty());
    CHECK(config.s2s.authentication == Config::PeerAuthentication::certificate);
    REQUIRE(config.s2s.bind.has_value());
    CHECK(config.s2s.bind->to_string() == "127.0.1.1");
    CHECK(list(config.http.listen) == "127.0.0.1:5280 [::1]:5280 ");
    CHECK(list(config.dns.servers) == "127.0.0.53:53 127.0.0.54:5300 ");
    CHECK(config.control.socket == "conf/run/s");
    CHECK(config.log.level == causeway::log::Level::debug);
    CHECK(config.log.json);
    CHECK(config.limits.depth == 32);
    CHECK(config.limits.resume_seconds == std::chrono::seconds{0});
    CHECK(config.limits.client_queue_soft_bytes == 65536);
    CHECK(config.server.threads == 3);
}

TEST_CASE("a section that gives one of its lists has no default for the other") {
    const std::string domain = shortest;
    CHECK(parsed(domain + "[c2s]\nlisten = [\"127.0.1.1:5222\"]\n").c2s.listen_tls.empty());
    CHECK(parsed(domain + "[c2s]\nlisten_tls = [\"127.0.1.1:5223\"]\n").c2s.listen.empty());
    CHECK(parsed(domain + "[s2s]\nlisten = [\"127.0.1.1:5269\"]\n").s2s.listen_tls.empty());
    CHECK(parsed(domain + "[s2s]\nlisten_tls = [\"127.0.1.1:5270\"]\n").s2s.listen.empty());
    CHECK(list(parsed(domain + "[s2s]\nbind = \"127.0.0.1\"\n").s2s.listen_tls) == "[::]:5270 ");
}

TEST_CASE("an unknown key names where it stands and the nearest known one") {
    CHECK(refused("[c2s]\nlistne = []\n") ==
          "c.toml:4:1: unknown key \"c2s.listne\"; the nearest known one is \"c2s.listen\"");
    CHECK(refused("[c2c]\nlisten = []\n") ==
          "c.toml:3:2: unknown key \"c2c\"; the nearest known one is \"c2s\"");
    CHECK(refused("certifcate = \"x\"\n") ==
          "c.toml:3:1: unknown key \"domain.certifcate\"; the nearest known one is "
          "\"domain.certificate\"");
    CHECK(refused("[server]\n\n  level = \"debug\"\n") ==
          "c.toml:5:3: unknown key \"server.level\"; the nearest known one is \"log.level\"");
    CHECK(refused("[limits.depth.x]\n").find("limits.depth is a table") != std::string::npos);
}

TEST_CASE("a wrong type names what is there and what would be right") {
    CHECK(refused("[c2s]\nlisten = \"5222\"\n") ==
          "c.toml:4:10: c2s.listen is a string; expected a list of endpoints, such as "
          "[\"192.0.2.10:5222\", \"[2001:db8::10]:5222\"]");
    CHECK(refused("[c2s]\nlisten = [\"5222\", 5222]\n")
              .starts_with("c.toml:4:19: c2s.listen: an integer stands in the list; expected a "
                           "list of endpoints"));
    CHECK(
        refused("[limits]\ndepth = 40.5\n") ==
        "c.toml:4:9: limits.depth is a number with a fraction; expected an integer from 16 to 256");
    CHECK(refused("[s2s]\nauthentication = true\n")
              .starts_with("c.toml:4:18: s2s.authentication is a boolean; expected "
                           "\"certificate-or-dialback\" or "));
    CHECK(refused("[[log]]\nlevel = \"info\"\n") ==
          "c.toml:3:3: log is a list of tables; expected a table, written [log]");
}

TEST_CASE("a value out of range names the range") {
    CHECK(refused("[limits]\nstanza_bytes_client = 9999\n") ==
          "c.toml:4:23: limits.stanza_bytes_client is 9999; expected an integer from 10000 to "
          "16777216 "
          "(16 MiB)");
    CHECK(refused("[server]\nthreads = -1\n")
              .find("threads is -1; expected an integer from 0 to 64") != std::string::npos);
    CHECK(refused("[limits]\nresume_seconds = 601\n").find("from 0 to 600 (10 minutes)") !=
          std::string::npos);
}

TEST_CASE("a value that an option refuses says why") {
    CHECK(refused("[s2s]\nlisten = [\"5269\", \"example.org:5269\"]\n")
              .starts_with("c.toml:4:19: s2s.listen: \"example.org:5269\" is not an address in "
                           "numbers with a port; "
                           "expected a list of endpoints"));
    CHECK(refused("[http]\nlisten = [\"5280\"]\n").find("\"5280\" is not a loopback address") !=
          std::string::npos);
    CHECK(refused("[s2s]\nauthentication = \"none\"\n").find("is none of the words known here") !=
          std::string::npos);
    CHECK(refused("[s2s]\nbind = \"127.0.0.1:5\"\n").find("is not an address in numbers") !=
          std::string::npos);
    CHECK(refused("[store]\nurl = \"mysql:x\"\n").find("does not begin with sqlite:") !=
          std::string::npos);
    CHECK(refused("[store]\nurl = \"sqlite:\"\n").find("has no path") != std::string::npos);
    CHECK(refused("[tls]\ntrust = \"\"\n").find("is empty") != std::string::npos);
    CHECK(refused("[tls]\ntrust = \"a\\u0000b\"\n").find("contains a control character") !=
          std::string::npos);
    CHECK(refused("[c2s]\nlisten = [\"5222\", \"[::]:5222\"]\n").find("stands in the list twice") !=
          std::string::npos);
}

TEST_CASE("two services cannot have one endpoint") {
    CHECK(
        refused(
            "[c2s]\nlisten = [\"127.0.0.1:5222\"]\n[http]\nlisten_tls = [\"127.0.0.1:5222\"]\n") ==
        "c.toml:6:14: http.listen_tls: \"127.0.0.1:5222\" is also in c2s.listen; expected an "
        "endpoint "
        "of its own");
}

TEST_CASE("limits that belong together are compared") {
    CHECK(refused("[limits]\nremote_retry_min_seconds = 1000\n") ==
          "c.toml:4:28: limits.remote_retry_min_seconds is 1000, above "
          "limits.remote_retry_max_seconds, which is 900; expected at most as much");
    CHECK(refused("[limits]\nclient_queue_hard_bytes = 65536\n").find("c.toml:4:27: ") !=
          std::string::npos);
}

TEST_CASE("all problems are told, in the order of the file") {
    const std::string why = refused("[s2s]\nlistne = []\n[log]\nlevel = 3\n[limits]\ndepth = 1\n");
    const auto first = why.find("c.toml:4:1:");
    const auto second = why.find("\nc.toml:6:9:");
    const auto third = why.find("\nc.toml:8:9:");
    CHECK(first == 0);
    CHECK(second != std::string::npos);
    CHECK(third != std::string::npos);
    CHECK(first < second);
    CHECK(second < third);
}

TEST_CASE("a flood of problems is counted") {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "x" + std::to_string(i) + " = 1\n";
    const std::string why = refused("[log]\n" + text);
    CHECK(why.ends_with("\nc.toml: and 10 more"));
}

TEST_CASE("without a domain the message shows how to write one") {
    for (const char* text : {"", "[c2s]\nlisten = []\n"}) {
        const auto config = parse_config(text, "c.toml");
        REQUIRE_FALSE(config.ok());
        CHECK(config.error().why() ==
              "c.toml:1:1: no domain; expected at least a table [[domain]] with name = "
              "\"example.org\"");
    }
    const auto single = parse_config("[domain]\nname = \"a.test\"\n", "c.toml");
    REQUIRE_FALSE(single.ok());
    CHECK(single.error().why() ==
          "c.toml:1:2: domain is a table; expected a list of tables, each written [[domain]]");
    const auto nameless = parse_config("[[domain]]\nkey = \"k\"\n", "c.toml");
    REQUIRE_FALSE(nameless.ok());
    CHECK(nameless.error().why().find("[[domain]] without a name") != std::string::npos);
}

TEST_CASE("domain names are checked by whoever brings the check") {
    const auto upper = [](std::string_view name) -> Result<std::string> {
        if (name == "bad") return Outcome::malformed("is bad");
        return "<" + std::string(name) + ">";
    };
    CHECK(parse_config("[[domain]]\nname = \"x\"\n", "c.toml", upper)->domains[0].name == "<x>");
    const auto bad = parse_config("[[domain]]\nname = \"bad\"\n", "c.toml", upper);
    REQUIRE_FALSE(bad.ok());
    CHECK(
        bad.error().why() ==
        "c.toml:2:8: domain.name: \"bad\" is bad; expected a domain name such as \"example.org\"");
    CHECK(refused("[[domain]]\nname = \"A.TEST\"\n").find("stands here twice") !=
          std::string::npos);
}

TEST_CASE("the plain check keeps names from becoming paths") {
    for (const char* name : {"", "a/b", "../a", "a b", "a@b", "a..b", ".", ".a", "a\\b"}) {
        CAPTURE(name);
        CHECK_FALSE(causeway::check_domain_plainly(name).ok());
    }
    CHECK(*causeway::check_domain_plainly("M\xc3\xbcnchen.Example") == "m\xc3\xbcnchen.example");
    CHECK_FALSE(causeway::check_domain_plainly(std::string(1024, 'a')).ok());
}

TEST_CASE("what is not TOML is told with its place") {
    const std::string why = refused("[c2s\nlisten = []\n");
    CHECK(why.starts_with("c.toml:3:5: not TOML: "));
    CHECK(why.ends_with("expected the syntax of TOML 1.0"));
    CHECK(refused("[c2s]\nlisten = [f\n]\n").find("saw 'f\\n'; expected") != std::string::npos);
    CHECK(refused("name = \"b.test\"\n").find("not TOML: ") != std::string::npos);
    CHECK(refused("[log]\nlevel = \"\xff\"\n").find("c.toml:4:") == 0);
    CHECK(refused("x = " + std::string(5000, '[')).find("not TOML: ") != std::string::npos);
}

TEST_CASE("keys nested beyond reason are refused before they are built") {
    std::string deep = "a";
    for (int i = 0; i < 400'000; ++i) deep += ".a";
    CHECK(refused(deep + " = 1") ==
          "c.toml:3:17: a key with more than 8 parts; expected at most section and key, such as "
          "c2s.listen");
    CHECK(refused("[" + deep + "]").starts_with("c.toml:3:18: a key with more than 8 parts"));
    std::string nested = "x";
    for (int i = 0; i < 250; ++i) nested += " = [{ a.a.a.a.a.a.a.a";
    CHECK(refused(nested).find("not TOML") != std::string::npos);
}

TEST_CASE("a socket's path has to fit its address") {
    const auto config = parse_config(shortest, "/" + std::string(120, 'd') + "/c.toml");
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().why().find("bytes long; expected a path of at most 107") !=
          std::string::npos);
}

TEST_CASE("a file is read, and one that cannot be says so") {
    const auto directory = std::filesystem::temp_directory_path() /
                           ("causeway-load-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory);
    const std::string path = (directory / "c.toml").string();
    std::ofstream(path) << shortest;
    const auto config = load_config(path);
    REQUIRE(config.ok());
    CHECK(config->store.location == (directory / "causeway.db").string());

    const auto absent = load_config(path + ".not");
    REQUIRE_FALSE(absent.ok());
    CHECK(absent.error().cause() == Cause::absent);
    CHECK(absent.error().why().find("no such file") != std::string::npos);
    const auto folder = load_config(directory.string());
    REQUIRE_FALSE(folder.ok());
    CHECK(folder.error().cause() == Cause::refused);

    std::ofstream(path) << std::string(2 * 1024 * 1024, '#');
    const std::string pipe = path + ".pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const auto waiting = load_config(pipe);
    CHECK(waiting.error().why().find("is a pipe or a socket") != std::string::npos);
    const auto large = load_config(path);
    REQUIRE_FALSE(large.ok());
    CHECK(large.error().why().find("larger than 1048576 bytes") != std::string::npos);
    std::filesystem::remove_all(directory);
}

TEST_CASE("an option of a feature may stand in a domain, and holds for that domain alone") {
    const Config config = parsed(
        "archive.keep_days = 7\n[[domain]]\nname = \"a.test\"\n[[domain]]\nname = \"b.test\"\n"
        "archive.enabled = false\narchive.keep_days = 30\n");
    const auto value = [&](const char* key, const char* domain) {
        const causeway::Option* option = causeway::find_option(key);
        REQUIRE(option != nullptr);
        for (const auto& one : config.domains) {
            if (one.name == domain) return option->get(config, &one);
        }
        return option->get(config, nullptr);
    };
    CHECK(value("archive.enabled", "") == "true");
    CHECK(value("archive.enabled", "a.test") == "true");
    CHECK(value("archive.enabled", "b.test") == "false");
    CHECK(value("archive.keep_days", "") == "7");
    CHECK(value("archive.keep_days", "a.test") == "7");
    CHECK(value("archive.keep_days", "b.test") == "30");
    CHECK(refused("archive.enabled = 1\n").find("true or false") != std::string::npos);
    CHECK(refused("archive.enabeld = true\n").find("archive.enabled") != std::string::npos);
    CHECK(refused("log.level = \"debug\"\n").find("unknown key") != std::string::npos);
    CHECK(refused("archive = 3\n").find("unknown key") != std::string::npos);
}
