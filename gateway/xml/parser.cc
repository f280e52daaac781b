#include "gateway/xml/parser.h"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <utility>

#include "gateway/base/random.h"
#include "gateway/xml/expat_names.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

// Debian has had expat 2.5.0 with and without this function. A weak reference takes it from
// whichever library is there when the program runs; one that lacks it has no deferral to switch
// off.
extern "C" XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool enabled)
    __attribute__((weak));

namespace causeway {
namespace {

constexpr std::string_view message_root = "<m>";

// expat's memory suite has no user pointer: the parser being run is noted here for its calls.
thread_local std::size_t* active_heap = nullptr;

struct HeapScope {
    explicit HeapScope(std::size_t& heap) : before(std::exchange(active_heap, &heap)) {}
    HeapScope(const HeapScope&) = delete;
    HeapScope& operator=(const HeapScope&) = delete;
    ~HeapScope() { active_heap = before; }
    std::size_t* before;
};

constexpr std::size_t size_prefix = alignof(std::max_align_t);

void* expat_allocate(std::size_t size) {
    auto* block = static_cast<char*>(std::malloc(size + size_prefix));
    if (block == nullptr) return nullptr;
    *reinterpret_cast<std::size_t*>(block) = size;
    *active_heap += size;
    return block + size_prefix;
}

void expat_free(void* at) {
    if (at == nullptr) return;
    char* block = static_cast<char*>(at) - size_prefix;
    *active_heap -= *reinterpret_cast<std::size_t*>(block);
    std::free(block);
}

void* expat_reallocate(void* at, std::size_t size) {
    if (at == nullptr) return expat_allocate(size);
    char* block = static_cast<char*>(at) - size_prefix;
    const std::size_t before = *reinterpret_cast<std::size_t*>(block);
    auto* moved = static_cast<char*>(std::realloc(block, size + size_prefix));
    if (moved == nullptr) return nullptr;
    *reinterpret_cast<std::size_t*>(moved) = size;
    *active_heap += size - before;
    return moved + size_prefix;
}

constexpr XML_Memory_Handling_Suite memory_suite{expat_allocate, expat_reallocate, expat_free};

bool is_white_space(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

constexpr unsigned bit_of(XmlEvent event) { return 1U << static_cast<unsigned>(event); }

}  // namespace

/// expat's callbacks, which need C linkage signatures and access to the parser.
struct ExpatHandlers {
    static XmlStreamParser& self(void* data) { return *static_cast<XmlStreamParser*>(data); }
    static void start(void* data, const XML_Char* name, const XML_Char** attributes) {
        self(data).start_element(name, attributes);
    }
    static void end(void* data, const XML_Char*) { self(data).end_element(); }
    static void text(void* data, const XML_Char* text, int length) {
        self(data).character_data({text, static_cast<std::size_t>(length)});
    }
    static void namespace_declared(void* data, const XML_Char* prefix, const XML_Char* uri) {
        XmlStreamParser& parser = self(data);
        ++parser.stanza_.declared;
        if (uri != nullptr && std::string_view(uri).size() > parser.limits_.namespace_name) {
            parser.exceeded("the name of a namespace is too long");
            return;
        }
        if (parser.depth_ == 0 && !parser.replaying_) {
            append_attribute(parser.header_.declarations,
                             prefix == nullptr ? "xmlns" : fmt::format("xmlns:{}", prefix),
                             uri == nullptr ? "" : uri);
        }
    }
    static void cdata_edge(void* data) {
        XmlStreamParser& parser = self(data);
        parser.mark_consumed();
        parser.in_section_ = !parser.in_section_;
        if (parser.stopped()) return;
        // Not even with white space in it: a parser that is lent must not be inside a section.
        if (parser.depth_ == 1) parser.fault("bad-format", "text between stanzas");
    }
    static void comment(void* data, const XML_Char*) {
        self(data).fault("restricted-xml", "comments are not allowed in a stream");
    }
    static void instruction(void* data, const XML_Char*, const XML_Char*) {
        self(data).fault("restricted-xml", "processing instructions are not allowed in a stream");
    }
    static void doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*, int) {
        self(data).fault("restricted-xml", "a document type is not allowed in a stream");
    }
    static void declaration(void* data, const XML_Char* version, const XML_Char* encoding,
                            int standalone) {
        XmlStreamParser& parser = self(data);
        parser.mark_consumed();
        const std::string_view wanted = encoding == nullptr ? "UTF-8" : encoding;
        if (wanted.size() != 5 || (wanted[0] | 32) != 'u' || (wanted[1] | 32) != 't' ||
            (wanted[2] | 32) != 'f' || wanted.substr(3) != "-8") {
            parser.fault("unsupported-encoding", "a stream is UTF-8");
        } else if (standalone == 0) {
            parser.fault("restricted-xml", "a stream cannot depend on an external document type");
        } else if (version != nullptr && std::string_view(version) != "1.0") {
            parser.fault("bad-format", "a stream is XML 1.0");
        }
    }
};

XmlStreamParser::XmlStreamParser(XmlFraming framing, std::string_view content_ns)
    : framing_(framing), content_ns_(content_ns) {
    make_expat();
    if (framing_ == XmlFraming::message) {
        replaying_ = true;
        feed(message_root);
        if (pending_ != 0 || suspended_) resume();
        replaying_ = false;
        header_.context = fmt::format("m{}\n{}", content_ns_, message_root);
    }
}

XmlStreamParser::~XmlStreamParser() {
    const HeapScope scope(heap_);
    XML_ParserFree(expat_);
}

void XmlStreamParser::make_expat() {
    const HeapScope scope(heap_);
    const char separator_text[] = {ExpatName::separator, '\0'};
    expat_ = XML_ParserCreate_MM("UTF-8", &memory_suite, separator_text);
    if (expat_ == nullptr) throw std::bad_alloc();
    unsigned long salt = 0;
    random_bytes({reinterpret_cast<unsigned char*>(&salt), sizeof salt});
    XML_SetHashSalt(expat_, salt);
    XML_SetReturnNSTriplet(expat_, 1);
    XML_SetUserData(expat_, this);
    XML_SetElementHandler(expat_, ExpatHandlers::start, ExpatHandlers::end);
    XML_SetCharacterDataHandler(expat_, ExpatHandlers::text);
    XML_SetStartNamespaceDeclHandler(expat_, ExpatHandlers::namespace_declared);
    XML_SetCdataSectionHandler(expat_, ExpatHandlers::cdata_edge, ExpatHandlers::cdata_edge);
    XML_SetCommentHandler(expat_, ExpatHandlers::comment);
    XML_SetProcessingInstructionHandler(expat_, ExpatHandlers::instruction);
    XML_SetStartDoctypeDeclHandler(expat_, ExpatHandlers::doctype);
    XML_SetXmlDeclHandler(expat_, ExpatHandlers::declaration);
    // Deferral would hold back complete stanzas; what it guards against (a long token in small
    // pieces scanned again and again) is bounded by token_bytes instead.
    if (XML_SetReparseDeferralEnabled != nullptr) XML_SetReparseDeferralEnabled(expat_, XML_FALSE);
}

std::unique_ptr<XmlStreamParser> XmlStreamParser::from_context(const std::string& context) {
    const std::size_t line = context.find('\n');
    const XmlFraming framing = context[0] == 'm' ? XmlFraming::message : XmlFraming::stream;
    auto parser = std::make_unique<XmlStreamParser>(framing, context.substr(1, line - 1));
    if (framing == XmlFraming::stream) {
        parser->replaying_ = true;
        // This was accepted once; what had to be escaped since makes it longer.
        XmlLimits enough;
        enough.token_bytes = enough.namespaces = enough.namespace_name = context.size();
        enough.stanza_bytes = std::max(enough.stanza_bytes, context.size());
        parser->set_limits(enough);
        parser->feed(std::string_view(context).substr(line + 1));
        parser->resume();
        parser->set_limits({});
        parser->replaying_ = false;
        parser->header_.context = context;
    }
    return parser;
}

XmlEvent XmlStreamParser::feed(std::string_view bytes) {
    if (!fault_.condition.empty()) return XmlEvent::fault;
    if (place_.fed == 0 && !replaying_ && framing_ == XmlFraming::stream) {
        // What the peer wrote behind the last element of the stream before this one.
        bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
    }
    if (bytes.empty()) return XmlEvent::need_more;
    place_.last_byte = bytes.back();
    if (skipping_.state == Skip::on) {
        place_.fed += static_cast<std::int64_t>(bytes.size());
        return skip(bytes);
    }
    if (place_.fed < 2 && foreign_encoding(bytes)) {
        fault("unsupported-encoding", "a stream is UTF-8");
        return XmlEvent::fault;
    }
    complete_ = nullptr;
    place_.fed += static_cast<std::int64_t>(bytes.size());
    const HeapScope scope(heap_);
    return outcome(XML_Parse(expat_, bytes.data(), static_cast<int>(bytes.size()), XML_FALSE));
}

/// expat would follow a sign of UTF-16 even though it was told UTF-8: a byte order mark, or a zero
/// among the first two bytes, which may come apart.
bool XmlStreamParser::foreign_encoding(std::string_view bytes) {
    const char first = place_.fed == 0 ? bytes[0] : place_.first_byte;
    place_.first_byte = first;
    // None of these begins UTF-8, whatever follows.
    if (first == '\xff' || first == '\xfe' || first == '\0') return true;
    if (place_.fed == 0) bytes.remove_prefix(1);
    if (bytes.empty()) return false;
    return bytes[0] == '\0';
}

XmlEvent XmlStreamParser::resume() {
    if (!fault_.condition.empty()) return XmlEvent::fault;
    if (complete_ != nullptr) {
        complete_ = nullptr;
        arena_.reset();
    }
    if (skipping_.state == Skip::over) return XmlEvent::need_more;
    if (pending_ != 0) return next_event();
    if (!suspended_) return XmlEvent::need_more;
    suspended_ = false;
    const HeapScope scope(heap_);
    return outcome(XML_ResumeParser(expat_));
}

XmlEvent XmlStreamParser::outcome(int status) {
    if (status == XML_STATUS_SUSPENDED) {
        suspended_ = true;
        return skipping_.state == Skip::due ? begin_skipping() : next_event();
    }
    if (status == XML_STATUS_ERROR) {
        if (fault_.condition.empty()) {
            const XML_Error code = XML_GetErrorCode(expat_);
            switch (code) {
                case XML_ERROR_UNDEFINED_ENTITY:
                    fault("restricted-xml", "only the five predefined entities are allowed");
                    break;
                case XML_ERROR_INCORRECT_ENCODING:
                case XML_ERROR_UNKNOWN_ENCODING:
                    fault("unsupported-encoding", "a stream is UTF-8");
                    break;
                case XML_ERROR_MISPLACED_XML_PI:
                    fault("restricted-xml", "an XML declaration stands only at the very start");
                    break;
                default: fault("not-well-formed", XML_ErrorString(code)); break;
            }
        }
        return XmlEvent::fault;
    }
    if (!fault_.condition.empty()) return XmlEvent::fault;
    // All has been read, so what is left is the beginning of one token.
    if (place_.fed - place_.consumed > static_cast<std::int64_t>(limits_.token_bytes)) {
        // A reference never ends a stanza, nor would anything that begins otherwise.
        if (depth_ > 0 && pending_input().starts_with('<')) {
            skipping_.open = depth_ - 1;
            exceeded(too_large);
            if (skipping_.state == Skip::due) return begin_skipping();
        }
        fault("policy-violation", std::string(too_large));
        return XmlEvent::fault;
    }
    return next_event();
}

XmlEvent XmlStreamParser::next_event() {
    for (const XmlEvent event : {XmlEvent::opened, XmlEvent::element, XmlEvent::closed}) {
        if ((pending_ & bit_of(event)) == 0) continue;
        pending_ &= ~bit_of(event);
        return event;
    }
    return XmlEvent::need_more;
}

void XmlStreamParser::fault(std::string_view condition, std::string text) {
    if (!fault_.condition.empty()) return;
    fault_.condition = condition;
    fault_.text = std::move(text);
    XML_StopParser(expat_, XML_FALSE);
}

/// Called for every token but white space around the root, which counts as part of the next one.
/// Text may come in one piece of any size; a token that is no text, or a reference, may not.
void XmlStreamParser::mark_consumed(std::size_t text_bytes) {
    const std::int64_t before = place_.consumed;
    place_.consumed = XML_GetCurrentByteIndex(expat_) + XML_GetCurrentByteCount(expat_);
    const auto token = static_cast<std::size_t>(place_.consumed - before);
    if (token > limits_.token_bytes && token > text_bytes) exceeded(too_large);
}

bool XmlStreamParser::check_size() {
    if (place_.consumed - place_.boundary > static_cast<std::int64_t>(limits_.stanza_bytes)) {
        exceeded(too_large);
    }
    return !stopped();
}

/// Which namespaces an element may be in.
bool XmlStreamParser::check_namespace(std::string_view element_ns) {
    if (element_ns == content_ns_) return true;
    if (depth_ == 1 && element_ns == ns::client && framing_ == XmlFraming::stream) {
        fault("invalid-namespace", "stanzas here are in another content namespace");
        return false;
    }
    if (element_ns == ns::xml) {
        // The prefix xml is for attributes; as a default namespace, which is how it would be
        // written, this one is forbidden to everybody.
        fault("bad-format", "no element is in the namespace of the prefix xml");
        return false;
    }
    return true;
}

Element* XmlStreamParser::build(const char* raw_name, const char** attributes) {
    const ExpatName name(raw_name);
    if (!check_namespace(name.ns)) return nullptr;
    Element* const element = builder_.element(current_, name, attributes);
    if (element == nullptr) exceeded(builder_.refusal());
    return element;
}

void XmlStreamParser::remember_header(std::string_view raw_root) {
    const ExpatName name(raw_root);
    const std::string root = name.prefix.empty() ? std::string(name.local)
                                                 : fmt::format("{}:{}", name.prefix, name.local);
    header_.context = fmt::format("s{}\n<{}{}>", content_ns_, root, header_.declarations);
    header_.declarations.clear();
    header_.declarations.shrink_to_fit();
}

void XmlStreamParser::start_element(const char* name, const char** attributes) {
    mark_consumed();
    if (depth_ == 1) {
        place_.boundary = XML_GetCurrentByteIndex(expat_);
        stanza_.nodes = 0;
        builder_.begin_stanza();
    }
    const std::size_t declared = std::exchange(stanza_.declared, 0);
    if (check_size() && (depth_ > limits_.depth || ++stanza_.nodes > limits_.children ||
                         declared > limits_.namespaces)) {
        exceeded("too deep, or too many elements or namespaces");
    }
    Element* const element = stopped() ? nullptr : build(name, attributes);
    if (skipping_.state == Skip::due) skip_start_tag(name, attributes);
    if (stopped()) return;
    if (depth_ == 1 && element->is(ns::stream, "stream")) {
        fault("bad-format", framing_ == XmlFraming::message
                                ? "a WebSocket stream begins with <open/>, not with <stream>"
                                : "a stream holds no other stream");
        return;
    }
    ++depth_;
    if (depth_ == 1) {
        root_ = element;
        if (!replaying_) {
            remember_header(name);
            pending_ |= bit_of(XmlEvent::opened);
        }
        XML_StopParser(expat_, XML_TRUE);
        return;
    }
    current_ = element;
}

void XmlStreamParser::end_element() {
    if (stopped()) return;  // of an empty element whose start was too much
    mark_consumed();
    if (depth_ > 1) check_size();
    if (skipping_.state == Skip::due) skipping_.open = depth_ - 2;
    if (stopped() || depth_ == 0) return;
    --depth_;
    if (depth_ == 0) {
        pending_ |= bit_of(XmlEvent::closed);
        if ((pending_ & bit_of(XmlEvent::opened)) == 0) XML_StopParser(expat_, XML_TRUE);
        return;
    }
    if (depth_ == 1) {
        complete_ = current_;
        current_ = nullptr;
        root_ = nullptr;  // it lived in the arena, which goes with the stanza
        pending_ |= bit_of(XmlEvent::element);
        place_.boundary = place_.consumed;
        XML_StopParser(expat_, XML_TRUE);
        return;
    }
    current_ = current_->parent;
}

void XmlStreamParser::character_data(std::string_view text) {
    mark_consumed(text.size());
    if (stopped()) return;
    if (current_ == nullptr) {
        if (!is_white_space(text)) {
            fault("bad-format", "text between stanzas");
            return;
        }
        place_.boundary = place_.consumed;
        return;
    }
    if (!check_size()) {
        skipping_.open = depth_ - 1;
        return;
    }
    builder_.add_text(*current_, text);
}

}  // namespace causeway
