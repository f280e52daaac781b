#include "gateway/xml/parser.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway::test {
namespace {

constexpr std::string_view client_header =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='a.test' version='1.0'>";

/// Everything that came of some input: "opened", the elements in canonical form, "closed", and the
/// condition of a fault behind a '!'.
std::vector<std::string> events_of(XmlStreamParser& parser, std::string_view bytes,
                                   std::size_t piece = std::string_view::npos,
                                   const XmlLimits& limits = {}) {
    std::vector<std::string> events;
    for (std::size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size())) {
        XmlEvent event = parser.feed(bytes.substr(at, piece));
        for (; event != XmlEvent::need_more; event = parser.resume()) {
            if (event == XmlEvent::opened) events.emplace_back("opened");
            if (event == XmlEvent::element) {
                append_element(events.emplace_back(), parser.element(), ns::client);
            }
            if (event == XmlEvent::skipped) {
                // As the stream does it: another parser reads on.
                append_element(events.emplace_back("skipped "), parser.element(), ns::client);
                const std::string_view fed = bytes.substr(at, piece);
                auto next = XmlStreamParser::from_context(parser.context());
                next->set_limits(limits);
                const std::string left(fed.substr(fed.size() - parser.unconsumed()));
                const auto rest = bytes.substr(std::min(bytes.size(), at + fed.size()));
                for (std::string& more :
                     events_of(*next, left + std::string(rest), piece, limits)) {
                    events.push_back(std::move(more));
                }
                return events;
            }
            if (event == XmlEvent::closed) events.emplace_back("closed");
            if (event == XmlEvent::fault) {
                events.push_back("!" + std::string(parser.fault_condition()));
                return events;
            }
        }
    }
    return events;
}

/// What came behind a client's header, cut at every byte as well as not at all.
std::vector<std::string> in_stream(std::string_view bytes, const XmlLimits& limits = {}) {
    const std::string all = std::string(client_header) + std::string(bytes);
    XmlStreamParser whole(XmlFraming::stream, ns::client);
    whole.set_limits(limits);
    std::vector<std::string> events = events_of(whole, all, std::string_view::npos, limits);
    XmlStreamParser cut(XmlFraming::stream, ns::client);
    cut.set_limits(limits);
    CHECK(events_of(cut, all, 1, limits) == events);
    REQUIRE(!events.empty());
    CHECK(events.front() == "opened");
    events.erase(events.begin());
    return events;
}

using Events = std::vector<std::string>;

std::string repeat(std::string_view text, std::size_t times) {
    std::string out;
    for (; times > 0; --times) out += text;
    return out;
}

}  // namespace

