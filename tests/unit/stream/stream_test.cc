#include "gateway/stream/stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gateway/xml/ns.h"
#include "tests/support/memory_channel.h"
#include "tests/support/sim_clock.h"

namespace causeway::test {
namespace {

/// A stream of a client, and what was made of it.
class Fixture final : public StreamHandler {
public:
    explicit Fixture(bool framed = false) {
        wire->framed = framed;
        turn();
    }

    void receive(std::string_view bytes) {
        wire->channel->receive(bytes);
        turn();
    }
    void turn() { shard.turn(Duration::zero()); }

    void on_stream_opened(const StreamHeader& header) override {
        to = header.to;
        stream.send_header({.from = "a.test", .id = "id"});
    }
    void on_element(Element& element, Arena&) override {
        ++elements;
        last = element.name;
        names += std::string(element.name) + " ";
        if (element.name == "restart") stream.restart();
        if (element.name == "hold" || element.name == "pass") stream.hold();
        if (element.name == "pass") stream.let_go();
    }
    void on_stream_ending() override { ++endings; }
    void on_stream_secured() override {}
    void on_stream_closed(const Outcome& why) override { closed.push_back(why); }

    SimClock clock;
    Shard shard{0, 1, clock};
    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
    XmppStream stream{shard, std::make_unique<MemoryChannel>(shard, wire), ns::client, *this};
    std::string to, last, names;
    std::size_t elements = 0, endings = 0;
    std::vector<Outcome> closed;
};

constexpr std::string_view header =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='a.test' version='1.0'>";

constexpr std::string_view framed_header =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>";

}  // namespace

TEST_CASE("stream: a header is answered, elements are told, an end tag is answered by ours") {
    Fixture f;
    f.receive(header);
    CHECK(f.to == "a.test");
    CHECK(f.wire->sent.starts_with("<?xml version='1.0'?><stream:stream xmlns='jabber:client'"));
    f.receive("<one/><two/>");
    CHECK(f.elements == 2);
    CHECK(f.last == "two");
    f.receive("</stream:stream>");
    CHECK(f.wire->sent.ends_with("</stream:stream>"));
    CHECK(f.stream.state() == XmppStream::State::closing);
    f.wire->channel->end();
    REQUIRE(f.closed.size() == 1);
    CHECK(f.closed.front().ok());
}

TEST_CASE("stream: an error before our header brings the header with it") {
    Fixture f;
    f.receive("<a></b>");
    CHECK(f.wire->sent.find("<stream:stream ") != std::string::npos);
    CHECK(f.wire->sent.ends_with("</stream:error></stream:stream>"));
    f.wire->channel->end();
    REQUIRE(f.closed.size() == 1);
    CHECK(f.closed.front().cause() == Cause::policy);
}

TEST_CASE("stream: a connection that breaks is no end in good order") {
    Fixture f;
    f.receive(header);
    f.wire->channel->end();
    REQUIRE(f.closed.size() == 1);
    CHECK(f.closed.front().cause() == Cause::retry);
}

TEST_CASE("stream: the peer's rest is heard until it ends its side") {
    Fixture f;
    f.receive(header);
    f.stream.close(XmppStream::Rest::is_heard);
    f.turn();
    CHECK(f.wire->sent.ends_with("</stream:stream>"));
    f.receive("<one/>");
    CHECK(f.elements == 1);
    f.receive("<two/></stream:stream><three/>");
    CHECK(f.last == "two");
    CHECK(f.stream.state() == XmppStream::State::closing);
}

TEST_CASE("stream: it is heard whether or not it was paused, or ended before, or by an error") {
    Fixture f;
    f.receive(header);
    f.stream.pause(XmppStream::Pause::progress);
    SUBCASE("in good order") { f.stream.close(XmppStream::Rest::is_heard); }
    SUBCASE("by an error that is not the peer's") {
        f.stream.fail(stream_error::system_shutdown, "the end", XmppStream::Rest::is_heard);
    }
    f.turn();
    const std::string sent = f.wire->sent;
    CHECK(sent.ends_with("</stream:stream>"));
    f.stream.close(XmppStream::Rest::is_heard);
    f.stream.fail(stream_error::system_shutdown, "again", XmppStream::Rest::is_heard);
    CHECK(f.wire->paused);
    f.stream.resume(XmppStream::Pause::progress);
    CHECK(!f.wire->paused);
    f.receive("<one/>");
    CHECK(f.last == "one");
    CHECK(f.wire->sent == sent);
    f.stream.close();
    f.receive("<two/>");
    CHECK(f.last == "one");
}

TEST_CASE("stream: an answer names a language, a header of our own none") {
    Fixture f;
    SUBCASE("an answer") {
        f.receive(header);
        CHECK(f.wire->sent.find(" xml:lang='en'>") != std::string::npos);
    }
    SUBCASE("a header of our own") {
        f.stream.send_header({.to = "b.test", .from = "a.test"});
        f.turn();
        CHECK(f.wire->sent.ends_with(" version='1.0'>"));
    }
}

TEST_CASE("stream: what follows the element that restarts it is a new stream") {
    Fixture f;
    f.receive(header);
    f.receive("<restart/>" + std::string(header) + "<again/>");
    CHECK(f.last == "again");
    CHECK(f.stream.state() == XmppStream::State::open);
}

TEST_CASE("stream: what stands behind the element that holds it is handled when it is let go") {
    Fixture f;
    f.receive(header);
    f.receive("<one/><ho");
    f.receive("ld/><two><a/></two><hold/> <three/><fo");
    CHECK(f.names == "one hold ");
    CHECK(f.stream.is_held());
    CHECK(f.wire->paused);
    f.stream.let_go();
    CHECK(f.names == "one hold two hold ");
    CHECK(f.wire->paused);
    f.stream.let_go();
    CHECK(f.names == "one hold two hold three ");
    CHECK(!f.wire->paused);
    f.receive("ur/>");
    CHECK(f.last == "four");
    f.stream.let_go();
    f.receive("<pass/><five/>");
    CHECK(f.last == "five");
    CHECK(!f.wire->paused);
    f.receive("<hold/></stream:stream>");
    CHECK(f.stream.state() == XmppStream::State::open);
    CHECK(f.endings == 0);
    f.stream.let_go();
    CHECK(f.stream.state() == XmppStream::State::closing);
    CHECK(f.endings == 1);
}

TEST_CASE("stream: a held stream stays paused for another reason, and one that ended is not read") {
    Fixture f;
    f.receive(header);
    f.receive("<hold/><one/>");
    SUBCASE("paused before") {
        f.stream.pause(XmppStream::Pause::rate);
        f.stream.let_go();
        CHECK(f.last == "one");
        CHECK(f.wire->paused);
        f.stream.resume(XmppStream::Pause::rate);
        CHECK(!f.wire->paused);
    }
    SUBCASE("no pause ends the hold") {
        f.stream.pause(XmppStream::Pause::rate);
        f.stream.resume(XmppStream::Pause::rate);
        CHECK(f.wire->paused);
        CHECK(f.last == "hold");
    }
    SUBCASE("ended by us") {
        f.stream.fail(stream_error::conflict, "the end");
        f.stream.let_go();
        CHECK(f.last == "hold");
    }
    SUBCASE("the connection is gone") {
        f.wire->channel->end();
        f.stream.let_go();
        CHECK(f.last == "hold");
        CHECK(f.closed.size() == 1);
    }
}

TEST_CASE("stream: a message of a framed stream that holds it is still one element") {
    Fixture f(true);
    f.receive(framed_header);
    f.receive("<hold/>\r\n");
    f.stream.let_go();
    CHECK(f.stream.usable());
    f.receive("<one/>");
    CHECK(f.last == "one");
    f.receive("<hold/><two/>");
    f.stream.let_go();
    CHECK(f.last == "hold");
    CHECK(!f.stream.usable());
}

TEST_CASE("stream: between two stanzas it owns no parser") {
    Fixture f;
    f.receive(header);
    CHECK(f.stream.parser_heap() == 0);
    f.receive("<a");
    CHECK(f.stream.parser_heap() > 0);
    f.receive("/>");
    CHECK(f.stream.parser_heap() == 0);
    CHECK(f.shard.parsers().size() == 1);
}

TEST_CASE(
    "stream: a stream that is never between two stanzas does not keep every name it has seen") {
    Fixture f;
    f.receive(header);
    f.receive("<");
    std::size_t most = 0;
    for (std::size_t i = 0; i < 30'000; ++i) {
        const std::string name = "name" + std::to_string(i);
        f.receive(name + " " + name + "='" + name + "'/><");
        most = std::max(most, f.stream.parser_heap());
    }
    CHECK(f.elements == 30'000);
    CHECK(f.last == "name29999");
    CHECK(most > ParserPool::heap_limit);
    CHECK(most <= ParserPool::heap_bound);
}

TEST_CASE(
    "stream: a message of a framed stream may begin with an XML declaration (RFC 7395 3.3.3)") {
    Fixture f(true);
    f.receive("<?xml version='1.0'?>" + std::string(framed_header));
    CHECK(f.to == "a.test");
    f.receive("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<one/>");
    CHECK(f.last == "one");
    // White space, and nothing at all, are no elements; some clients keep connections alive so.
    for (const char* nothing : {"", " ", "\r\n\t"}) f.receive(nothing);
    f.receive("<f:two xmlns:f='f'></f:two>\n");
    CHECK(f.last == "two");
    CHECK(f.elements == 2);
    CHECK(f.stream.usable());
}

TEST_CASE("stream: what a framed stream refuses, and with which error") {
    const std::string sent_header(framed_header);
    const std::pair<std::string, std::string_view> refused[] = {
        {"<?xml version='1.0' encoding='utf-16'?>" + sent_header, "unsupported-encoding"},
        {"<?xml version='1.1'?>" + sent_header, "bad-format"},
        {"<?xml version='1.0'?><?xml version='1.0'?>" + sent_header, "restricted-xml"},
        {" <?xml version='1.0'?>" + sent_header, "restricted-xml"},
        {"<?xml-stylesheet href='x'?>" + sent_header, "restricted-xml"},
        {"<?xml version='1.0'?", "not-well-formed"},
        {"\xef\xbb\xbf" + sent_header, "bad-format"},
        {sent_header + sent_header, "not-well-formed"},
        {"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test'>", "not-well-formed"},
        {"<open to='a.test' version='1.0'/>", "invalid-namespace"},
        {"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'/>",
         "bad-format"},
    };
    for (const auto& [message, condition] : refused) {
        CAPTURE(message);
        Fixture f(true);
        f.receive(message);
        CHECK_FALSE(f.stream.usable());
        CHECK(f.wire->sent.find("<" + std::string(condition) + " ") != std::string::npos);
        CHECK(f.wire->sent.ends_with("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"));
    }
    Fixture open(true);
    open.receive(header);
    open.receive(header);
    CHECK(open.wire->sent.find("<bad-format ") != std::string::npos);
}

}  // namespace causeway::test
