#include "gateway/control/json_rpc.h"

#include <doctest/doctest.h>

#include <string>
#include <variant>

using namespace causeway;
using namespace causeway::control;
namespace json = boost::json;

namespace {

RpcRequest accepted(const std::string& line) {
    CAPTURE(line);
    auto parsed = parse_request(line);
    REQUIRE(std::holds_alternative<RpcRequest>(parsed));
    return std::move(std::get<RpcRequest>(parsed));
}

RpcRejection rejected(const std::string& line) {
    CAPTURE(line);
    auto parsed = parse_request(line);
    REQUIRE(std::holds_alternative<RpcRejection>(parsed));
    return std::get<RpcRejection>(parsed);
}

int code_of(const std::string& line) { return static_cast<int>(rejected(line).error.code); }

std::string call(const std::string& rest) { return R"({"jsonrpc":"2.0",)" + rest + "}"; }

}  // namespace

TEST_CASE("a request has an id, a method and named parameters") {
    const auto request = accepted(call(R"("id":7,"method":"user.show","params":{"jid":"a@b"})"));
    REQUIRE(request.id.has_value());
    CHECK(*request.id == RpcId(7));
    CHECK(request.method == "user.show");
    CHECK(request.params.at("jid") == "a@b");
}

TEST_CASE("an id may be a string, and a request without one is a notification") {
    CHECK(*accepted(call(R"("id":"x","method":"m")")).id == RpcId("x"));
    const auto notification = accepted(call(R"("method":"m")"));
    CHECK_FALSE(notification.id.has_value());
    CHECK(notification.params.empty());
}

TEST_CASE("an id of whatever length and number form comes back unchanged") {
    for (const std::string& id :
         {"\"" + std::string(1'000, 'x') + "\"", "\"" + std::string(100'000, 'x') + "\"",
          std::string(R"("a\u00e9\n\"}{][,")"), std::string("null"), std::string("0"),
          std::string("-7"), std::string("1.5"), std::string("1.0"), std::string("1e2"),
          std::string("18446744073709551615"), std::string("123456789012345678901234567890")}) {
        CAPTURE(id);
        for (const std::string& line :
             {call("\"id\":" + id + R"(,"method":"m","params":{"id":"no","x":[{"id":5}]})"),
              call(R"("params":{"a":"\"id\":3","id":4},"method":"m", "id" : )" + id + " "),
              call(R"("id":3,"method":"id","\u0069d":)" + id)}) {
            const auto request = accepted(line);
            REQUIRE(request.id.has_value());
            CHECK(request.id->token() == id);
            const std::string tail = "\"id\":" + id;
            for (const std::string& written :
                 {write_result(*request.id, json::object()),
                  write_error(request.id, {RpcCode::absent, "no"}),
                  write_notification("rows", *request.id, {{"n", 1}, {"id", 2}}),
                  write_notification("rows", *request.id, {})}) {
                CHECK(written.find(tail) != std::string::npos);
                CHECK(json::parse(written).is_object());
            }
        }
    }
    CHECK_FALSE(rejected(call(R"("id":[1],"method":"m")")).id.has_value());
}

TEST_CASE("what is not JSON is a parse error") {
    for (const char* line : {"", "{", "nonsense", "{}{}", "{\"a\":\"\xff\"}", "{\"a\":1,}"}) {
        CHECK(code_of(line) == -32700);
    }
    CHECK_FALSE(rejected("{").id.has_value());
}

TEST_CASE("nesting is bounded") {
    const auto nested = [](std::size_t depth) {
        return call(R"("id":1,"method":"m","params":{"a":)" + std::string(depth, '[') +
                    std::string(depth, ']') + "}");
    };
    CHECK(accepted(nested(RpcLimits::depth - 2)).method == "m");
    CHECK(code_of(nested(RpcLimits::depth - 1)) == -32700);
    CHECK(code_of(std::string(100'000, '[')) == -32700);
}

TEST_CASE("what is JSON but no request is an invalid request") {
    const std::string long_text(65, 'x');
    for (const std::string& line :
         {std::string("[]"), std::string("1"), std::string("{}"),
          std::string(R"({"id":1,"method":"m"})"), std::string(R"({"jsonrpc":"1.0","method":"m"})"),
          std::string(R"({"jsonrpc":2.0,"method":"m"})"), call(R"("id":1)"),
          call(R"("id":1,"method":5)"), call(R"("id":1,"method":"")"),
          call(R"("id":1,"method":")" + long_text + "\""), call(R"("id":true,"method":"m")"),
          call(R"("id":{},"method":"m")"), call(R"("id":[],"method":"m")"),
          call(R"("id":1,"method":"m","parameters":{})")}) {
        CHECK(code_of(line) == -32600);
    }
    CHECK(*rejected(call(R"("id":1)")).id == RpcId(1));
}

TEST_CASE("parameters by position are invalid parameters") {
    CHECK(code_of(call(R"("id":1,"method":"m","params":["a"])")) == -32602);
}

TEST_CASE("a result, an error and a notification are one line each") {
    json::object tricky;
    tricky["text"] = "a\nb\r\x01\u2028";
    for (const std::string& line :
         {write_result(RpcId(3), tricky), write_error(RpcId("x"), {RpcCode::absent, "no\naccount"}),
          write_notification("rows", RpcId(3), tricky), write_request(RpcId(3), "m", tricky)}) {
        CAPTURE(line);
        CHECK(line.find('\n') == line.size() - 1);
        CHECK(json::parse(line).at("jsonrpc") == "2.0");
    }
    const auto error = json::parse(write_error({}, {RpcCode::policy, "full"}));
    CHECK(error.at("id").is_null());
    CHECK(error.at("error").at("code") == -32005);
    CHECK(error.at("error").at("data").at("cause") == "policy");
    CHECK(json::parse(write_notification("rows", RpcId("x"), {})).at("params").at("id") == "x");
    CHECK(accepted(write_request(RpcId(3), "m", tricky)).params == tricky);
}

TEST_CASE("each cause has its code") {
    CHECK(to_rpc_error(Outcome::absent("a")).code == RpcCode::absent);
    CHECK(to_rpc_error(Outcome::retry("a")).code == RpcCode::retry);
    CHECK(to_rpc_error(Outcome::refused("a")).code == RpcCode::refused);
    CHECK(to_rpc_error(Outcome::malformed("a")).code == RpcCode::malformed);
    CHECK(to_rpc_error(Outcome::policy("because")).code == RpcCode::policy);
    CHECK(to_rpc_error(Outcome::policy("because")).message == "because");
}
