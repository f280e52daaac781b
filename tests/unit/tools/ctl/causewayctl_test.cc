// causewayctl as a program, against a control server over a fake server.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/control/control_fixture.h"
#include "tests/unit/tools/ctl/program.h"

using namespace causeway;
using namespace causeway::ctl;
using control::ControlFixture;
using control::TemporaryDirectory;
namespace json = boost::json;

namespace {

Ran run(const ControlFixture& fixture, std::vector<std::string> arguments,
        const std::string& input = {}) {
    arguments.insert(arguments.begin(), {"--socket", fixture.path});
    return run_program(arguments, input);
}

bool contains(const std::string& text, const std::string& part) {
    CAPTURE(text);
    CAPTURE(part);
    return text.find(part) != std::string::npos;
}

std::string write_file(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
    return path;
}

}  // namespace

TEST_CASE("each list is a table, and one JSON array") {
    const ControlFixture fixture;
    for (const std::vector<std::string>& verb :
         std::vector<std::vector<std::string>>{{"user", "list"},
                                               {"user", "list", "a.test"},
                                               {"session", "list"},
                                               {"session", "list", "juliet@a.test"},
                                               {"garden", "plants", "north"},
                                               {"peer", "list"},
                                               {"queue", "list"},
                                               {"queue", "show", "b.test"}}) {
        CAPTURE(verb);
        const Ran table = run(fixture, verb);
        CHECK(table.status == 0);
        CHECK(table.err.empty());
        CHECK(table.out.find("-\n") != 0);
        CHECK(std::count(table.out.begin(), table.out.end(), '\n') >= 2);
        std::vector<std::string> with_json = verb;
        with_json.emplace_back("--json");
        const Ran document = run(fixture, with_json);
        CHECK(document.status == 0);
        CHECK(std::count(table.out.begin(), table.out.end(), '\n') ==
              static_cast<std::ptrdiff_t>(json::parse(document.out).as_array().size() + 1));
    }
}

TEST_CASE("a file is named from the caller's folder, and what is wrong is in the exit status") {
    const ControlFixture fixture;
    const std::string here = std::filesystem::current_path().string();
    const Ran weeds = run(fixture, {"garden", "weed", "some/plan"});
    CHECK(weeds.status == 1);
    CHECK(weeds.err.empty());
    CHECK(contains(weeds.out, "plan:  " + here + "/some/plan\n"));
    CHECK(contains(weeds.out, "thistle"));
    const Ran document = run(fixture, {"garden", "weed", "plan", "--json"});
    CHECK(document.status == 1);
    CHECK(json::parse(document.out).at("weeds").as_array().size() == 2);
    const Ran clean = run(fixture, {"garden", "weed", "/clean"});
    CHECK(clean.status == 0);
    CHECK(clean.out == "plan:  /clean\nweed:  -\n");
    CHECK(contains(run(fixture, {"garden", "weed", "--help"}).out, "a drawing of it"));
}

TEST_CASE("sessions are shown with all that the contract names") {
    const ControlFixture fixture;
    const Ran table = run(fixture, {"session", "list"});
    CHECK(table.out.starts_with("JID            RESOURCE  STATE        PRIORITY  TRANSPORT  TLS"));
    CHECK(contains(table.out,
                   "juliet@a.test  balcony   available          -1  starttls   "
                   "TLSv1.3 TLS_AES_256_GCM_SHA384  127.0.0.1:51334  "));
    CHECK(contains(table.out, "juliet@a.test  garden    unavailable         -  websocket  -  "));
}

TEST_CASE("what a peer sent cannot drive the terminal") {
    const ControlFixture fixture;
    const Ran table = run(fixture, {"peer", "list"});
    CHECK(table.status == 0);
    CHECK(contains(table.out, "connection ?[31mrefused"));
}

