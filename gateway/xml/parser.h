// XmlStreamParser: libexpat behind a pull interface, the only user of expat. Bytes go in, one event
// at a time comes out: stream opened, one complete child element, stream closed, or a fault that
// names its stream error. Restricted XML (RFC 6120 §11.1) and all limits are enforced while
// parsing.
//
// Between two stanzas a parser holds nothing of its stream but the declarations of the stream
// header, so ParserPool lends one parser to any number of idle streams with equal headers: an idle
// stream owns no parser. A parser whose expat heap has grown (names stay in its tables for good) is
// replaced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/arena.h"
#include "gateway/xml/element.h"
#include "gateway/xml/stanza_skipper.h"
#include "gateway/xml/tree_builder.h"

struct XML_ParserStruct;

namespace causeway {

/// Bounds on what a peer may send; each is reached while parsing, never after.
struct XmlLimits {
    /// From '<' of a stanza to its end; and as much again for namespace names, each time that a
    /// prefix stands for one.
    std::size_t stanza_bytes = 262144;
    std::size_t token_bytes = 16384;  ///< one tag, or one reference
    std::size_t depth = 64;           ///< below the stream element
    std::size_t attributes = 64;      ///< of one element
    std::size_t attribute_bytes = 8192;
    std::size_t namespaces = 32;        ///< declared by one element
    std::size_t namespace_name = 1024;  ///< bytes of one's name
    std::size_t children = 4096;        ///< nodes in one stanza
    /// A stanza beyond a limit is passed over (`skipped`) instead of ending the stream.
    bool skip_larger = false;
};

/// What the parser saw.
enum class XmlEvent : unsigned char {
    need_more,
    opened,
    element,
    skipped,  ///< a stanza that was larger than allowed is over; another parser reads on
    closed,
    fault,
};

/// How the stream's root stands: a real <stream:stream> (TCP), or each message a document of its
/// own (RFC 7395), where the parser supplies a root and every message's element is reported.
enum class XmlFraming : unsigned char { stream, message };

class XmlStreamParser {
public:
    XmlStreamParser(XmlFraming framing, std::string_view content_ns);
    XmlStreamParser(const XmlStreamParser&) = delete;
    XmlStreamParser& operator=(const XmlStreamParser&) = delete;
    ~XmlStreamParser();

    void set_limits(const XmlLimits& limits) { limits_ = limits; }

    /// Takes bytes, and reports the first event in them. After any event but need_more and fault
    /// call resume() for the next, until need_more.
    XmlEvent feed(std::string_view bytes);
    XmlEvent resume();

    /// The stream header's start tag, after `opened`; until the next call.
    [[nodiscard]] Element& header() { return *root_; }
    /// The complete child, after `element`; until the next call. Trees live in arena(). After
    /// `skipped` its name, and of its attributes to, from, id and type where those could be read.
    [[nodiscard]] Element& element() { return *complete_; }
    [[nodiscard]] Arena& arena() { return arena_; }

    /// After `fault`: the stream error condition (RFC 6120 §4.9.3) and what happened.
    [[nodiscard]] std::string_view fault_condition() const { return fault_.condition; }
    [[nodiscard]] std::string_view fault_text() const { return fault_.text; }

    /// How many of the bytes fed last have not been consumed yet.
    [[nodiscard]] std::size_t unconsumed() const {
        return static_cast<std::size_t>(place_.fed - place_.consumed);
    }
    /// Between two stanzas with nothing pending: fit to be shared.
    [[nodiscard]] bool idle() const {
        return depth_ == 1 && !suspended_ && place_.consumed == place_.fed &&
               fault_.condition.empty() && skipping_.state == Skip::no;
    }
    /// Between two stanzas, but for a carriage return that may be the first half of a line's end.
    [[nodiscard]] bool only_white_space_left() const {
        return depth_ == 1 && !suspended_ && fault_.condition.empty() &&
               (place_.consumed == place_.fed ||
                (place_.consumed + 1 == place_.fed && place_.last_byte == '\r'));
    }
    /// Streams with equal keys can share a parser: framing, root name and header declarations.
    [[nodiscard]] const std::string& context() const { return header_.context; }
    /// A fresh parser brought to the state after that header, for another stream of that context.
    static std::unique_ptr<XmlStreamParser> from_context(const std::string& context);

