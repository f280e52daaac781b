#include "gateway/base/number.h"

#include <doctest/doctest.h>

#include <cstdint>

namespace causeway::test {

TEST_CASE("number: digits and nothing else, up to the largest") {
    CHECK(read_number<std::uint32_t>("0") == 0U);
    CHECK(read_number<std::uint32_t>("007") == 7U);
    CHECK(read_number<std::uint32_t>("4294967295") == 4294967295U);
    CHECK(read_number<std::uint64_t>("18446744073709551615") == 18446744073709551615ULL);
    for (const char* text : {"", " 1", "1 ", "+1", "-1", "-0", "1.5", "0x1", "1e3", "one",
                             "4294967296", "99999999999999999999"}) {
        CAPTURE(text);
        CHECK_FALSE(read_number<std::uint32_t>(text));
    }
}

}  // namespace causeway::test
