#include "gateway/control/command.h"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "tests/unit/control/fake_operations.h"
#include "tests/unit/control/recorder.h"

using namespace causeway;
using namespace causeway::control;
namespace json = boost::json;

namespace {

void echo(const CommandRequest& request) { request.reply(json::value(request.params)); }

constexpr std::array params{Param{"name", ParamType::string, true, "which thing", 8},
                            Param{.name = "times",
                                  .type = ParamType::integer,
                                  .required = false,
                                  .doc = "how often",
                                  .at_most = 9,
                                  .option = true},
                            Param{"file", ParamType::path, false, "where to", 9},
                            Param{"accounts", ParamType::accounts, false, "for whom", 2}};
constexpr std::array fields{Field{.title = "NAME", .text = "{name}", .each = "things"}};
constexpr std::array example{Command{.name = "thing.do",
                                     .params = params,
                                     .doc = "does a thing",
                                     .run = echo,
                                     .view = {.fields = fields, .empty = "no things"}}};
constexpr std::array second_help{Command{.name = "help", .doc = "another", .run = echo}};

/// A table of these commands over a server that nobody asks.
struct Table {
    explicit Table(std::span<const Command> with = {}) { REQUIRE(commands.add(with).ok()); }
    FakeOperations operations;
    CommandTable commands{CommandHost{operations}};
};

/// The message with which the table rejects these parameters; empty if it accepts them.
std::string rejection(const std::string& given) {
    const Table table(example);
    const RpcRequest request{RpcId(1), "thing.do", json::parse(given).as_object()};
    const auto match = table.commands.match(request);
    if (const auto* error = std::get_if<RpcError>(&match)) {
        CHECK(error->code == RpcCode::invalid_params);
        return error->message;
    }
    CHECK(std::get<const Command*>(match)->name == "thing.do");
    return {};
}

}  // namespace

TEST_CASE("parameters that fit the shape are accepted") {
    CHECK(rejection(R"({"name":"x"})").empty());
    CHECK(rejection(R"({"name":"12345678","times":0})").empty());
    CHECK(rejection(R"({"name":"x","times":9,"accounts":[["a","b"],["",""]]})").empty());
}

TEST_CASE("parameters that do not fit are rejected by name") {
    CHECK(rejection("{}") == "thing.do: \"name\" is missing: which thing");
    CHECK(rejection(R"({"name":""})") == "thing.do: \"name\" must have 1 to 8 bytes");
    CHECK(rejection(R"({"name":"123456789"})") == "thing.do: \"name\" must have 1 to 8 bytes");
    CHECK(rejection(R"({"name":1})") == "thing.do: \"name\" must be a string");
    CHECK(rejection(R"({"name":"a\nb"})") ==
          "thing.do: \"name\" must not contain control characters");
    CHECK_FALSE(rejection(R"({"name":"a\u0000"})").empty());
    CHECK_FALSE(rejection(R"({"name":"a\u007f"})").empty());
    for (const char* times : {"-1", "10", "1.5", "\"1\"", "true", "null", "18446744073709551615"}) {
        CHECK(rejection(R"({"name":"x","times":)" + std::string(times) + "}") ==
              "thing.do: \"times\" must be an integer from 0 to 9");
    }
    CHECK(rejection(R"({"name":"x","file":"/a"})").empty());
    CHECK(rejection(R"({"name":"x","file":"a"})") == "thing.do: \"file\" must be an absolute path");
    CHECK(rejection(R"({"name":"x","file":""})") == "thing.do: \"file\" must have 1 to 9 bytes");
    for (const char* accounts : {"[]", "{}", R"([["a","b"],["a","b"],["a","b"]])"}) {
        CHECK(rejection(R"({"name":"x","accounts":)" + std::string(accounts) + "}") ==
              "thing.do: \"accounts\" must be an array of 1 to 2 accounts");
    }
    for (const char* accounts : {R"([["a"]])", R"([["a","b","c"]])", R"([["a",1]])", R"(["a"])"}) {
        CHECK(rejection(R"({"name":"x","accounts":)" + std::string(accounts) + "}") ==
              "thing.do: each of \"accounts\" must be an array of two strings, [jid, password]");
    }
}

TEST_CASE("an unknown parameter is rejected with those that there are") {
    CHECK(rejection(R"({"name":"x","tims":1})") ==
          "thing.do: no parameter \"tims\"; it takes \"name\", \"times\", \"file\", \"accounts\"");
    const Table table;
    const RpcRequest request{RpcId(1), "help", json::parse(R"({"x":1})").as_object()};
    const auto match = table.commands.match(request);
    REQUIRE(std::holds_alternative<RpcError>(match));
    CHECK(std::get<RpcError>(match).message == "help: no parameter \"x\"; it takes none");
}

TEST_CASE("an unknown method is said to be one") {
    const Table table;
    const RpcRequest request{RpcId(1), "thing.undo", {}};
    const auto match = table.commands.match(request);
    REQUIRE(std::holds_alternative<RpcError>(match));
    CHECK(std::get<RpcError>(match).code == RpcCode::method_not_found);
    CHECK(std::get<RpcError>(match).message == "no method \"thing.undo\"; \"help\" lists them");
}

TEST_CASE("a name is taken once") {
    Table table(example);
    CHECK(table.commands.add(example).why() == "the command thing.do is already there");
    CHECK(table.commands.add(second_help).cause() == Cause::refused);
}

TEST_CASE("help lists the table") {
    const Table table(example);
    Recorded recorded;
    run(table.commands, "help", "{}", recorded);
    REQUIRE(recorded.answer.has_value());
    REQUIRE(recorded.answer->ok());
    const json::array& commands = recorded.answer->value().at("commands").as_array();
    REQUIRE(commands.size() == 2);
    CHECK(commands[0].at("name") == "help");
    CHECK(commands[1].at("name") == "thing.do");
    CHECK(commands[1].at("params").as_array().size() == 4);
    CHECK(
        commands[1].at("params").as_array()[1] ==
        json::parse(
            R"({"name":"times","type":"integer","required":false,"at_most":9,"doc":"how often","option":true})"));
    CHECK(
        commands[1].at("view") ==
        json::parse(
            R"({"fields":[{"title":"NAME","text":"{name}","each":"things","when":""}],"sentence":"","rows":"","empty":"no things","fault":"","live":false})"));
}

TEST_CASE("a reply is given once") {
    Recorded recorded;
    {
        const Reply reply(std::make_unique<Recorder>(recorded));
        const Reply copy = reply;
        copy(json::value(1));
        reply(json::value(2));
        CHECK_FALSE(reply.notify("rows", {}));
    }
    REQUIRE(recorded.answer.has_value());
    CHECK(recorded.answer->value() == 1);
    CHECK(recorded.lines.empty());
    CHECK_FALSE(recorded.abandoned);
}

TEST_CASE("a request that everybody forgot is abandoned, not silent") {
    Recorded recorded;
    {
        std::optional<Reply> copy;
        {
            const Reply reply(std::make_unique<Recorder>(recorded));
            copy = reply;
        }
        CHECK_FALSE(recorded.abandoned);
    }
    CHECK(recorded.abandoned);
    CHECK_FALSE(recorded.answer.has_value());
}
