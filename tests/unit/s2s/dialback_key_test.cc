#include "s2s/dialback_key.h"

#include <doctest/doctest.h>

namespace causeway::test {

TEST_CASE("dialback key: the example of XEP-0185") {
    CHECK(dialback_key("s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F") ==
          "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
}

TEST_CASE("dialback key: every part counts, and which of the domains is which") {
    const std::string key = dialback_key("secret", "a.test", "b.test", "id");
    CHECK(key.size() == 64);
    CHECK(key == dialback_key("secret", "a.test", "b.test", "id"));
    CHECK(key != dialback_key("Secret", "a.test", "b.test", "id"));
    CHECK(key != dialback_key("secret", "b.test", "a.test", "id"));
    CHECK(key != dialback_key("secret", "a.test", "b.test", "ID"));
    CHECK(key != dialback_key("secret", "a.test", "b.test", ""));
}

}  // namespace causeway::test
