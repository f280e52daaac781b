// Cutting a stream into elements, with the input split at every byte.
#include "tools/bench/stanza_scanner.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway::bench;

namespace {

class Recorder final : public StanzaSink {
public:
    std::vector<std::string> events;
    StanzaScanner* restart_on_element = nullptr;

private:
    void on_stream_open(std::string_view header) override {
        events.push_back("open " + std::string(header));
    }
    void on_element(std::string_view element) override {
        events.emplace_back(element);
        if (restart_on_element != nullptr) {
            restart_on_element->restart();
        }
    }
    void on_stream_close() override { events.emplace_back("close"); }
};

const std::string stream =
    "<?xml version='1.0'?>\n<stream:stream a='>' b=\"'/>\">"
    "<features><x><y/></x></features>\n <message id='1'><body>a &lt; b > c</body></message>"
    "<r/><presence x='<![CDATA['/><m><![CDATA[</m><m>\"']]>t</m></stream:stream>";

const std::vector<std::string> expected = {
    "open <stream:stream a='>' b=\"'/>\">",
    "<features><x><y/></x></features>",
    "<message id='1'><body>a &lt; b > c</body></message>",
    "<r/>",
    "<presence x='<![CDATA['/>",
    "<m><![CDATA[</m><m>\"']]>t</m>",
    "close",
};

}  // namespace

TEST_CASE("a stream is cut into its elements") {
    StanzaScanner scanner;
    Recorder recorder;
    CHECK(scanner.scan(stream, recorder));
    CHECK(recorder.events == expected);
}

TEST_CASE("the cuts do not depend on how the stream arrives") {
    for (std::size_t split = 0; split <= stream.size(); ++split) {
        CAPTURE(split);
        StanzaScanner scanner;
        Recorder recorder;
        CHECK(scanner.scan(std::string_view(stream).substr(0, split), recorder));
        CHECK(scanner.scan(std::string_view(stream).substr(split), recorder));
        CHECK(recorder.events == expected);
    }
    StanzaScanner scanner;
    Recorder recorder;
    for (const char byte : stream) {
        CHECK(scanner.scan(std::string_view(&byte, 1), recorder));
    }
    CHECK(recorder.events == expected);
}

TEST_CASE("what is no stream is broken") {
    const auto broken = [](std::string_view text) {
        StanzaScanner scanner;
        Recorder recorder;
        return !scanner.scan(text, recorder);
    };
    CHECK(broken("</a>"));
    CHECK(broken("<a/>"));
    CHECK(broken("<s><a <b>"));
}

TEST_CASE("an element without end is held only up to the limit") {
    StanzaScanner scanner;
    Recorder recorder;
    REQUIRE(scanner.scan("<s><a>", recorder));
    const std::string text(StanzaScanner::max_stanza_bytes / 2, 'x');
    CHECK(scanner.scan(text, recorder));
    CHECK_FALSE(scanner.scan(text, recorder));
}

TEST_CASE("after a restart from inside the sink the rest is ignored and a new stream begins") {
    StanzaScanner scanner;
    Recorder recorder;
    recorder.restart_on_element = &scanner;
    REQUIRE(scanner.scan("<s><a", recorder));
    REQUIRE(scanner.scan("/><ignored/>", recorder));
    REQUIRE(scanner.scan("<t><b/>", recorder));
    CHECK(recorder.events == std::vector<std::string>{"open <s>", "<a/>", "open <t>", "<b/>"});
}