    /// Bytes that expat holds for it.
    [[nodiscard]] std::size_t heap() const { return heap_; }

private:
    friend struct ExpatHandlers;
    static constexpr std::string_view too_large = TreeBuilder::too_large;

    void make_expat();
    XmlEvent outcome(int status);
    XmlEvent next_event();
    void fault(std::string_view condition, std::string text);
    void exceeded(std::string_view text);
    [[nodiscard]] bool stopped() const {
        return !fault_.condition.empty() || skipping_.state != Skip::no;
    }
    [[nodiscard]] std::string_view pending_input(std::size_t before = 0) const;
    void skip_start_tag(const char* name, const char** attributes);
    XmlEvent begin_skipping();
    XmlEvent skip(std::string_view bytes);
    XmlEvent skipped();
    void mark_consumed(std::size_t text_bytes = 0);
    void start_element(const char* name, const char** attributes);
    void end_element();
    void character_data(std::string_view text);
    bool check_size();
    bool foreign_encoding(std::string_view bytes);
    bool check_namespace(std::string_view element_ns);
    Element* build(const char* raw_name, const char** attributes);
    void remember_header(std::string_view raw_root);

    /// How far the input has been read, in bytes of the stream.
    struct Place {
        std::int64_t fed = 0;
        std::int64_t consumed = 0;
        std::int64_t boundary = 0;  ///< where the current stanza began
        char first_byte = 0;
        char last_byte = 0;
    };
    /// What the current stanza has come to, against the limits.
    struct Counts {
        std::size_t nodes = 0;
        std::size_t declared = 0;  ///< namespaces, for the start tag that follows
    };
    /// Passing over a stanza: from the limit that was reached to the end of the stanza.
    enum class Skip : unsigned char { no, due, on, over };
    struct Skipping {
        Skip state = Skip::no;
        std::size_t open = 0;  ///< elements of the stanza that are open where it begins
        std::unique_ptr<StanzaSkipper> skipper;
    };
    struct Fault {
        std::string condition;
        std::string text;
    };
    struct Header {
        std::string context;
        std::string declarations;
    };

    XML_ParserStruct* expat_ = nullptr;  // freed in the destructor
    XmlFraming framing_;
    XmlLimits limits_;
    Arena arena_;
    std::string content_ns_;
    TreeBuilder builder_{arena_, limits_, content_ns_};
    Header header_;
    Element* root_ = nullptr;
    Element* current_ = nullptr;
    Element* complete_ = nullptr;
    Place place_;
    std::size_t depth_ = 0;
    Counts stanza_;
    std::size_t heap_ = 0;
    unsigned pending_ = 0;  ///< events that are to be reported yet, each as its bit
    bool suspended_ = false;
    bool replaying_ = false;
    bool in_section_ = false;  ///< between the ends of a CDATA section
    Skipping skipping_;
    Fault fault_;
};

/// Idle parsers of one shard, for the streams that come to have input.
class ParserPool {
public:
    /// Parsers kept: more than one stream at a time is in mid-stanza only while input is partial.
    static constexpr std::size_t capacity = 64;
    /// A parser above this is not kept: expat never gives names back.
    static constexpr std::size_t heap_limit = 49152;
    /// One above this is exchanged between two stanzas even while there is more to read. Above what
    /// expat needs for input that waits, or each stanza would need a new parser.
    static constexpr std::size_t heap_bound = 524288;

    /// A parser in the state after the header that `context` describes.
    std::unique_ptr<XmlStreamParser> take(const std::string& context);
    /// Accepts an idle parser; keeps or frees it.
    void give_back(std::unique_ptr<XmlStreamParser> parser);
    [[nodiscard]] std::size_t size() const { return parsers_.size(); }
    /// One copy of a context for all the streams that have it.
    std::shared_ptr<const std::string> intern(const std::string& context);

private:
    static constexpr std::size_t contexts_swept = 256;
    std::map<std::string, std::weak_ptr<const std::string>> contexts_;
    std::vector<std::unique_ptr<XmlStreamParser>> parsers_;
};

}  // namespace causeway
