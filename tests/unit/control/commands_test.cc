#include "gateway/control/commands.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "gateway/control/rows.h"
#include "gateway/features/registry.h"
#include "gateway/server/check_command.h"
#include "gateway/server/trace_commands.h"
#include "tests/unit/control/fake_operations.h"
#include "tests/unit/control/recorder.h"
#include "tests/unit/control/schema.h"

using namespace causeway;
using namespace causeway::control;
namespace json = boost::json;

namespace {

json::object read_schema() {
    const char* const given = std::getenv("CAUSEWAY_SOURCE_ROOT");
    const std::filesystem::path root =
        given != nullptr ? std::filesystem::path(given)
                         : std::filesystem::path(__FILE__).parent_path() / "../../..";
    std::ifstream file(root / "schemas/control.json", std::ios::binary);
    REQUIRE(file.good());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return json::parse(text).as_object();
}

/// The table over a fake server, with the schema to hold each answer against.
struct Fixture {
    FakeOperations operations;
    CommandTable table{CommandHost{operations}};
    json::object schema = read_schema();

    Fixture() { REQUIRE(add_engine_commands(table).ok()); }

    const json::object& method(const std::string& name) const {
        return schema.at("methods").at(name).as_object();
    }

    /// Runs a command that is to work; its answer fits its schema, and so does each of its rows.
    Recorded run(const std::string& name, const std::string& params = "{}") {
        CAPTURE(name);
        Recorded recorded;
        control::run(table, name, params, recorded);
        REQUIRE(recorded.answer.has_value());
        INFO((recorded.answer->ok() ? std::string() : recorded.answer->error().why()));
        REQUIRE(recorded.answer->ok());
        const Schema shapes(schema.at("$defs").as_object());
        const auto wrong = shapes.mismatch(method(name).at("result").as_object(),
                                           recorded.answer->value(), "result");
        CHECK_MESSAGE(!wrong, wrong.value_or(""));
        for (const json::array& line : recorded.lines) {
            CHECK(line.size() <= 500);
            for (const json::value& row : line) {
                const auto misfit =
                    shapes.mismatch(method(name).at("rows").as_object(), row, "row");
                CHECK_MESSAGE(!misfit, misfit.value_or(""));
            }
        }
        return recorded;
    }

    json::value answer(const std::string& name, const std::string& params = "{}") {
        return run(name, params).answer->value();
    }

    /// Runs a command that is to fail.
    Outcome failure(const std::string& name, const std::string& params) {
        CAPTURE(name);
        Recorded recorded;
        control::run(table, name, params, recorded);
        REQUIRE(recorded.answer.has_value());
        REQUIRE_FALSE(recorded.answer->ok());
        return recorded.answer->error();
    }
};

constexpr const char* juliet = R"({"jid":"juliet@a.test"})";
constexpr const char* nobody = R"({"jid":"nobody@a.test"})";
constexpr const char* b_test = R"({"domain":"b.test"})";
constexpr const char* c_test = R"({"domain":"c.test"})";

}  // namespace

TEST_CASE("the schema names every method with its parameters, and no other") {
    Fixture fixture;
    REQUIRE(fixture.table.add(trace_commands()).ok());
    REQUIRE(fixture.table.add(check_commands()).ok());
    for (const Feature* feature : all_features()) {
        REQUIRE(fixture.table.add(feature->commands).ok());
    }
    const json::object& methods = fixture.schema.at("methods").as_object();
    CHECK(methods.size() == fixture.table.rows().size());
    for (const auto& [name, command] : fixture.table.rows()) {
        CAPTURE(name);
        REQUIRE(methods.contains(std::string(name)));
        const json::object& method = fixture.method(std::string(name));
        const json::object& params = method.at("params").as_object();
        const json::object& properties = params.at("properties").as_object();
        CHECK(properties.size() == command->params.size());
        std::set<std::string> required;
        for (const Param& param : command->params) {
            const std::string of(param.name);
            CAPTURE(of);
            REQUIRE(properties.contains(of));
            const json::object& shape = properties.at(of).as_object();
            constexpr std::array<std::pair<const char*, const char*>, 6> forms{
                {{"string", "maxLength"},
                 {"integer", "maximum"},
                 {"string", "maxLength"},
                 {"string", "maxLength"},
                 {"boolean", nullptr},
                 {"array", "maxItems"}}};
            const auto& [type, bound] = forms.at(static_cast<std::size_t>(param.type));
            CHECK(shape.at("type") == type);
            if (bound != nullptr) {
                CHECK(shape.at(bound).to_number<std::uint64_t>() == param.at_most);
            }
            if (param.required) {
                required.insert(of);
            }
        }
        std::set<std::string> named;
        for (const json::value& each : params.at("required").as_array()) {
            named.insert(each.as_string().c_str());
        }
        CHECK(named == required);
        CHECK(method.contains("rows") == command->streams);
        CHECK_FALSE(command->doc.empty());
    }
}