TEST_CASE("one thing is a sheet, and one JSON object") {
    const ControlFixture fixture;
    const Ran status = run(fixture, {"status"});
    CHECK(status.status == 0);
    CHECK(contains(status.out, "version:    1.0\n"));
    CHECK(contains(status.out, "up:         1 d 1 h, process 4711, shards 2, memory 23 MB\n"));
    CHECK(contains(status.out, "queues:     12,345 stanzas (0 B) for 0 domains\n"));
    CHECK(contains(status.out, "a.test  sessions 2, certificate EXPIRED "));
    CHECK(json::parse(run(fixture, {"status", "--json"}).out).at("shards") == 2);
    const Ran peer = run(fixture, {"peer", "show", "b.test"});
    CHECK(contains(peer.out,
                   "xmpp.b.test:5269 STARTTLS, priority 5, weight 10, 127.0.2.1, ::1: "
                   "refused\n"));
    CHECK(contains(run(fixture, {"user", "show", "juliet@a.test"}).out,
                   "offline:        0 stanzas, 2.0 kB"));
    CHECK(contains(run(fixture, {"user", "show", "juliet@a.test"}).out,
                   "takes part in:  presence (its own profile is presence)\n"));
}

TEST_CASE("changes are done and said") {
    ControlFixture fixture;
    CHECK(run(fixture, {"user", "disable", "juliet@a.test"}).out == "disabled juliet@a.test\n");
    CHECK(run(fixture, {"user", "enable", "juliet@a.test"}).out == "enabled juliet@a.test\n");
    CHECK(run(fixture, {"session", "kill", "juliet@a.test/garden"}).out ==
          "ended juliet@a.test/garden\n");
    CHECK(run(fixture, {"peer", "retry", "b.test"}).out == "trying b.test now\n");
    CHECK(run(fixture, {"peer", "close", "b.test"}).out == "closed streams with b.test: 2\n");
    CHECK(run(fixture, {"queue", "drop", "b.test"}).out == "dropped stanzas for b.test: 2\n");
    CHECK(run(fixture, {"log", "level", "debug"}).out == "log level debug\n");
    CHECK(contains(run(fixture, {"reload"}).out, "server.threads  restart\n"));
    CHECK(run(fixture, {"user", "remove", "juliet@a.test"}).out == "removed juliet@a.test\n");
    CHECK(run(fixture, {"user", "list"}).out == "no accounts\n");
    CHECK(run(fixture, {"user", "list", "--json"}).out == "[]\n");
}

TEST_CASE("a no of the server is exit status 1 with its reason") {
    const ControlFixture fixture;
    for (const std::vector<std::string>& verb :
         std::vector<std::vector<std::string>>{{"user", "show", "x@a.test"},
                                               {"user", "remove", "x@a.test"},
                                               {"user", "disable", "x@a.test"},
                                               {"user", "list", "c.test"},
                                               {"session", "kill", "x@a.test/y"},
                                               {"peer", "show", "c.test"},
                                               {"peer", "close", "c.test"},
                                               {"peer", "retry", "c.test"},
                                               {"queue", "show", "c.test"},
                                               {"queue", "drop", "c.test"},
                                               {"log", "level", "loud"}}) {
        CAPTURE(verb);
        const Ran ran = run(fixture, verb);
        CHECK(ran.status == 1);
        CHECK(ran.out.empty());
        CHECK(contains(ran.err, verb.back()));
    }
    CHECK(run(fixture, {"user", "show", "x@a.test"}).err == "causewayctl: no account x@a.test\n");
}

TEST_CASE("bad usage is exit status 2 and changes nothing") {
    const ControlFixture fixture;
    for (const std::vector<std::string>& line :
         std::vector<std::vector<std::string>>{{},
                                               {"frob"},
                                               {"user"},
                                               {"user", "frob"},
                                               {"user", "add"},
                                               {"user", "add", "a@b", "--bulk", "f"},
                                               {"user", "add", "a@b", "--iterations", "-1"},
                                               {"user", "add", "a@b", "--iterations", "10000001"},
                                               {"user", "add_bulk"},
                                               {"user", "show"},
                                               {"user", "show", ""},
                                               {"user", "show", "a@b", "c@d"},
                                               {"status", "x"},
                                               {"status", "--frob"},
                                               {"shutdown", "--drain", "-1"},
                                               {"check", "b.test"},
                                               {"garden", "plants", "north", "--scale", "x"},
                                               {"log"}}) {
        CAPTURE(line);
        const Ran ran = run(fixture, line);
        CHECK(ran.status == 2);
        CHECK(ran.out.empty());
        CHECK(ran.err.starts_with("causewayctl: "));
    }
    CHECK(contains(run(fixture, {"frob"}).err,
                   "there is no verb \"frob\" here; the verbs of \"causewayctl\" are: backup, "
                   "garden, help, "));
    CHECK(contains(run(fixture, {"user"}).err,
                   "\"causewayctl user\" needs one of these verbs: add, disable, "));
    CHECK(contains(run(fixture, {"garden", "frob"}).err, "are: plant, plants, show, watch, weed"));
    CHECK(contains(run(fixture, {"user", "show"}).err, "see causewayctl user show --help"));
    CHECK(run_program({"--timeout", "x", "status"}).status == 2);
    CHECK(run_program({}).err == "causewayctl: a verb is missing; see causewayctl --help\n");
    CHECK(run_program({"--version"}).out.starts_with("causewayctl "));
}

