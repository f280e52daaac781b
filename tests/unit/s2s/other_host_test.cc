#include "s2s/other_host.h"

#include <doctest/doctest.h>

namespace causeway::test {

TEST_CASE("other host: a name or an address, with a port or without") {
    const auto read = [](std::string_view text) {
        return read_other_host(text).value_or(OtherHost{"none", 1});
    };
    CHECK(read("Elsewhere.test") == OtherHost{"elsewhere.test", 0});
    CHECK(read("b\xc3\xbc"
               "cher.test:5270") == OtherHost{"xn--bcher-kva.test", 5270});
    CHECK(read("192.0.2.1:5269") == OtherHost{"192.0.2.1", 5269});
    CHECK(read("[2001:db8::1]:5269") == OtherHost{"[2001:db8::1]", 5269});
    CHECK(read("[2001:db8::1]") == OtherHost{"[2001:db8::1]", 0});
    CHECK(without_brackets("[2001:db8::1]") == "2001:db8::1");
    CHECK(without_brackets("elsewhere.test") == "elsewhere.test");
}

TEST_CASE("other host: what is no address") {
    for (const std::string_view text :
         {"", ":5269", "a.test:", "a.test:0", "a.test:65536", "a.test:52x", "a b", "a@b.test"}) {
        CAPTURE(text);
        CHECK(!read_other_host(text));
    }
}

}  // namespace causeway::test
