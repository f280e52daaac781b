// Where another server says, with the stream error see-other-host, that it is (RFC 6120 §4.9.3.19).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace causeway {

inline constexpr std::string_view see_other_host = "see-other-host";

struct OtherHost {
    std::string host;        ///< A-labels, or an IP literal: of IPv6 in brackets
    std::uint16_t port = 0;  ///< 0: none is named, so that DNS says which

    bool operator==(const OtherHost&) const = default;
};

/// nullopt: that is no address.
[[nodiscard]] std::optional<OtherHost> read_other_host(std::string_view text);

/// As the one who connects wants it.
[[nodiscard]] std::string without_brackets(const std::string& host);

}  // namespace causeway
