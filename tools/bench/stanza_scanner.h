// Cuts an incoming XML stream into stream header, first-level elements and stream end by counting
// depth, with no parse tree: the load generator must cost far less than the servers it measures.
//
// The scanner trusts the server to send well-formed XML; what it cannot follow is reported as
// broken. It copies nothing while stanzas arrive whole, and holds at most `max_stanza_bytes` of a
// part.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace causeway::bench {

class StanzaSink {
public:
    StanzaSink() = default;
    StanzaSink(const StanzaSink&) = delete;
    StanzaSink& operator=(const StanzaSink&) = delete;
    virtual ~StanzaSink() = default;

    /// The start tag of the stream.
    virtual void on_stream_open(std::string_view header) = 0;
    /// One complete first-level element; the view is valid during the call.
    virtual void on_element(std::string_view element) = 0;
    virtual void on_stream_close() = 0;
};

class StanzaScanner {
public:
    /// Bytes of one element beyond which the stream counts as broken.
    static constexpr std::size_t max_stanza_bytes = std::size_t{4} << 20U;

    /// Scans the next bytes; false when the stream is broken. The sink may call `restart`, upon
    /// which the rest of these bytes is ignored.
    [[nodiscard]] bool scan(std::string_view bytes, StanzaSink& sink);

    /// Forgets everything: a new stream begins with the next bytes.
    void restart();

private:
    enum class Place {
        text,     // between tags
        tag,      // inside a tag, outside quotes
        quoted,   // inside an attribute value, until `quote_`
        section,  // inside a CDATA section
    };
    enum class Found { nothing, tag_end, broken };

    Found advance(std::string_view data);
    /// Steps into the tag or section at `position_`; false if more data must tell which it is.
    bool enter_markup(std::string_view data);
    /// Acts on the tag that ends before `position_`; true when the data up to there is done with.
    bool finish_tag(std::string_view data, StanzaSink& sink);

    std::string held_;          // an unfinished element from earlier calls
    std::size_t position_ = 0;  // bytes of the present element scanned so far
    std::size_t tag_start_ = 0;
    int depth_ = 0;  // open elements, the stream included
    Place place_ = Place::text;
    char quote_ = '\'';
    bool restarted_ = false;
};

}  // namespace causeway::bench
