#include "tools/ctl/template.h"

#include <doctest/doctest.h>

#include <string>

#include "tools/ctl/views.h"

using namespace causeway::ctl;
namespace json = boost::json;

namespace {

const json::value row = json::parse(R"({
    "name": "rose", "empty": "", "none": null, "count": 12345, "zero": 0, "minus": -3,
    "bytes": 1500, "big": 18446744073709551615, "at": 60000, "yes": true, "no": false,
    "list": ["a", "b"], "nobody": [], "tls": {"version": "1.3", "cipher": {"name": "AES"}}})");

std::string filled(std::string_view text) { return fill(text, row, 120'000); }

}  // namespace

TEST_CASE("a member stands for itself, and for a dash if there is nothing") {
    CHECK(filled("{name}") == "rose");
    CHECK(filled("a {name}.") == "a rose.");
    CHECK(filled("{tls.version} {tls.cipher.name}") == "1.3 AES");
    for (const char* text : {"{empty}", "{none}", "{unknown}", "{tls}", "{tls.x}", "{name.x}",
                             "{nobody}", "{none:ago}", "x {none}"}) {
        CAPTURE(text);
        CHECK(filled(text) == "-");
    }
    CHECK(fill("{}", json::value("text"), 0) == "text");
    CHECK(fill("{}", json::value(7), 0) == "7");
}

TEST_CASE("a number has the form that is asked for") {
    CHECK(filled("{count}") == "12345");
    CHECK(filled("{count:number}") == "12345");
    CHECK(filled("{minus:number}") == "-3");
    CHECK(filled("{count:count}") == "12,345");
    CHECK(filled("{zero:count}") == "0");
    CHECK(filled("{minus:count}") == "0");
    CHECK(filled("{bytes:bytes}") == "1.5 kB");
    CHECK(filled("{at:ago}") == "1 min");
    CHECK(filled("{at:ahead}") == "now");
    CHECK(fill("{at:ahead}", row, 0) == "in 1 min");
    CHECK(filled("{at:date}") == "1970-01-01 00:01 UTC");
    CHECK(filled("{at:expiry}") == "EXPIRED 1 min ago (1970-01-01 00:01 UTC)");
    CHECK(fill("{at:expiry}", row, 0) == "expires in 1 min (1970-01-01 00:01 UTC)");
    CHECK(filled("{count:later}") == "12345");
    CHECK(filled("{list:list}") == "a, b");
}

TEST_CASE("words stand for flags and for what is missing") {
    CHECK(filled("{yes?on|off} {no?on|off}") == "on off");
    CHECK(filled("{yes?on}") == "on");
    CHECK(filled("{no?on}") == "-");
    CHECK(filled("{unknown?on|off}") == "off");
    CHECK(filled("{none!nothing}") == "nothing");
    CHECK(filled("{name!nothing}") == "-");
}

TEST_CASE("what is incomplete is left out") {
    CHECK(filled("{name}[ for {at:ago}][ as {none}]") == "rose for 1 min");
    CHECK(filled("[{none}]") == "");
    CHECK(filled("{name};{none};n {count:count}") == "rose, n 12,345");
    CHECK(filled("{no?a};{yes?b}") == "b");
    CHECK(filled("{none};{no?a}") == "-");
}

TEST_CASE("a template that is none is shown as it can be") {
    CHECK(filled("") == "-");
    CHECK(filled("{name") == "rose");
    CHECK(filled("[{name}") == "rose");
    CHECK(filled("]}") == "]}");
    CHECK(filled("{") == "-");
}

TEST_CASE("numbers stand at the right") {
    CHECK(is_number("{a:count}"));
    CHECK(is_number("{a.b:bytes}"));
    CHECK(is_number("{a:number}"));
    for (const char* text : {"", "{a}", "{a:ago}", "{a:count} {b:count}", "x{a:count}"}) {
        CHECK_FALSE(is_number(text));
    }
}

TEST_CASE("a verb of which nothing is said shows its answer as JSON") {
    Verb verb;
    CHECK(view(verb, json::parse(R"({"a":1})"), {}, 0) == "{\"a\":1}\n");
    verb.is_list = true;
    CHECK(view(verb, json::parse(R"({"count":1})"), {1}, 0) == "[1]\n");
    verb.fields = {{.title = "A", .text = "{}", .each = {}, .when = {}}};
    CHECK(view(verb, json::parse(R"({"count":0})"), {}, 0) == "nothing to show\n");
}

TEST_CASE("verbs are what people can type") {
    const auto verbs = verbs_of(json::parse(R"({"commands":[
        {"name":"a.b","params":[{"name":"x","type":"string","required":true}]},
        {"name":"c","params":[{"name":"x","type":"tree","required":false}]},
        {"name":"--socket"}, {"name":""}, 7, {"name":"d..e"}]})"));
    REQUIRE(verbs.ok());
    REQUIRE(verbs->size() == 1);
    CHECK(verbs->front().words == std::vector<std::string>{"a", "b"});
    CHECK(verbs_of(json::value("x")).error().why() ==
          "the server's answer to \"help\" lists no commands");
}
