// Rows of addresses, or of parts of them, and the normal form that each is to have.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gateway/xmpp/jid.h"

namespace causeway::test {

/// The normal form, or "!" when the text is refused as malformed.
template <class T>
std::string shown(const Result<T>& result) {
    if (!result) return result.error().cause() == Cause::malformed ? "!" : "wrong cause";
    if constexpr (std::is_same_v<T, Jid>) {
        return std::string(result->full());
    } else {
        return *result;
    }
}

struct JidRow {
    std::string given;
    std::string expected;  // "!" when refused
};

inline std::string repeat(std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += text;
    return out;
}

/// Runs rows through `prepare`, and every accepted form a second time: it must not change again.
template <class Prepare>
void check_rows(const std::vector<JidRow>& rows, Prepare prepare) {
    for (const JidRow& row : rows) {
        CAPTURE(row.given);
        const std::string normal = shown(prepare(row.given));
        CHECK(normal == row.expected);
        if (normal != "!") CHECK(shown(prepare(normal)) == normal);
    }
}

}  // namespace causeway::test
