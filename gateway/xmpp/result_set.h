// Result Set Management (XEP-0059): which part of a long result is asked for, and which was given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/base/outcome.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/element.h"

namespace causeway {

/// What a request says in `<set/>`.
struct ResultSetRequest {
    std::optional<std::uint32_t> max;
    std::optional<std::string> after;   ///< not empty
    std::optional<std::string> before;  ///< empty: the last page
};

/// Reads the `<set/>` of a request; all is left out where it has none. Malformed, with a sentence
/// for the sender, for what XEP-0059 does not allow and for paging by index, which is not offered.
Result<ResultSetRequest> read_result_set(const Element& request, Arena& arena);

/// What an answer says in `<set/>`.
struct ResultSetPage {
    std::string first, last;  ///< empty: the page is
    std::optional<std::uint64_t> index;
    std::optional<std::uint64_t> count;
};

/// Appends `<set/>`.
void append_result_set(XmlBuilder& xml, const ResultSetPage& page);

}  // namespace causeway
