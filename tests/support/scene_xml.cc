#include "tests/support/scene_xml.h"

#include <fmt/format.h>
#include <libxml/parser.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace causeway::scene {
namespace {

constexpr std::string_view delay_ns = "urn:xmpp:delay";
constexpr std::string_view mark_absent = "scene-absent";
constexpr std::string_view mark_exactly = "scene-exactly";

std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '&': out += "&amp;"; break;
            case '\'': out += "&apos;"; break;
            default: out += c;
        }
    }
    return out;
}

std::string trim(std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const auto begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(space) - begin + 1));
}

std::string from_xml(const xmlChar* text) {
    return text == nullptr ? std::string{} : std::string(reinterpret_cast<const char*>(text));
}

}  // namespace

const std::string* XmlNode::attribute(std::string_view wanted, std::string_view wanted_ns) const {
    for (const XmlAttribute& a : attributes) {
        if (a.name == wanted && a.ns == wanted_ns) return &a.value;
    }
    return nullptr;
}

const XmlNode* XmlNode::child(std::string_view wanted_ns, std::string_view wanted) const {
    for (const XmlNode& node : children) {
        if (node.name == wanted && node.ns == wanted_ns) return &node;
    }
    return nullptr;
}

std::string to_text(const XmlNode& node, std::string_view outer_ns, std::size_t depth) {
    std::string out = std::string(2 * depth, ' ') + "<" + node.name;
    if (node.ns != outer_ns) out += fmt::format(" xmlns='{}'", escape(node.ns));
    for (const XmlAttribute& a : node.attributes) {
        if (a.name == mark_absent || a.name == mark_exactly) {
            out += a.name == mark_absent ? " {absent}" : " {exactly}";
        } else {
            out += fmt::format(" {}{}='{}'", a.ns.empty() ? "" : "{" + a.ns + "}", a.name,
                               escape(a.value));
        }
    }
    if (node.children.empty() && node.text.empty()) return out + "/>\n";
    out += ">" + escape(node.text);
    if (node.children.empty()) return out + "</" + node.name + ">\n";
    out += "\n";
    for (const XmlNode& child : node.children) out += to_text(child, node.ns, depth + 1);
    return out + std::string(2 * depth, ' ') + "</" + node.name + ">\n";
}

// ---- reading ----

struct XmlReader::State {
    Events events;
    xmlSAXHandler handler{};
    xmlParserCtxtPtr context = nullptr;
    std::vector<XmlNode> open;  ///< below the stream element
    std::size_t depth = 0;

    static void start(void* self, const xmlChar* name, const xmlChar*, const xmlChar* uri, int,
                      const xmlChar**, int count, int, const xmlChar** attributes) {
        auto& state = *static_cast<State*>(self);
        XmlNode node{from_xml(uri), from_xml(name), {}, {}, {}};
        for (int i = 0; i < count; ++i, attributes += 5) {
            node.attributes.push_back(
                {from_xml(attributes[2]), from_xml(attributes[0]),
                 std::string(reinterpret_cast<const char*>(attributes[3]),
                             static_cast<std::size_t>(attributes[4] - attributes[3]))});
        }
        if (state.depth++ == 0) {
            if (state.events.opened) state.events.opened(std::move(node));
        } else {
            state.open.push_back(std::move(node));
        }
    }

    static void end(void* self, const xmlChar*, const xmlChar*, const xmlChar*) {
        auto& state = *static_cast<State*>(self);
        if (--state.depth == 0) {
            if (state.events.closed) state.events.closed();
            return;
        }
        XmlNode done = std::move(state.open.back());
        state.open.pop_back();
        if (!state.open.empty()) {
            state.open.back().children.push_back(std::move(done));
        } else if (state.events.element) {
            state.events.element(std::move(done));
        }
    }

    static void characters(void* self, const xmlChar* text, int size) {
        auto& state = *static_cast<State*>(self);
        if (state.open.empty()) return;
        state.open.back().text.append(reinterpret_cast<const char*>(text),
                                      static_cast<std::size_t>(size));
    }
};

XmlReader::XmlReader(Events events) : state_(std::make_unique<State>()) {
    state_->events = std::move(events);
    state_->handler.initialized = XML_SAX2_MAGIC;
    state_->handler.startElementNs = &State::start;
    state_->handler.endElementNs = &State::end;
    state_->handler.characters = &State::characters;
    state_->handler.ignorableWhitespace = &State::characters;
    // The result of xmlParseChunk tells; nothing is to be printed.
    state_->handler.serror = [](void*, auto*) {};
    state_->context = xmlCreatePushParserCtxt(&state_->handler, state_.get(), nullptr, 0, nullptr);
    if (state_->context == nullptr) throw std::runtime_error("libxml2 has no memory");
    xmlCtxtUseOptions(state_->context, XML_PARSE_NONET | XML_PARSE_HUGE);
}

