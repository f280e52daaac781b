// Names that mix scripts.
#include "gateway/xmpp/scripts.h"

#include <doctest/doctest.h>

namespace causeway::test {
namespace {

TEST_CASE("scripts that are not written together") {
    CHECK_FALSE(unicode::mixes_scripts(""));
    CHECK_FALSE(unicode::mixes_scripts("juliet-1597"));
    CHECK_FALSE(unicode::mixes_scripts("1597"));
    CHECK_FALSE(unicode::mixes_scripts("\u0434\u0436\u0443\u043b\u044c\u0435\u0442\u0442\u0430"));
    CHECK(unicode::mixes_scripts("juli\u0435t"));    // a Cyrillic letter among Latin ones
    CHECK(unicode::mixes_scripts("r\u03bfmeo"));     // a Greek one
    CHECK_FALSE(unicode::mixes_scripts("e\u0301"));  // an accent goes with all
    CHECK_FALSE(unicode::mixes_scripts("tokyo\u6771\u4eac\u306e\u30a2"));
    CHECK(unicode::mixes_scripts("\u306e\ud55c"));  // Japanese and Korean
    CHECK(unicode::mixes_scripts("\xff"));
}

}  // namespace
}  // namespace causeway::test