TEST_CASE("parser: a header, stanzas with white space between them, and the end") {
    CHECK(in_stream(
              "<presence/>\n \t<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>") ==
          Events{"<presence/>", "<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "closed"});
}

TEST_CASE("parser: the header is there with its attributes") {
    XmlStreamParser parser(XmlFraming::stream, ns::client);
    REQUIRE(parser.feed(client_header) == XmlEvent::opened);
    CHECK(parser.header().is(ns::stream, "stream"));
    CHECK(parser.header().attribute("to") == "a.test");
    CHECK(parser.header().attribute("version") == "1.0");
    CHECK(parser.resume() == XmlEvent::need_more);
    CHECK(parser.idle());
}

TEST_CASE("parser: a header that is closed at once is an opening and an end") {
    XmlStreamParser parser(XmlFraming::stream, ns::client);
    CHECK(events_of(parser, "<s xmlns='jabber:client'/>") == Events{"opened", "closed"});
}

TEST_CASE("parser: the content namespace is the same tree for clients and servers") {
    XmlStreamParser parser(XmlFraming::stream, ns::server);
    CHECK(events_of(parser, "<s xmlns='jabber:server'><message><body>x</body></message>") ==
          Events{"opened", "<message><body>x</body></message>"});
}

TEST_CASE("parser: a stanza of clients on a stream of servers is a fault, inside one it is not") {
    XmlStreamParser top(XmlFraming::stream, ns::server);
    CHECK(events_of(top, "<s xmlns='jabber:server'><message xmlns='jabber:client'/>") ==
          Events{"opened", "!invalid-namespace"});
    XmlStreamParser inside(XmlFraming::stream, ns::server);
    CHECK(events_of(inside, "<s xmlns='jabber:server'><iq><message xmlns='jabber:client'/></iq>") ==
          Events{"opened", "<iq><message/></iq>"});
}

TEST_CASE("parser: restricted XML names its stream error") {
    CHECK(in_stream("<!-- c -->") == Events{"!restricted-xml"});
    CHECK(in_stream("<a><!-- c --></a>") == Events{"!restricted-xml"});
    CHECK(in_stream("<?php x?>") == Events{"!restricted-xml"});
    CHECK(in_stream("<a>&nbsp;</a>") == Events{"!restricted-xml"});
    CHECK(in_stream("<?xml version='1.0'?>") == Events{"!restricted-xml"});
    XmlStreamParser doctype(XmlFraming::stream, ns::client);
    CHECK(events_of(doctype, "<!DOCTYPE s [<!ENTITY a 'b'>]><s>") == Events{"!restricted-xml"});
}

TEST_CASE("parser: what is not well-formed names its stream error") {
    CHECK(in_stream("<a></b>") == Events{"!not-well-formed"});
    CHECK(in_stream("<a b='1' b='2'/>") == Events{"!not-well-formed"});
    CHECK(in_stream("<x:a/>") == Events{"!not-well-formed"});
    CHECK(in_stream("<a>&#0;</a>") == Events{"!not-well-formed"});
    CHECK(in_stream("<a>\xc0\xbc</a>") == Events{"!not-well-formed"});
    CHECK(in_stream("<a>]]></a>") == Events{"!not-well-formed"});
}

TEST_CASE("parser: text between stanzas is a fault, and so is CDATA of any content") {
    CHECK(in_stream("<a/>x<b/>") == Events{"<a/>", "!bad-format"});
    CHECK(in_stream("<![CDATA[x]]>") == Events{"!bad-format"});
    CHECK(in_stream("<a/><![CDATA[ ]]>") == Events{"<a/>", "!bad-format"});
    // Otherwise the next stream to borrow this parser would begin inside the section.
    CHECK(in_stream("<![CDATA[") == Events{"!bad-format"});
}

TEST_CASE("parser: an element in the namespace of the prefix xml is a fault") {
    // Nobody could read what would be written for it.
    CHECK(in_stream("<message><xml:x/></message>") == Events{"!bad-format"});
    CHECK(in_stream("<message xml:lang='de'/>") == Events{"<message xml:lang='de'/>"});
}

TEST_CASE("parser: entities, references and CDATA become text") {
    CHECK(in_stream("<a b='&lt;&#65;&quot;'>&amp;&#x20AC;<![CDATA[<&]]>z</a>") ==
          Events{"<a b='&lt;A\"'>&amp;\xe2\x82\xac&lt;&amp;z</a>"});
}

TEST_CASE("parser: prefixes are resolved") {
    CHECK(in_stream("<p:a xmlns:p='urn:p' p:b='1' c='2'><p:d/></p:a>") ==
          Events{"<a xmlns='urn:p' xmlns:a1='urn:p' a1:b='1' c='2'><d/></a>"});
}

TEST_CASE("parser: an encoding other than UTF-8 is a fault, however it is announced and cut") {
    const std::string utf16("<\0s\0>\0", 6);
    for (const std::string& start :
         {utf16, "\xff\xfe" + utf16, std::string("\xfe\xff\0<", 4), std::string("\0<\0s", 4),
          std::string("<?xml version='1.0' encoding='ISO-8859-1'?>")}) {
        for (const std::size_t piece : {1U, 2U, 100U}) {
            XmlStreamParser parser(XmlFraming::stream, ns::client);
            CHECK(events_of(parser, start, piece) == Events{"!unsupported-encoding"});
        }
    }
    XmlStreamParser lower(XmlFraming::stream, ns::client);
    CHECK(events_of(lower, "<?xml version='1.0' encoding='utf-8'?><s xmlns='jabber:client'>") ==
          Events{"opened"});
}

TEST_CASE("parser: the XML declaration may say nothing that a stream is not") {
    XmlStreamParser dependent(XmlFraming::stream, ns::client);
    CHECK(events_of(dependent, "<?xml version='1.0' standalone='no'?>") ==
          Events{"!restricted-xml"});
    XmlStreamParser newer(XmlFraming::stream, ns::client);
    CHECK(events_of(newer, "<?xml version='1.1'?>") == Events{"!bad-format"});
}

TEST_CASE("parser: after a fault nothing else is reported") {
    XmlStreamParser parser(XmlFraming::stream, ns::client);
    CHECK(parser.feed("<a></b>") == XmlEvent::opened);
    CHECK(parser.resume() == XmlEvent::fault);
    CHECK(parser.fault_condition() == "not-well-formed");
    CHECK(!parser.fault_text().empty());
    CHECK(parser.feed("<a/>") == XmlEvent::fault);
    CHECK(parser.resume() == XmlEvent::fault);
    CHECK(!parser.idle());
}

// ---- limits ----

TEST_CASE("parser: limit of a stanza's bytes, to its end tag, for each stanza anew") {
    XmlLimits limits;
    limits.stanza_bytes = 200;
    const std::string fits = "<a><b>" + repeat("x", 200 - 14) + "</b></a>";
    REQUIRE(fits.size() == 200);
    CHECK(in_stream(fits + fits, limits) == Events{fits, fits});
    CHECK(in_stream("<a><b>" + repeat("x", 200 - 13) + "</b></a>", limits) ==
          Events{"!policy-violation"});
    // White space between stanzas belongs to none.
    CHECK(in_stream(repeat(" ", 500) + "<a/>", limits) == Events{"<a/>"});
}

TEST_CASE("parser: limit of one tag, and text is not affected") {
    XmlLimits limits;
    limits.token_bytes = 150;
    CHECK(in_stream("<a" + repeat(" ", 146) + "/>", limits) == Events{"<a/>"});
    CHECK(in_stream("<a" + repeat(" ", 147) + "/>", limits) == Events{"!policy-violation"});
    CHECK(in_stream("<a></a" + repeat(" ", 150) + ">", limits) == Events{"!policy-violation"});
    CHECK(in_stream("<a>&#" + repeat("0", 150) + "65;</a>", limits) == Events{"!policy-violation"});
    const std::string text = "<a>" + repeat("x", 1000) + "</a>";
    CHECK(in_stream(text, limits) == Events{text});
}

TEST_CASE("parser: the limit of one tag does not bound what comes at once") {
    const std::string stanza = "<message><body>hello</body></message>";
    CHECK(in_stream(repeat(stanza, 700)) == Events(700, stanza));
    XmlStreamParser parser(XmlFraming::message, ns::client);
    const std::string large =
        "<message xmlns='jabber:client'>" + repeat("x", 100'000) + "</message>";
    CHECK(events_of(parser, large).size() == 1);
    CHECK(parser.idle());
}

TEST_CASE("parser: limits of depth, attributes, namespaces and children") {
    XmlLimits limits;
    limits.depth = 3;
    CHECK(in_stream("<a><b><c/></b></a>", limits).size() == 1);
    CHECK(in_stream("<a><b><c><d/></c></b></a>", limits) == Events{"!policy-violation"});
    limits = {};
    limits.attributes = 2;
    CHECK(in_stream("<a b='' c=''/>", limits) == Events{"<a b='' c=''/>"});
    CHECK(in_stream("<a b='' c='' d=''/>", limits) == Events{"!policy-violation"});
    limits = {};
    limits.attribute_bytes = 8;
    CHECK(in_stream("<a b='12345678'/>", limits) == Events{"<a b='12345678'/>"});
    CHECK(in_stream("<a b='123456789'/>", limits) == Events{"!policy-violation"});
    limits = {};
    limits.namespaces = 2;
    CHECK(in_stream("<a xmlns:b='b' xmlns:c='c'/>", limits) == Events{"<a/>"});
    CHECK(in_stream("<a xmlns:b='b' xmlns:c='c' xmlns:d='d'/>", limits) ==
          Events{"!policy-violation"});
    limits = {};
    limits.children = 3;
    CHECK(in_stream("<a><b/><b/></a><a><b/><b/></a>", limits).size() == 2);
    CHECK(in_stream("<a><b/><b/><b/></a>", limits) == Events{"!policy-violation"});
}

TEST_CASE("parser: a short prefix does not make a small stanza a large tree") {
    XmlLimits limits;
    limits.stanza_bytes = 20'000;
    limits.namespace_name = 4000;
    const std::string declared = "<a xmlns:p='" + repeat("n", 4000) + "'>";
    CHECK(in_stream(declared + repeat("<b p:c=''/>", 4) + "</a>", limits).size() == 1);
    CHECK(in_stream(declared + repeat("<b p:c=''/>", 6) + "</a>", limits) ==
          Events{"!policy-violation"});
    CHECK(in_stream(declared + repeat("<p:b/>", 6) + "</a>", limits) ==
          Events{"!policy-violation"});
    // A child in the namespace of its parent costs nothing.
    XmlStreamParser parser(XmlFraming::message, ns::client);
    parser.set_limits(limits);
    const std::string inherited =
        "<a xmlns='" + repeat("n", 4000) + "'>" + repeat("<b/>", 1000) + "</a>";
    REQUIRE(parser.feed(inherited) == XmlEvent::element);
    CHECK(parser.arena().held() < 200'000);
}

TEST_CASE("parser: the tree's memory is released with the next call") {
    XmlStreamParser parser(XmlFraming::message, ns::client);
    REQUIRE(parser.feed("<a>" + repeat("x", 100'000) + "</a>") == XmlEvent::element);
    CHECK(parser.arena().held() >= 100'000);
    CHECK(parser.resume() == XmlEvent::need_more);
    CHECK(parser.arena().held() == 0);
}

// ---- messages, and lending parsers ----

TEST_CASE("parser: each message is an element, and the root cannot be closed by a message") {
    XmlStreamParser parser(XmlFraming::message, ns::client);
    CHECK(parser.idle());
    CHECK(events_of(parser, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>") ==
          Events{"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"});
    CHECK(parser.idle());
    CHECK(events_of(parser, "<message xmlns='jabber:client'/>") == Events{"<message/>"});
    CHECK(events_of(parser, "</m>") == Events{"closed"});
}

TEST_CASE("parser: it is idle between stanzas only") {
    XmlStreamParser parser(XmlFraming::stream, ns::client);
    CHECK(!parser.idle());
    (void)events_of(parser, client_header);
    CHECK(parser.idle());
    (void)events_of(parser, "<a");
    CHECK(!parser.idle());
    REQUIRE(parser.feed("/>") == XmlEvent::element);
    CHECK(!parser.idle());
    CHECK(parser.resume() == XmlEvent::need_more);
    CHECK(parser.idle());
    (void)events_of(parser, "<a><b/>");
    CHECK(!parser.idle());
}

TEST_CASE("parser: another parser goes on from the context of the header") {
    XmlStreamParser first(XmlFraming::stream, ns::server);
    const Events opened =
        events_of(first,
                  "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server' "
                  "xmlns:db='jabber:server:dialback' from='b.test'>");
    CHECK(opened == Events{"opened"});
    const auto second = XmlStreamParser::from_context(first.context());
    CHECK(second->idle());
    CHECK(second->context() == first.context());
    CHECK(events_of(*second, "<db:verify/><message/></s:stream>") ==
          Events{"<verify xmlns='jabber:server:dialback'/>", "<message/>", "closed"});
}

TEST_CASE("parser: a context is equal for headers that differ in their addresses alone") {
    const auto context_of = [](std::string_view declarations) {
        XmlStreamParser parser(XmlFraming::stream, ns::client);
        (void)events_of(parser, "<s " + std::string(declarations) + ">");
        return parser.context();
    };
    CHECK(context_of("xmlns='jabber:client' to='a'") == context_of("to='b' xmlns='jabber:client'"));
    CHECK(context_of("xmlns='jabber:client'") != context_of("xmlns='jabber:client' xmlns:x='x'"));
}

TEST_CASE("parser: a header that was accepted is accepted again, though escaped it is longer") {
    XmlStreamParser parser(XmlFraming::stream, ns::client);
    XmlLimits limits;
    limits.namespaces = 100;
    limits.namespace_name = 7000;
    parser.set_limits(limits);
    std::string header = "<s xmlns=\"jabber:client\" xmlns:q=\"" + repeat("'", 6000) + "&quot;\"";
    for (int i = 0; i < 50; ++i) header += " xmlns:n" + std::to_string(i) + "='n'";
    REQUIRE(events_of(parser, header + ">") == Events{"opened"});
    REQUIRE(parser.context().size() > limits.token_bytes);
    const auto other = XmlStreamParser::from_context(parser.context());
    CHECK(other->idle());
    CHECK(events_of(*other, "<n7:a/>") == Events{"<a xmlns='n'/>"});
}

TEST_CASE("pool: a parser is lent again to a stream of the same context, and to no other") {
    ParserPool pool;
    auto parser = std::make_unique<XmlStreamParser>(XmlFraming::stream, ns::client);
    (void)events_of(*parser, client_header);
    const std::string context = parser->context();
    const XmlStreamParser* same = parser.get();
    pool.give_back(std::move(parser));
    CHECK(pool.size() == 1);
    const auto message = std::make_unique<XmlStreamParser>(XmlFraming::message, ns::client);
    const auto other = pool.take(message->context());
    CHECK(other.get() != same);
    CHECK(other->context() == message->context());
    const auto again = pool.take(context);
    CHECK(again.get() == same);
    CHECK(pool.size() == 0);
}

TEST_CASE("pool: a parser that is busy, faulty or has grown is not kept, and never too many") {
    ParserPool pool;
    const auto fresh = [] {
        return std::make_unique<XmlStreamParser>(XmlFraming::message, ns::client);
    };
    auto busy = fresh();
    (void)events_of(*busy, "<a>");
    pool.give_back(std::move(busy));
    auto faulty = fresh();
    (void)events_of(*faulty, "<a></b>");
    pool.give_back(std::move(faulty));
    auto grown = fresh();
    for (int i = 0; i < 3000; ++i) {
        (void)events_of(*grown, "<name-number-" + std::to_string(i) + "/>");
    }
    CHECK(grown->idle());
    CHECK(grown->heap() > ParserPool::heap_limit);
    pool.give_back(std::move(grown));
    CHECK(pool.size() == 0);
    for (std::size_t i = 0; i < 2 * ParserPool::capacity; ++i) pool.give_back(fresh());
    CHECK(pool.size() == ParserPool::capacity);
}

TEST_CASE("pool: equal contexts are one string for as long as a stream has it") {
    ParserPool pool;
    const auto one = pool.intern("a");
    CHECK(pool.intern("a") == one);
    CHECK(pool.intern("b") != one);
    CHECK(*pool.intern("b") == "b");
}

TEST_CASE("parser: white space before a header belongs to what came before it") {
    XmlStreamParser parser(XmlFraming::stream, ns::client);
    CHECK(events_of(parser, "\n \r\n<?xml version='1.0'?>" + std::string(client_header)) ==
          Events{"opened"});
    XmlStreamParser cut(XmlFraming::stream, ns::client);
    CHECK(events_of(cut, "\n <?xml version='1.0'?>" + std::string(client_header), 1) ==
          Events{"opened"});
}

TEST_CASE("parser: a carriage return between two stanzas may be half of a line's end") {
    XmlStreamParser parser(XmlFraming::stream, ns::client);
    events_of(parser, std::string(client_header) + "<a/>");
    CHECK(parser.only_white_space_left());
    events_of(parser, "\r");
    CHECK(parser.only_white_space_left());
    events_of(parser, "\n<");
    CHECK_FALSE(parser.only_white_space_left());
}

TEST_CASE("parser: a stanza beyond a limit is passed over where that is wanted") {
    XmlLimits limits;
    limits.skip_larger = true;
    limits.stanza_bytes = 400;
    limits.token_bytes = 200;
    limits.depth = 3;
    limits.attributes = 4;
    limits.attribute_bytes = 30;
    limits.namespaces = 2;
    limits.children = 6;
    const std::string x50 = repeat("x", 50);
    const Events expected{"skipped <iq id='i'/>", "<b/>"};
    for (const std::string& inside : std::initializer_list<std::string>{
             "<a b='" + x50 + "'/>", "<a b='1' c='2' d='3' e='4' f='5'/>",
             "<a><a><a><a/></a></a></a>", repeat("<a/>", 9), repeat(x50, 9),
             "<a>" + repeat(x50, 9) + "</a>", "<![CDATA[" + repeat("</iq>", 99) + "]]>",
             "<a xmlns:b='1' xmlns:c='2' xmlns:d='3'/>", "<a xmlns='" + repeat("n", 1100) + "'/>",
             "<a b='" + repeat(x50, 99) + "'>&lt;</a>", "<a" + repeat(" ", 300) + "/>"}) {
        CAPTURE(inside);
        CHECK(in_stream("<iq id='i'>" + inside + "</iq><b/>", limits) == expected);
    }
    // Of its own start tag what can be read, but not if that is never whole in memory.
    CHECK(in_stream("<iq id='i' c='2' d='3' e='4' to='5'/><b/>", limits) ==
          Events{"skipped <iq id='i' to='5'/>", "<b/>"});
    CHECK(in_stream("<message x='" + repeat(x50, 40) + "'><c/></message><b/>", limits).size() == 2);
    // Nothing else changes: what is not well-formed, and a stanza that never ends.
    CHECK(in_stream("<iq>" + repeat(x50, 9) + "<a></b></iq>", limits) ==
          Events{"!not-well-formed"});
    XmlStreamParser endless(XmlFraming::stream, ns::client);
    endless.set_limits(limits);
    CHECK(events_of(endless, std::string(client_header) + "<iq>" + repeat(x50, 999), 100, limits) ==
          Events{"opened", "!policy-violation"});
    CHECK(in_stream("<iq>&" + repeat(x50, 9), limits) == Events{"!policy-violation"});
}

}  // namespace causeway::test