XmlReader::~XmlReader() { xmlFreeParserCtxt(state_->context); }

void XmlReader::feed(std::string_view bytes) {
    const int code =
        xmlParseChunk(state_->context, bytes.data(), static_cast<int>(bytes.size()), 0);
    if (code == XML_ERR_OK) return;
    const xmlError* error = xmlCtxtGetLastError(state_->context);
    throw std::runtime_error(
        fmt::format("not well-formed: {}", error == nullptr ? "no reason" : trim(error->message)));
}

std::vector<XmlNode> parse_fragment(std::string_view text, std::string_view content_ns) {
    std::vector<XmlNode> found;
    bool closed = false;
    XmlReader reader({.opened = {},
                      .element = [&](XmlNode node) { found.push_back(std::move(node)); },
                      .closed = [&] { closed = true; }});
    reader.feed(
        fmt::format("<scene xmlns='{}' xmlns:stream='http://etherx.jabber.org/streams' "
                    "xmlns:db='jabber:server:dialback'>",
                    content_ns));
    reader.feed(text);
    reader.feed("</scene>");
    if (!closed) throw std::runtime_error("an element is not closed");
    return found;
}

// ---- patterns ----

namespace {
/// Behind the } that belongs to the { at `open`.
std::size_t behind_braces(std::string_view text, std::size_t open) {
    std::size_t depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        if (text[i] == '{') ++depth;
        if (text[i] == '}' && --depth == 0) return i + 1;
    }
    throw std::runtime_error("a { without its }");
}

/// `text` with every {number} replaced.
std::string numbered(std::string_view text, unsigned long number) {
    constexpr std::string_view place = "{number}";
    std::string out;
    for (auto at = text.find(place); at != std::string_view::npos; at = text.find(place)) {
        out += text.substr(0, at);
        out += std::to_string(number);
        text.remove_prefix(at + place.size());
    }
    return out.append(text);
}

/// Writes every {20 times x} out.
std::string repeat(std::string_view text) {
    constexpr std::string_view times = " times ";
    std::string out;
    for (auto at = text.find(times); at != std::string_view::npos; at = text.find(times)) {
        const auto open = text.rfind('{', at);
        const std::string_view count = text.substr(open + 1, at - open - 1);
        if (open == std::string_view::npos || count.empty() ||
            count.find_first_not_of("0123456789") != std::string_view::npos) {
            out += text.substr(0, at + times.size());
            text.remove_prefix(at + times.size());
            continue;
        }
        const auto behind = behind_braces(text, open);
        const auto what = at + times.size();
        out += text.substr(0, open);
        const auto end = std::stoul(std::string(count));
        for (unsigned long number = 1; number <= end; ++number) {
            out += numbered(text.substr(what, behind - 1 - what), number);
        }
        text.remove_prefix(behind);
    }
    return out.append(text);
}
}  // namespace

std::string substitute(std::string_view given, const Variables& variables) {
    const std::string written_out = repeat(given);
    std::string_view text = written_out;
    std::string out;
    while (!text.empty()) {
        const auto open = text.find('{');
        out += text.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = text.find('}', open);
        if (close == std::string_view::npos) throw std::runtime_error("a { without its }");
        const std::string_view name = text.substr(open + 1, close - open - 1);
        if (const auto known = variables.find(name); known != variables.end()) {
            out += known->second;
        } else {
            throw std::runtime_error(fmt::format("nothing is known as {{{}}}", name));
        }
        text.remove_prefix(close + 1);
    }
    return out;
}

std::string prepare_pattern(std::string_view text) {
    std::string out = repeat(text);
    for (const auto& [from, to] :
         {std::pair{std::string_view("{absent}"), mark_absent}, {"{exactly}", mark_exactly}}) {
        for (auto at = out.find(from); at != std::string::npos; at = out.find(from)) {
            out.replace(at, from.size(), fmt::format("{}='yes'", to));
        }
    }
    return out;
}