TEST_CASE("the same rows cannot be added twice") {
    Fixture fixture;
    CHECK(add_engine_commands(fixture.table).cause() == Cause::refused);
}

TEST_CASE("status and help fit their schema") {
    Fixture fixture;
    CHECK(fixture.answer("status").at("domains").as_array()[0].at("name") == "a.test");
    CHECK(fixture.answer("help").at("commands").as_array().size() == fixture.table.rows().size());
}

TEST_CASE("accounts are added, changed, shown and removed") {
    Fixture fixture;
    auto& accounts = fixture.operations.accounts;
    CHECK(fixture.answer("user.add", R"({"jid":"r@a.test","password":"p"})").at("jid") ==
          "r@a.test");
    CHECK(accounts.at("r@a.test").password == "p");
    CHECK(accounts.at("r@a.test").iterations == 0);
    CHECK(fixture.failure("user.add", R"({"jid":"r@a.test","password":"p"})").cause() ==
          Cause::refused);
    fixture.run("user.passwd", R"({"jid":"r@a.test","password":"q","iterations":5})");
    CHECK(accounts.at("r@a.test").password == "q");
    CHECK(accounts.at("r@a.test").iterations == 5);
    CHECK(fixture.answer("user.disable", R"({"jid":"r@a.test"})").at("disabled") == true);
    CHECK(fixture.answer("user.show", R"({"jid":"r@a.test"})").at("disabled") == true);
    CHECK(fixture.answer("user.enable", R"({"jid":"r@a.test"})").at("disabled") == false);
    CHECK_FALSE(accounts.at("r@a.test").disabled);
    fixture.run("user.remove", R"({"jid":"r@a.test"})");
    CHECK_FALSE(accounts.contains("r@a.test"));
}

TEST_CASE("accounts in bulk are judged one by one") {
    Fixture fixture;
    const json::value answer = fixture.answer(
        "user.add_bulk",
        R"({"iterations":1,"accounts":[["x@a.test","p"],["juliet@a.test","p"],["y","p"],["z@a.test","p"]]})");
    CHECK(answer.at("added") == 2);
    REQUIRE(answer.at("failures").as_array().size() == 2);
    CHECK(answer.at("failures").as_array()[0].at("index") == 1);
    CHECK(answer.at("failures").as_array()[0].at("cause") == "refused");
    CHECK(answer.at("failures").as_array()[1].at("index") == 2);
    CHECK(fixture.operations.accounts.at("z@a.test").iterations == 1);
}

TEST_CASE("lists carry every row") {
    Fixture fixture;
    CHECK(fixture.run("user.list").rows() == 1);
    CHECK(fixture.run("user.list", R"({"domain":"a.test"})").rows() == 1);
    CHECK(fixture.run("session.list").rows() == 2);
    CHECK(fixture.run("session.list", juliet).rows() == 2);
    CHECK(fixture.run("session.list", R"({"jid":"juliet@a.test/garden"})").rows() == 1);
    CHECK(fixture.run("peer.list").rows() == 2);
    CHECK(fixture.run("queue.list").rows() == 1);
    CHECK(fixture.run("queue.show", b_test).rows() == 2);
}

