#include "gateway/base/escape.h"

#include <doctest/doctest.h>

using causeway::append_escaped;
using causeway::cut_text;
using causeway::Escape;

namespace {

std::string escaped(std::string_view text, Escape escape, bool expected = true) {
    std::string out = "<";
    CHECK(append_escaped(out, text, escape) == expected);
    return out.substr(1);
}

}  // namespace

TEST_CASE("harmless text stays as it is") {
    for (const char* text : {"", "plain text", "M\u00fcnchen \u65e5\u672c \U0001F600"}) {
        for (const Escape escape : {Escape::plain, Escape::quoted, Escape::json}) {
            CHECK(escaped(text, escape, false) == text);
        }
    }
}

TEST_CASE("quotes and backslashes matter between quotes only") {
    CHECK(escaped("a\"b\\c", Escape::plain, false) == "a\"b\\c");
    CHECK(escaped("a\"b\\c", Escape::quoted) == R"(a\"b\\c)");
    CHECK(escaped("a\"b\\c", Escape::json) == R"(a\"b\\c)");
}

TEST_CASE("what could act on the reader is shown instead") {
    for (const Escape escape : {Escape::plain, Escape::quoted, Escape::json}) {
        CHECK(escaped("\n\r\t\x1b\x7f", escape) == R"(\n\r\t\u001b\u007f)");
        CHECK(escaped(std::string_view("\0", 1), escape) == R"(\u0000)");
        CHECK(escaped("\u0080\u009f\u2028\u2029", escape) == R"(\u0080\u009f\u2028\u2029)");
        CHECK(escaped("\u061c\u200e\u200f\u202a\u202e\u2066\u2069", escape) ==
              R"(\u061c\u200e\u200f\u202a\u202e\u2066\u2069)");
    }
}

TEST_CASE("bytes that are not UTF-8 are shown one by one") {
    CHECK(escaped("\xf0\x9f\x98", Escape::plain) == R"(\xF0\x9F\x98)");
    CHECK(escaped("\xf4\x90\x80\x80", Escape::quoted) == R"(\xF4\x90\x80\x80)");
    CHECK(escaped("\xc3(", Escape::json) == R"(\ufffd()");
}

TEST_CASE("text is cut between characters") {
    CHECK(cut_text("abc", 3) == "abc");
    CHECK(cut_text("abc", 2) == "ab");
    CHECK(cut_text("abc", 0).empty());
    CHECK(cut_text("a\u00fcb", 2) == "a");
    CHECK(cut_text("a\u00fcb", 3) == "a\u00fc");
    CHECK(cut_text("\U0001F600x", 3).empty());
    CHECK(cut_text("\U0001F600\U0001F600", 7) == "\U0001F600");
    // No character is that long, so there is nothing to keep whole.
    CHECK(cut_text(std::string(100, '\x80'), 50).size() >= 46);
}
