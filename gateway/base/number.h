// Numbers in text that others wrote.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace causeway {

/// The number that the whole text is: decimal digits and nothing else, no sign, no space. nullopt
/// if it is anything else, or larger than `Number` holds.
template <std::unsigned_integral Number>
std::optional<Number> read_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace causeway
