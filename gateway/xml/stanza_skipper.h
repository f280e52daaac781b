// StanzaSkipper: finds the end of a stanza that is larger than what is allowed, without keeping
// anything of it. It knows where tags, quoted values and CDATA sections begin and end, and that end
// tags close what was opened; expat, which would keep names and whole tags, is not asked. What it
// lets pass goes to nobody. Owner: an XmlStreamParser.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

class StanzaSkipper {
public:
    enum class Result : unsigned char {
        more,       ///< the stanza goes on
        done,       ///< it is over
        malformed,  ///< not well-formed, or what no stream may hold (RFC 6120 §11.1)
    };

    /// `open`: elements that are open where reading starts, the stanza's own among them; 0: its
    /// start tag comes first. `in_section`: that is inside a CDATA section.
    explicit StanzaSkipper(std::size_t open, bool in_section = false)
        : open_(open), state_(in_section ? State::section : State::content) {}

    /// Reads on; `taken` tells how many of the bytes belong to the stanza.
    Result feed(std::string_view bytes, std::size_t& taken);

    /// Bytes passed over.
    [[nodiscard]] std::uint64_t skipped() const { return skipped_; }
    /// The qualified name of the first start tag, cut if it is long.
    [[nodiscard]] const std::string& first_name() const { return first_name_; }

    /// Levels of elements that are followed.
    static constexpr std::size_t depth_limit = 16384;

private:
    enum class State : unsigned char {
        content,
        opening,         ///< behind '<'
        start_name,      ///< in the name of a start tag
        tag,             ///< behind it, outside of values
        single_quoted,   ///< in a value
        double_quoted,   ///< in a value
        slash,           ///< behind '/' in a start tag
        end_name,        ///< in the name of an end tag
        end_tag,         ///< behind it
        declaration,     ///< behind "<!": only a CDATA section may come
        section,         ///< in a CDATA section
        section_end,     ///< behind "]" in it
        section_ending,  ///< behind "]]" in it
    };
    [[nodiscard]] Result step(char c);
    [[nodiscard]] Result opened(bool empty);
    [[nodiscard]] Result closed();
    void hash(char c) { name_ = (name_ ^ static_cast<unsigned char>(c)) * 16777619U; }

    std::size_t open_;
    State state_;
    std::uint32_t name_ = 0;            ///< hash of the name being read
    std::size_t matched_ = 0;           ///< of "[CDATA["
    std::vector<std::uint32_t> names_;  ///< of elements that were opened here
    std::string first_name_;
    std::uint64_t skipped_ = 0;
    bool named_ = false;  ///< the first name is complete
};

}  // namespace causeway