TEST_CASE("a verb of which only the server knows is one like any other") {
    ControlFixture fixture;
    CHECK(run(fixture, {"garden", "plants", "north", "--colour", "red", "--scale", "200"}).out ==
          "PLANT               HEIGHT  CARE     COLOUR\n"
          "rose in north, red   2,000  watered  red\n"
          "lily in north, red   2,000  dry      red\n");
    CHECK(run(fixture, {"garden", "plants", "south"}).out ==
          "PLANT          HEIGHT  CARE     COLOUR\n"
          "rose in south   1,000  watered  -\n"
          "lily in south   1,000  dry      -\n");
    CHECK(run(fixture, {"garden", "show"}).out ==
          "garden:  Capulet\n"
          "bed 1:   rose, lily\n"
          "  soil:  -\n"
          "bed 2:   empty\n"
          "  soil:  -\n"
          "paths:   -\n"
          "gate:    closed\n");
    CHECK(run(fixture, {"garden", "plant", "ivy", "--secret-stdin"}, "s\n").out == "planted ivy\n");
    CHECK(
        json::parse(run(fixture, {"--json", "garden", "plants", "north"}).out).as_array().size() ==
        2);
    const Ran help = run(fixture, {"help"});
    CHECK(contains(help.out, "garden plants  BED [--colour COLOUR] [--scale N]"));
    CHECK(contains(help.out, "the plants of a bed\n"));
    CHECK(contains(help.out, "user add       JID [--password-stdin] [--iterations N]"));
    CHECK(contains(help.out, "user list      [DOMAIN]"));
    CHECK(help.out.find("add_bulk") == std::string::npos);
    const json::value raw = json::parse(run(fixture, {"help", "--json"}).out);
    CHECK(raw.at("commands").as_array().size() == fixture.table.rows().size());
    CHECK(contains(run(fixture, {"garden", "plants", "--help"}).out, "only of this colour"));
    CHECK(contains(run(fixture, {"--help"}).out, "plant, plants, show, watch, weed\n"));
}

TEST_CASE("what happens is a line for each row, and a line of JSON") {
    const ControlFixture fixture;
    const Ran ran = run(fixture, {"garden", "watch"});
    CHECK(ran.status == 0);
    CHECK(ran.out == "03:25:45.678  rose\n03:25:45.678  lily, visited by ?[2J\n");
    const Ran as_json = run(fixture, {"--json", "garden", "watch"});
    CHECK(as_json.status == 0);
    CHECK(as_json.out.starts_with("{\"at\":12345678,\"name\":\"rose\",\"visitor\":null}\n{"));
}

TEST_CASE("bash completes the verbs that the server has") {
    const ControlFixture fixture;
    const char* const root = std::getenv("CAUSEWAY_SOURCE_ROOT");
    const char* const program = std::getenv("CAUSEWAYCTL");
    if (root == nullptr || program == nullptr || ::access("/bin/bash", X_OK) != 0) return;
    const auto completed = [&](const std::string& words, const std::string& socket) {
        const std::string script = "source '" + std::string(root) +
                                   "/tools/ctl/completion.bash'; COMP_WORDS=('" + program +
                                   "' --socket '" + socket + "' " + words +
                                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _causewayctl; "
                                   "echo \"${COMPREPLY[@]}\"";
        const std::string file = write_file(fixture.directory.file("script"), script);
        std::FILE* const out = ::popen(("/bin/bash '" + file + "'").c_str(), "r");
        REQUIRE(out != nullptr);
        std::array<char, 4096> some{};
        const std::size_t got = std::fread(some.data(), 1, some.size(), out);
        ::pclose(out);
        return std::string(some.data(), got);
    };
    CHECK(contains(completed("''", fixture.path), "garden garden garden garden garden help "));
    CHECK(completed("rel", fixture.path) == "reload\n");
    CHECK(completed("garden pl", fixture.path) == "plant plants\n");
    CHECK(completed("--json garden plants ''", fixture.path) == "\n");
    CHECK(completed("user show j@a.test/x ''", fixture.path) == "\n");
    CHECK(completed("--j", fixture.path) == "--json\n");
    CHECK(completed("ga", fixture.directory.file("nowhere")) == "\n");
}

