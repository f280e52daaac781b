#include "gateway/xml/stanza_skipper.h"

#include <doctest/doctest.h>

namespace causeway::test {
namespace {

using Result = StanzaSkipper::Result;

/// How many bytes belong to the stanza, cut at every byte as well as not at all; -1: malformed,
/// -2: it goes on.
int length(std::string_view text, std::size_t open, bool in_section = false) {
    const auto read = [&](std::size_t piece) {
        StanzaSkipper skipper(open, in_section);
        for (std::size_t at = 0; at < text.size(); at += piece) {
            std::size_t taken = 0;
            const Result result = skipper.feed(text.substr(at, piece), taken);
            if (result == Result::malformed) return -1;
            if (result == Result::done) return static_cast<int>(at + taken);
            CHECK(taken == text.substr(at, piece).size());
        }
        return -2;
    };
    const int whole = read(text.size());
    CHECK(read(1) == whole);
    return whole;
}

int length_of(std::string_view stanza, std::size_t open) {
    return length(std::string(stanza) + "<next/>", open);
}

}  // namespace

TEST_CASE("stanza skipper: from the start tag to the end tag") {
    for (const std::string_view stanza :
         {"<a/>", "<a></a>", "<a b='c'/>", "<a b='/>'>x</a>", "<a b=\"'>\" c='\"/>'></a>",
          "<a><a></a><b/></a >", "<a>&lt;/a></a>", "<x:a xmlns:x='y'><x:b/></x:a>",
          "<a><![CDATA[</a>]]></a>", "<a><![CDATA[]]]]></a>", "<a\tb='c'\n></a\r\n>"}) {
        CAPTURE(stanza);
        CHECK(length_of(stanza, 0) == static_cast<int>(stanza.size()));
    }
}

TEST_CASE("stanza skipper: from the middle") {
    CHECK(length_of("x</a>", 1) == 5);
    CHECK(length_of("<b></b></c></a>", 2) == 15);
    CHECK(length("x</a>]]></a>", 1, true) == 12);
    CHECK(length_of("", 1) == -2);
}

TEST_CASE("stanza skipper: what is not well-formed, or not allowed") {
    for (const std::string_view stanza :
         {"<a></b>", "<a><b></a></b>", "<a b='<'/>", "<a <b/>", "< a/>", "<1/>", "<a><!-- --></a>",
          "<a><?p?></a>", "<!DOCTYPE a>", "<![CDATA[x]]>", "</a>", "<a / >", "<a></a b>",
          "<a><![CDAT[x]]></a>"}) {
        CAPTURE(stanza);
        CHECK(length_of(stanza, 0) == -1);
    }
}

TEST_CASE("stanza skipper: levels are bounded") {
    std::string deep;
    for (std::size_t i = 0; i <= StanzaSkipper::depth_limit; ++i) deep += "<a>";
    StanzaSkipper skipper(0);
    std::size_t taken = 0;
    CHECK(skipper.feed(deep, taken) == Result::malformed);
}

TEST_CASE("stanza skipper: it knows the name and how much it was") {
    StanzaSkipper skipper(0);
    std::size_t taken = 0;
    CHECK(skipper.feed("<message to='x'><body/></message>", taken) == Result::done);
    CHECK(skipper.first_name() == "message");
    CHECK(skipper.skipped() == 33);
}

}  // namespace causeway::test
