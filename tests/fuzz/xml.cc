// Fuzz target: the parser of streams. The first byte chooses the framing, the content namespace,
// the limits and whether what is beyond them is passed over, the second the size of the pieces in
// which the rest comes. Besides not crashing: memory stays within a multiple of the limits; events
// are the same however the input is cut, and whichever parser of the same context reads it; every
// element that is reported is written to bytes that give the same tree, to this parser and to
// libxml2.
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/xml/ns.h"
#include "gateway/xml/parser.h"
#include "gateway/xml/writer.h"

using namespace causeway;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

/// A tree as text in which nothing is left to choose. Attributes are sorted, adjoining text is one.
class Dump {
public:
    void text(std::string_view bytes) {
        if (bytes.empty()) return;
        if (!std::exchange(in_text_, true)) out_ += "\n\"";
        out_ += bytes;
    }
    void open(std::string_view ns, std::string_view name, std::vector<std::string> attributes) {
        in_text_ = false;
        std::sort(attributes.begin(), attributes.end());
        out_.append("\n<{").append(ns).append("}").append(name);
        for (const std::string& attribute : attributes) out_ += attribute;
    }
    void close() {
        in_text_ = false;
        out_ += "\n>";
    }
    static std::string attribute(std::string_view ns, std::string_view name,
                                 std::string_view value) {
        std::string out = "\n {";
        out.append(ns).append("}").append(name).append("=").append(value);
        return out;
    }
    [[nodiscard]] const std::string& result() const { return out_; }

private:
    std::string out_;
    bool in_text_ = false;
};

// Depth is bounded by the limits, so recursion is safe here.
void dump_into(Dump& dump, const Element& element) {
    std::vector<std::string> attributes;
    for (const Attribute* a = element.first_attribute; a != nullptr; a = a->next) {
        attributes.push_back(Dump::attribute(a->ns, a->name, a->value));
    }
    dump.open(element.ns, element.name, std::move(attributes));
    for (const Node* n = element.first_child; n != nullptr; n = n->next) {
        if (n->element == nullptr) {
            dump.text(n->text);
        } else {
            require(n->element->parent == &element);
            dump_into(dump, *n->element);
        }
    }
    dump.close();
}

std::string dump_of(const Element& element) {
    Dump dump;
    dump_into(dump, element);
    return dump.result();
}

// ---- the other parser ----

std::string_view view_of(const xmlChar* text) {
    return text == nullptr ? std::string_view{} : reinterpret_cast<const char*>(text);
}

std::string_view ns_of(const xmlNs* ns) { return ns == nullptr ? "" : view_of(ns->href); }

void dump_into(Dump& dump, const xmlNode& element) {
    std::vector<std::string> attributes;
    for (const xmlAttr* a = element.properties; a != nullptr; a = a->next) {
        const std::string_view value =
            a->children == nullptr ? std::string_view{} : view_of(a->children->content);
        require(a->children == nullptr || a->children->next == nullptr);
        attributes.push_back(Dump::attribute(ns_of(a->ns), view_of(a->name), value));
    }
    dump.open(ns_of(element.ns), view_of(element.name), std::move(attributes));
    for (const xmlNode* n = element.children; n != nullptr; n = n->next) {
        require(n->type == XML_TEXT_NODE || n->type == XML_ELEMENT_NODE);
        if (n->type == XML_TEXT_NODE) {
            dump.text(view_of(n->content));
        } else {
            dump_into(dump, *n);
        }
    }
    dump.close();
}

std::string libxml_dump(const std::string& document) {
    const std::unique_ptr<xmlDoc, void (*)(xmlDoc*)> parsed(
        xmlReadMemory(document.data(), static_cast<int>(document.size()), nullptr, "UTF-8",
                      XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOENT | XML_PARSE_NOERROR |
                          XML_PARSE_NOWARNING),
        [](xmlDoc* doc) { xmlFreeDoc(doc); });
    require(parsed != nullptr);
    const xmlNode* element = xmlDocGetRootElement(parsed.get())->children;
    require(element != nullptr && element->next == nullptr);
    Dump dump;
    dump_into(dump, *element);
    return dump.result();
}

/// What we write means the same to everybody.
void check_written(const Element& element, const std::string& dump) {
    std::string document = "<w xmlns='jabber:client'>";
    append_element(document, element, ns::client);
    document += "</w>";
    XmlStreamParser again(XmlFraming::message, ns::client);
    XmlLimits roomy;
    roomy.stanza_bytes = roomy.token_bytes = roomy.attribute_bytes = 2 * document.size();
    roomy.depth = roomy.attributes = roomy.namespaces = roomy.children = document.size();
    again.set_limits(roomy);
    require(again.feed(document) == XmlEvent::element);
    const Element* inside = again.element().first_element();
    require(inside != nullptr && dump_of(*inside) == dump);
    std::string twice = "<w xmlns='jabber:client'>";
    append_element(twice, *inside, ns::client);
    require(twice + "</w>" == document);
    require(libxml_dump(document) == dump);
}

// ---- one stream ----

struct Setting {
    XmlFraming framing;
    std::string_view content_ns;
    XmlLimits limits;
};

constexpr std::string_view skipped = "skipped";

struct Story {
    std::vector<std::string> events;
    std::string fault;
    bool passing_over = false;  ///< the input ended where a stanza may be being passed over
};

