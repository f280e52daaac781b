// The few looks into raw XML that a load generator needs, without a parse tree.
//
// Everything works on views into the caller's text and cannot fail: what is absent is empty.
#pragma once

#include <string>
#include <string_view>

namespace causeway::bench {

/// The start tag of an element that is given whole.
[[nodiscard]] std::string_view start_tag_of(std::string_view element);

/// True if the element's name, prefix included, is `name`.
[[nodiscard]] bool is_named(std::string_view element, std::string_view name);

/// Raw value of an attribute of the element's own start tag, in either kind of quotes.
[[nodiscard]] std::string_view attribute_of(std::string_view element, std::string_view name);

/// Raw text between the first start tag called `name` inside the element and the next tag.
[[nodiscard]] std::string_view text_of(std::string_view element, std::string_view name);

/// Calls `visit` with the start tag of each descendant called `name`.
template <typename Visitor>
void for_each_tag(std::string_view element, std::string_view name, Visitor visit) {
    for (std::size_t at = element.find('<'); at != std::string_view::npos;
         at = element.find('<', at + 1)) {
        if (const std::string_view rest = element.substr(at); is_named(rest, name)) {
            visit(start_tag_of(rest));
        }
    }
}

/// Text made fit for an attribute value or character data.
[[nodiscard]] std::string escape_xml(std::string_view text);

/// Every "%d" of a pattern replaced by the number.
[[nodiscard]] std::string expand_pattern(std::string_view pattern, unsigned number);

}  // namespace causeway::bench
