// TreeBuilder: makes elements, in an arena, of the names and attributes that expat reports, in the
// namespaces that the rest of the server knows. How much it makes of one stanza is bounded.
#pragma once

#include <cstddef>
#include <string_view>

#include "gateway/base/arena.h"
#include "gateway/xml/element.h"

namespace causeway {

struct ExpatName;
struct XmlLimits;

class TreeBuilder {
public:
    static constexpr std::string_view too_large = "that is larger than what is allowed here";

    /// The arena and the limits outlive it; `content_ns` is what peers call ns::client.
    TreeBuilder(Arena& arena, const XmlLimits& limits, std::string_view content_ns)
        : arena_(arena), limits_(limits), content_ns_(content_ns) {}

    /// Another stanza begins: what its namespaces come to is counted anew.
    void begin_stanza() { namespace_bytes_ = 0; }
    /// A new child of `above`, or without one a root; nullptr: it is beyond a limit, which
    /// refusal() names.
    Element* element(Element* above, const ExpatName& name, const char** attributes);
    [[nodiscard]] std::string_view refusal() const { return refusal_; }
    void add_text(Element& element, std::string_view text);

    /// Of a stanza that is too large: a root with the name, and those of the attributes that say
    /// where it goes and what answers it.
    Element* start_tag(const ExpatName& name, const char** attributes);
    /// Leaves that of an element.
    static void drop_children(Element& element) {
        element.first_child = element.last_child_ = nullptr;
    }

private:
    bool keep_namespace(std::string_view name, std::string_view& kept);
    void add_attribute(Element& element, std::string_view ns, std::string_view name,
                       std::string_view value);

    Arena& arena_;
    const XmlLimits& limits_;
    std::string_view content_ns_;
    std::string_view refusal_;
    std::size_t namespace_bytes_ = 0;  ///< kept, of the current stanza
};

}  // namespace causeway