TEST_CASE("a long list arrives in order, page by page, in lines of bounded size") {
    for (const std::size_t rows_per_page :
         {std::size_t{7}, std::size_t{500}, std::size_t{10'000}}) {
        CAPTURE(rows_per_page);
        Fixture fixture;
        fixture.operations.rows_per_page = rows_per_page;
        fixture.operations.stanzas.resize(1'234);
        for (std::size_t i = 0; i < 1'234; ++i) {
            fixture.operations.stanzas[i].id = i;
        }
        const Recorded recorded = fixture.run("queue.show", b_test);
        CHECK(recorded.answer->value().at("count") == 1'234);
        std::uint64_t next = 0;
        for (const json::array& line : recorded.lines) {
            for (const json::value& row : line) {
                CHECK(row.at("id").to_number<std::uint64_t>() == next++);
            }
        }
        CHECK(next == 1'234);
    }
}

TEST_CASE("a slow reader keeps a list from asking for more") {
    Fixture fixture;
    fixture.operations.rows_per_page = 10;
    fixture.operations.stanzas.resize(100);
    Recorded recorded;
    const RpcRequest request{RpcId(1), "queue.show", json::parse(b_test).as_object()};
    const auto match = fixture.table.match(request);
    fixture.table.run(*std::get<const Command*>(match), request.params,
                      Reply(std::make_unique<Recorder>(recorded)));
    CHECK(fixture.operations.pages_asked == 1);
    CHECK(recorded.lines.empty());
    REQUIRE(recorded.waiting.size() == 1);
    const auto task = std::move(recorded.waiting.front());
    recorded.waiting.pop_front();
    task();
    CHECK(recorded.lines.size() == 1);
    CHECK(fixture.operations.pages_asked == 2);
    recorded.run_waiting();
    CHECK(recorded.rows() == 100);
}

TEST_CASE("peers and queues are shown, closed, retried and dropped") {
    Fixture fixture;
    CHECK(fixture.answer("peer.show", b_test).at("queue").at("stanzas") == 2);
    CHECK(fixture.answer("peer.close", b_test).at("closed") == 2);
    CHECK(fixture.answer("peer.retry", b_test).at("domain") == "b.test");
    CHECK(fixture.answer("queue.drop", b_test).at("dropped") == 2);
    CHECK(fixture.operations.stanzas.empty());
}

TEST_CASE("the server is reloaded, its log turned and shut down") {
    Fixture fixture;
    CHECK(fixture.answer("reload").at("changes").as_array().size() == 2);
    CHECK(fixture.answer("log.level", R"({"level":"debug"})").at("level") == "debug");
    CHECK(fixture.operations.log_level == "debug");
    fixture.run("shutdown", R"({"drain":5})");
    CHECK(fixture.operations.drain_seconds == 5);
    fixture.run("shutdown");
    CHECK_FALSE(fixture.operations.drain_seconds.has_value());
}

TEST_CASE("what does not exist is absent") {
    Fixture fixture;
    for (const char* name : {"user.remove", "user.show", "user.disable", "user.enable",
                             "session.list", "session.kill"}) {
        CHECK(fixture.failure(name, nobody).cause() == Cause::absent);
    }
    for (const char* name :
         {"user.list", "peer.show", "peer.close", "peer.retry", "queue.show", "queue.drop"}) {
        CHECK(fixture.failure(name, c_test).cause() == Cause::absent);
    }
    CHECK(fixture.failure("user.passwd", R"({"jid":"nobody@a.test","password":"p"})").cause() ==
          Cause::absent);
    CHECK(fixture.failure("queue.show", c_test).why() == "nothing is queued for c.test");
    CHECK(fixture.failure("log.level", R"({"level":"loud"})").cause() == Cause::malformed);
}

TEST_CASE("text that is not UTF-8 is made so") {
    CHECK(utf8("a\xff"
               "b\xc3") ==
          "a\xEF\xBF\xBD"
          "b\xEF\xBF\xBD");
    CHECK(utf8("J\xC3\xBCrgen") == "J\xC3\xBCrgen");
    CHECK(utf8("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(utf8("") == "");
}