TEST_CASE("without a server there is a basic help, which says where the verbs are") {
    const TemporaryDirectory directory;
    const std::string nowhere = directory.file("s");
    const Ran option = run_program({"--help", "--socket", nowhere});
    CHECK(option.status == 0);
    CHECK(option.err.empty());
    CHECK(contains(option.out, "--socket"));
    CHECK(contains(option.out, "The verbs are those of the running server"));
    const Ran verb = run_program({"help", "--socket", nowhere});
    CHECK(verb.status == 1);
    CHECK(contains(verb.out, "The verbs are those of the running server"));
    CHECK(contains(verb.err, "is the server running?"));
}

TEST_CASE("where no server answers, the next step is said") {
    const TemporaryDirectory directory;
    const Ran none = run_program({"status", "--socket", directory.file("s")});
    CHECK(none.status == 1);
    CHECK(contains(none.err, "is the server running?"));
    // What a dead server leaves: a bound socket that nobody listens on.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string stale = directory.file("stale");
    std::memcpy(address.sun_path, stale.data(), stale.size());
    const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(left);
    const Ran dead = run_program({"status", "--socket", stale});
    CHECK(dead.status == 1);
    CHECK(contains(dead.err, "start the server"));
    CHECK(run_program({"status", "--socket", directory.file(std::string(200, 'x'))}).status == 1);
}

TEST_CASE("the environment names the socket where the command line does not") {
    const ControlFixture fixture;
    ::setenv("CAUSEWAY_SOCKET", fixture.path.c_str(), 1);
    const Ran ran = run_program({"reload"});
    ::unsetenv("CAUSEWAY_SOCKET");
    CHECK(ran.status == 0);
}

TEST_CASE("a server that says nothing is not waited for without end") {
    ControlFixture fixture;
    fixture.on_control([&] { fixture.operations.holding = true; });
    const Ran ran = run(fixture, {"status", "--timeout", "1"});
    CHECK(ran.status == 1);
    CHECK(contains(ran.err, "did not answer within 1 seconds"));
}

TEST_CASE("a password comes from standard input") {
    ControlFixture fixture;
    CHECK(run(fixture, {"user", "add", "r@a.test", "--password-stdin"}, "s3cret x\r\nmore\n").out ==
          "added r@a.test\n");
    fixture.on_control(
        [&] { CHECK(fixture.operations.accounts.at("r@a.test").password == "s3cret x"); });
    CHECK(run(fixture, {"user", "passwd", "r@a.test", "--password-stdin", "--iterations", "7"},
              "other")
              .status == 0);
    fixture.on_control([&] {
        CHECK(fixture.operations.accounts.at("r@a.test").password == "other");
        CHECK(fixture.operations.accounts.at("r@a.test").iterations == 7);
    });
    CHECK(run(fixture, {"user", "add", "r@a.test", "--password-stdin"}, "p\n").status == 1);
    CHECK(run(fixture, {"user", "add", "q@a.test", "--password-stdin"}, "").status == 2);
    CHECK(run(fixture, {"user", "add", "q@a.test", "--password-stdin"}, "\n").status == 2);
    CHECK(run(fixture, {"user", "add", "q@a.test", "--password-stdin"}, std::string(1024, 'x'))
              .status == 2);
}