namespace {

/// Whether `text` fits `pattern`; captures only if it does.
bool fits(std::string_view pattern, std::string_view text, Variables& variables) {
    const auto open = pattern.find('{');
    if (open == std::string_view::npos) return pattern == text;
    const auto close = pattern.find('}', open);
    if (close == std::string_view::npos) return pattern == text;
    if (text.substr(0, open) != pattern.substr(0, open)) return false;
    const std::string_view name = pattern.substr(open + 1, close - open - 1);
    const std::string_view rest = pattern.substr(close + 1);
    text.remove_prefix(open);
    constexpr std::string_view capture = "capture:";
    if (name != "any" && !name.starts_with(capture)) {
        const auto known = variables.find(name);
        if (known == variables.end()) {
            throw std::runtime_error(fmt::format("nothing is known as {{{}}}", name));
        }
        return text.starts_with(known->second) &&
               fits(rest, text.substr(known->second.size()), variables);
    }
    for (std::size_t length = text.size() + 1; length-- > 0;) {
        if (!fits(rest, text.substr(length), variables)) continue;
        if (name != "any") {
            variables.insert_or_assign(std::string(name.substr(capture.size())),
                                       std::string(text.substr(0, length)));
        }
        return true;
    }
    return false;
}

bool marked(const XmlNode& node, std::string_view mark) { return node.attribute(mark) != nullptr; }

std::string attribute_mismatch(const XmlNode& pattern, const XmlNode& actual,
                               Variables& variables) {
    for (const XmlAttribute& wanted : pattern.attributes) {
        if (wanted.name == mark_absent || wanted.name == mark_exactly) continue;
        const std::string* found = actual.attribute(wanted.name, wanted.ns);
        if (wanted.value == "{none}") {
            if (found == nullptr) continue;
            return fmt::format("<{}> has {}='{}' and should have none", actual.name, wanted.name,
                               *found);
        }
        if (found == nullptr) return fmt::format("<{}> has no {}", actual.name, wanted.name);
        if (!fits(wanted.value, *found, variables)) {
            return fmt::format("<{}> has {}='{}' instead of '{}'", actual.name, wanted.name, *found,
                               wanted.value);
        }
    }
    if (!marked(pattern, mark_exactly)) return {};
    for (const XmlAttribute& present : actual.attributes) {
        if (pattern.attribute(present.name, present.ns) == nullptr) {
            return fmt::format("<{}> has {}='{}', which was not expected", actual.name,
                               present.name, present.value);
        }
    }
    return {};
}

/// What changes the meaning of a stanza must have been expected: a delay, and a type other than
/// chat.
std::string meaning_mismatch(const XmlNode& pattern, const XmlNode& actual) {
    if (actual.name != "message" && actual.name != "presence" && actual.name != "iq") return {};
    const std::string* type = actual.attribute("type");
    if (type != nullptr && *type != "chat" && pattern.attribute("type") == nullptr) {
        return fmt::format("<{}> has type='{}', which was not expected", actual.name, *type);
    }
    const bool delayed = actual.child(delay_ns, "delay") != nullptr;
    if (delayed && pattern.child(delay_ns, "delay") == nullptr) {
        return fmt::format("<{}> is delayed, which was not expected", actual.name);
    }
    return {};
}

std::string child_mismatch(const XmlNode& pattern, const XmlNode& actual, Variables& variables) {
    std::vector<bool> used(actual.children.size(), false);
    for (const XmlNode& wanted : pattern.children) {
        const bool absent = marked(wanted, mark_absent);
        std::string nearest;
        std::optional<std::size_t> found;
        for (std::size_t i = 0; i < actual.children.size() && !found; ++i) {
            if (used[i]) continue;
            Variables attempt = variables;
            const std::string why = mismatch(wanted, actual.children[i], attempt);
            if (why.empty()) {
                found = i;
                variables = std::move(attempt);
            } else if (actual.children[i].name == wanted.name) {
                nearest = why;
            }
        }
        if (absent && found) {
            return fmt::format("<{}> holds a <{}> that should not be there", actual.name,
                               wanted.name);
        }
        if (absent) continue;
        if (!found && !nearest.empty()) return nearest;
        if (!found) {
            return fmt::format("<{}> holds no <{} xmlns='{}'>", actual.name, wanted.name,
                               wanted.ns);
        }
        used[*found] = true;
    }
    if (!marked(pattern, mark_exactly)) return {};
    const auto extra = std::ranges::find(used, false);
    if (extra == used.end()) return {};
    const auto index = static_cast<std::size_t>(extra - used.begin());
    return fmt::format("<{}> holds a <{}>, which was not expected", actual.name,
                       actual.children[index].name);
}

}  // namespace

std::string mismatch(const XmlNode& pattern, const XmlNode& actual, Variables& variables) {
    if (pattern.name != actual.name || pattern.ns != actual.ns) {
        return fmt::format("<{} xmlns='{}'> came instead of <{} xmlns='{}'>", actual.name,
                           actual.ns, pattern.name, pattern.ns);
    }
    if (std::string why = attribute_mismatch(pattern, actual, variables); !why.empty()) return why;
    if (std::string why = meaning_mismatch(pattern, actual); !why.empty()) return why;
    const std::string text = trim(pattern.text);
    if (!text.empty() && !fits(text, trim(actual.text), variables)) {
        return fmt::format("<{}> says '{}' instead of '{}'", actual.name, trim(actual.text), text);
    }
    return child_mismatch(pattern, actual, variables);
}

}  // namespace causeway::scene
