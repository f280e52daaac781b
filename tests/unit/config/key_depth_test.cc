#include "gateway/config/key_depth.h"

#include <doctest/doctest.h>

#include <string>

using causeway::find_deep_key;

TEST_CASE("eight parts are allowed, nine are too many") {
    CHECK_FALSE(find_deep_key("a.b.c.d.e.f.g.h = 1").has_value());
    CHECK(find_deep_key("a.b.c.d.e.f.g.h.i = 1") == 16);
    CHECK(find_deep_key("x = 1\n[a . b\t.c.d.e.f.g.h.i]").has_value());
    CHECK(find_deep_key("x = { a.b.c.d.e.f.g.h.i = 1 }").has_value());
}

TEST_CASE("each key is counted for itself") {
    CHECK_FALSE(find_deep_key("a.b.c.d.e = 1.5\nf.g.h.i.j = 1").has_value());
    CHECK_FALSE(find_deep_key("x = [1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1]").has_value());
    CHECK_FALSE(find_deep_key("x = {a.b.c.d = {e.f.g.h = 1}, i.j.k = 2}").has_value());
}

TEST_CASE("dots in strings and comments are no parts") {
    CHECK_FALSE(find_deep_key("x = \"a.b.c.d.e.f.g.h.i.j.k\"").has_value());
    CHECK_FALSE(find_deep_key("x = 'a.b.c.d.e.f.g.h.i.j.k'").has_value());
    CHECK_FALSE(find_deep_key("x = \"\"\"\n........\n.\"..\"\"\"").has_value());
    CHECK_FALSE(find_deep_key("x = '''\n........\n.'..'''''").has_value());
    CHECK_FALSE(find_deep_key("# .......... ' \" [\nx = 1").has_value());
    CHECK_FALSE(find_deep_key("x = \"\\\"..........\"").has_value());
    CHECK_FALSE(find_deep_key("x = \"........").has_value());
}

TEST_CASE("strings and comments hide nothing behind them") {
    const std::string deep = "a.a.a.a.a.a.a.a.a.a = 1";
    CHECK(find_deep_key("x = \"\\\\\"\n" + deep).has_value());
    CHECK(find_deep_key("x = '\\'\n" + deep).has_value());
    CHECK(find_deep_key("x = ''\n" + deep).has_value());
    CHECK(find_deep_key("x = \"\"\"\"\"\"\"\"\n" + deep).has_value());
    CHECK(find_deep_key("x = ''''a'''''\n" + deep).has_value());
    CHECK(find_deep_key("# it's \"\"\"\n" + deep).has_value());
    CHECK(find_deep_key(R"("="."="."="."="."="."="."="."="."=" = 1)").has_value());
}
