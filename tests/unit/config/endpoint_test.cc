#include "gateway/config/endpoint.h"

#include <doctest/doctest.h>

using causeway::parse_address;
using causeway::parse_endpoint;
using causeway::to_text;

TEST_CASE("an endpoint is an address in numbers and a port") {
    for (const char* text : {"127.0.0.1:5222", "[::1]:5222", "0.0.0.0:1", "[2001:db8::1]:65535"}) {
        CAPTURE(text);
        const auto endpoint = parse_endpoint(text);
        REQUIRE(endpoint.ok());
        CHECK(to_text(*endpoint) == text);
    }
}

TEST_CASE("a port alone is every address") {
    const auto endpoint = parse_endpoint("5222");
    REQUIRE(endpoint.ok());
    CHECK(to_text(*endpoint) == "[::]:5222");
}

TEST_CASE("what is no endpoint is malformed") {
    for (const char* text : {"",
                             ":",
                             "localhost:5222",
                             "127.0.0.1",
                             "127.0.0.1:",
                             "127.0.0.1:0",
                             "127.0.0.1:65536",
                             "127.0.0.1:+1",
                             "127.0.0.1: 1",
                             " 127.0.0.1:1",
                             "::1:5222",
                             "[::1]",
                             "[::1]5222",
                             "[::1:5222",
                             "[127.0.0.1]:5222",
                             "0",
                             "65536",
                             "127.0.0.1:5222:1",
                             "[]:1",
                             "1.2.3:5",
                             "[::1]:5222 "}) {
        CAPTURE(text);
        const auto endpoint = parse_endpoint(text);
        REQUIRE_FALSE(endpoint.ok());
        CHECK(endpoint.error().cause() == causeway::Cause::malformed);
    }
}

TEST_CASE("an IPv6 address without brackets is told how to take a port") {
    CHECK(parse_endpoint("::1:5269").error().why() == "has no port; write \"[::1]:5269\"");
    CHECK(parse_endpoint("2001:db8::5:7").error().why() ==
          "has no port; write \"[2001:db8::5]:7\"");
    CHECK(parse_endpoint("::1").error().why() == "has no port; write \"[::1]:5222\"");
}

TEST_CASE("with a default port the address is enough, and a port alone is not") {
    CHECK(to_text(*parse_endpoint("127.0.0.53", 53)) == "127.0.0.53:53");
    CHECK(to_text(*parse_endpoint("127.0.0.53:5300", 53)) == "127.0.0.53:5300");
    CHECK(to_text(*parse_endpoint("::1", 53)) == "[::1]:53");
    CHECK(to_text(*parse_endpoint("[::1]", 53)) == "[::1]:53");
    CHECK_FALSE(parse_endpoint("5300", 53).ok());
}

TEST_CASE("an address has neither brackets nor port") {
    CHECK(parse_address("127.0.1.1")->to_string() == "127.0.1.1");
    CHECK(parse_address("::1")->is_v6());
    CHECK_FALSE(parse_address("[::1]").ok());
    CHECK_FALSE(parse_address("127.0.0.1:1").ok());
    CHECK_FALSE(parse_address("").ok());
    CHECK_FALSE(parse_address(std::string(4096, '1')).ok());
}
