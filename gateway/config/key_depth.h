// Finds keys with too many dotted parts before the text is parsed. Each part is a nested table, and
// the TOML library bounds neither their depth nor the stack that freeing them takes.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace causeway {

/// No option has more than two; tables in tables in lists come to some thousand levels at most.
constexpr std::size_t most_key_parts = 8;

/// Where a key's part beyond most_key_parts begins, as an offset; nullopt when there is none.
/// Agrees with a TOML parser up to the first error that such a parser would report.
std::optional<std::size_t> find_deep_key(std::string_view toml);

}  // namespace causeway