TEST_CASE("a password is asked on the terminal, twice and unseen") {
    ControlFixture fixture;
    const std::vector<std::string> add{"--socket", fixture.path, "user", "add", "r@a.test"};
    const Ran good = run_on_terminal(add, {"s3cret", "s3cret"});
    CHECK(good.status == 0);
    CHECK(contains(good.out, "New password for r@a.test: "));
    CHECK(contains(good.out, "The same again: "));
    CHECK(contains(good.out, "added r@a.test"));
    CHECK(good.out.find("s3cret") == std::string::npos);
    fixture.on_control(
        [&] { CHECK(fixture.operations.accounts.at("r@a.test").password == "s3cret"); });
    const Ran differ = run_on_terminal({"--socket", fixture.path, "user", "passwd", "r@a.test"},
                                       {"one", "another"});
    CHECK(differ.status == 2);
    CHECK(contains(differ.out, "the two passwords differ; nothing is changed"));
    const Ran interrupted = run_on_terminal(add, {"s3\x03"});
    CHECK(interrupted.status == 128 + SIGINT);
    const Ran none = run(fixture, {"user", "add", "q@a.test"});
    CHECK(none.status == 2);
    CHECK(contains(none.err, "--password-stdin"));
}

TEST_CASE("a file of accounts is added, and told line by line what was not") {
    ControlFixture fixture;
    const std::string file = write_file(fixture.directory.file("accounts"),
                                        "\xef\xbb\xbfone@a.test\tp1\r\n\njuliet@a.test\tp\nno "
                                        "tab\n\tp\nx@a.test\t\ntwo@a.test\tp\t2\n"
                                        "bad\xff@a.test\tp\nnowhere\tp\nlast@a.test\tp");
    const Ran ran = run(fixture, {"user", "add", "--bulk", file, "--iterations", "1"});
    CHECK(ran.status == 1);
    CHECK(ran.out == "added 3 accounts, failed 6\n");
    CHECK(ran.err == file + ":3: juliet@a.test: there is an account juliet@a.test already\n" +
                         file + ":4: the line must be an address, a tab and a password\n" + file +
                         ":5: the line must be an address, a tab and a password\n" + file +
                         ":6: the line must be an address, a tab and a password\n" + file +
                         ":8: the line is not UTF-8\n" + file +
                         ":9: nowhere: not an account's address: nowhere\n");
    fixture.on_control([&] {
        CHECK(fixture.operations.accounts.at("one@a.test").password == "p1");
        CHECK(fixture.operations.accounts.at("two@a.test").password == "p\t2");
        CHECK(fixture.operations.accounts.at("last@a.test").iterations == 1);
    });
    const Ran document = run(fixture, {"--json", "user", "add", "--bulk", "-"}, "one@a.test\tp\n");
    CHECK(document.status == 1);
    CHECK(json::parse(document.out).at("failures").as_array().at(0).at("line") == 1);
    CHECK(run(fixture, {"user", "add", "--bulk", "/nonexistent"}).status == 2);
}

TEST_CASE("a long file goes in many requests") {
    ControlFixture fixture;
    std::string text;
    for (int i = 0; i < 5'321; ++i) {
        text += "user" + std::to_string(i) + "@a.test\tp" + std::to_string(i) + "\n";
    }
    const Ran ran = run(fixture, {"user", "add", "--bulk", "-"}, text);
    CHECK(ran.status == 0);
    CHECK(ran.out == "added 5,321 accounts, failed 0\n");
    CHECK(ran.err.empty());
    fixture.on_control([&] { CHECK(fixture.operations.accounts.size() == 5'322); });
    CHECK(json::parse(run(fixture, {"user", "list", "--json"}).out).as_array().size() == 5'322);
    const Ran again = run(fixture, {"user", "add", "--bulk", "-"}, text);
    CHECK(again.status == 1);
    CHECK(contains(again.err, "and 5,301 more\n"));
}

TEST_CASE("shutdown waits for the end of the server") {
    ControlFixture fixture;
    fixture.on_control([&] {
        fixture.operations.on_shutdown = [&] {
            boost::asio::post(fixture.context, [&] { fixture.server.reset(); });
        };
    });
    const Ran ran = run(fixture, {"shutdown", "--drain", "3"});
    CHECK(ran.out == "stopped\n");
    CHECK(ran.status == 0);
    fixture.on_control([&] { CHECK(fixture.operations.drain_seconds == 3); });
}
