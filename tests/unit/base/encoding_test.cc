#include "gateway/base/encoding.h"

#include <doctest/doctest.h>

#include <random>

namespace causeway::test {

TEST_CASE("base64: the test vectors of RFC 4648 section 10, both ways") {
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xef\xbe", "/+++"},
    };
    for (const auto& [bytes, text] : vectors) {
        CHECK(base64_encode(bytes) == text);
        CHECK(base64_decode(text) == bytes);
    }
}

TEST_CASE("base64: random bytes come back") {
    std::mt19937 random(7);
    for (std::size_t size = 0; size < 200; ++size) {
        std::string bytes;
        for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(random());
        const std::string text = base64_encode(bytes);
        CHECK(text.size() == (size + 2) / 3 * 4);
        CHECK(base64_decode(text) == bytes);
    }
}

TEST_CASE("base64: whatever is not canonical is refused") {
    for (const std::string_view text : {
             "Z",    "Zg",       "Zg=",     "Zm9vYg=",      "=",
             "====", "Z===",     "=Zg=",    "Zg==Zg==",     "Zm=v",
             "Z=g=", "Zm9v====", " Zm9v",   "Zm9v\n",       "Zm 9v===",
             "Zm9-", "Zm9_",     "Zm9\xe9", "Zm9v\r\nZm9v", "Zh==",
             "Zm9=", "Zm9vYn==",  // bits left over
         }) {
        CAPTURE(text);
        CHECK(!base64_decode(text).has_value());
    }
    CHECK(!base64_decode(std::string_view("Zm9\0", 4)).has_value());
}

TEST_CASE("base64: each text is accepted in one form only") {
    // Of the 64 last characters before "=" and "==", those without left-over bits: 16 and 4.
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int one = 0;
    int two = 0;
    for (const char c : alphabet) {
        one += base64_decode(std::string("AA") + c + "=").has_value();
        two += base64_decode(std::string("A") + c + "==").has_value();
    }
    CHECK(one == 16);
    CHECK(two == 4);
}

TEST_CASE("hexadecimal: lower case, two digits a byte") {
    CHECK(hex_encode("") == "");
    CHECK(hex_encode(std::string_view("\x00\x0f\xa0\xff", 4)) == "000fa0ff");
}

TEST_CASE("comparison in constant time says what == says") {
    CHECK(equal_in_constant_time("", ""));
    CHECK(equal_in_constant_time({}, ""));
    CHECK(equal_in_constant_time("secret", "secret"));
    CHECK(!equal_in_constant_time("secret", "secreT"));
    CHECK(!equal_in_constant_time("Secret", "secret"));
    CHECK(!equal_in_constant_time("secret", "secre"));
    CHECK(!equal_in_constant_time("", "s"));
    CHECK(!equal_in_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

TEST_CASE("lower case touches ASCII letters alone") {
    CHECK(ascii_lower("") == "");
    CHECK(ascii_lower("AZaz@[`{09-") == "azaz@[`{09-");
    CHECK(ascii_lower("\xc3\x84\xff") == "\xc3\x84\xff");
    CHECK(ascii_lower(std::string_view("A\0B", 3)) == std::string_view("a\0b", 3));
}

}  // namespace causeway::test