// What one byte of a stanza may cost: an empty child is 4 bytes, and in memory an Element and a
// Node. Namespaces may cost as much as a stanza may have bytes. expat keeps all names that it has
// seen, and twice what has come and is not parsed.
void check_memory(XmlStreamParser& parser, const XmlLimits& limits, std::size_t fed) {
    require(parser.arena().held() <=
            2 * Arena::block_size + 2 * limits.stanza_bytes +
                64 * std::min(fed, limits.stanza_bytes + limits.token_bytes));
    require(parser.heap() <= 65536 + 64 * fed);
}

/// Whether it goes on.
bool record(XmlStreamParser& parser, XmlEvent event, const Setting& setting, bool check,
            Story& story) {
    switch (event) {
        case XmlEvent::need_more: return true;
        case XmlEvent::opened:
            story.events.push_back("opened " + dump_of(parser.header()) + parser.context());
            return true;
        case XmlEvent::element: {
            std::string dump = dump_of(parser.element());
            if (check) check_written(parser.element(), dump);
            require(setting.framing == XmlFraming::message || !parser.context().empty());
            story.events.push_back(std::move(dump));
            return true;
        }
        case XmlEvent::skipped:
            require(setting.limits.skip_larger && !parser.element().name.empty());
            story.events.emplace_back(skipped);
            return true;
        case XmlEvent::closed: story.events.emplace_back("closed"); return false;
        case XmlEvent::fault:
            require(!parser.fault_condition().empty() && !parser.fault_text().empty());
            story.fault = parser.fault_condition();
            return false;
    }
    return false;
}

Story read(std::string_view input, std::size_t piece, const Setting& setting, bool lend,
           bool check) {
    auto parser = std::make_unique<XmlStreamParser>(setting.framing, setting.content_ns);
    parser->set_limits(setting.limits);
    Story story;
    std::size_t fed = 0;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        const std::string_view bytes = input.substr(at, piece);
        fed += bytes.size();
        XmlEvent event = parser->feed(bytes);
        while (true) {
            check_memory(*parser, setting.limits, fed);
            if (!record(*parser, event, setting, check, story)) return story;
            if (event == XmlEvent::need_more) break;
            require(parser->unconsumed() <= bytes.size());
            if (event == XmlEvent::skipped) {
                const std::string_view rest = bytes.substr(bytes.size() - parser->unconsumed());
                require(!parser->idle());
                const std::string context = parser->context();
                parser = XmlStreamParser::from_context(context);
                parser->set_limits(setting.limits);
                fed = context.size() + rest.size();
                event = parser->feed(rest);
            } else {
                event = parser->resume();
            }
        }
        if (lend && parser->idle()) {
            const std::string context = parser->context();
            parser = XmlStreamParser::from_context(context);
            require(parser->idle() && parser->context() == context);
            parser->set_limits(setting.limits);
            fed = context.size();
        }
    }
    story.passing_over = setting.limits.skip_larger && !parser->idle();
    return story;
}

/// Where a stanza is passed over, the pieces decide how much of it has been looked at closely
/// before that, and so whether a fault in it is seen.
bool part_at_skipped(const Story& one, const Story& other) {
    const auto [a, b] = std::ranges::mismatch(one.events, other.events);
    const auto skips = [](const Story& story, auto at) {
        return at == story.events.end() ? story.passing_over : *at == skipped;
    };
    const bool one_skips = skips(one, a);
    const bool other_skips = skips(other, b);
    return (one_skips && b == other.events.end() && !other.fault.empty()) ||
           (other_skips && a == one.events.end() && !one.fault.empty());
}

void require_same(const Story& one, const Story& other) {
    if (part_at_skipped(one, other)) return;
    require(one.events == other.events);
    require(one.fault.empty() == other.fault.empty());
    if (one.fault == other.fault) return;
    // Where two things are wrong at once, the pieces decide which of them is seen: the length of
    // something bad, two bad bytes at the very start, text between stanzas and an end of CDATA in
    // it.
    const auto either = [&](std::string_view fault) {
        return one.fault == fault || other.fault == fault;
    };
    require(either("policy-violation") || (either("unsupported-encoding") && one.events.empty()) ||
            (either("bad-format") && either("not-well-formed")));
}

XmlLimits small_limits() {
    XmlLimits limits;
    limits.stanza_bytes = 300;
    limits.token_bytes = 100;
    limits.depth = 4;
    limits.attributes = 4;
    limits.attribute_bytes = 20;
    limits.namespaces = 3;
    limits.children = 8;
    return limits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto choice = static_cast<unsigned char>(input[0]);
    const std::size_t piece = 1 + static_cast<unsigned char>(input[1]);
    input.remove_prefix(2);
    Setting setting{(choice & 1) == 0 ? XmlFraming::stream : XmlFraming::message,
                    (choice & 2) == 0 ? ns::client : ns::server,
                    (choice & 4) == 0 ? XmlLimits{} : small_limits()};
    setting.limits.skip_larger = (choice & 8) != 0;
    const Story whole = read(input, input.size(), setting, false, true);
    require_same(whole, read(input, 1, setting, false, false));
    require_same(whole, read(input, piece, setting, false, false));
    require_same(whole, read(input, piece, setting, true, false));
    return 0;
}
