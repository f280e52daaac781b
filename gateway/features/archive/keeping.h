// How long one account's archive is kept, where an administrator has decided so ("causewayctl
// archive keep"), instead of what its domain's options say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/feature/command.h"

namespace causeway {

struct ArchiveKeeping {
    /// A Map store, by account; an account that is removed leaves nothing in it.
    static constexpr std::string_view store = "archive-keeping";
    static constexpr std::string_view key = "keep";
    /// That an archive may be let grow to; also where a domain's option says so.
    static constexpr std::int64_t most_bytes = std::int64_t{1} << 50U;

    // Nothing: as the domain's options say.
    std::optional<std::uint32_t> days = {};   ///< 0: for ever
    std::optional<std::uint64_t> bytes = {};  ///< of messages; 0: any number

    /// As it is stored. What is not understood counts as not decided.
    static ArchiveKeeping read(std::string_view stored);
    [[nodiscard]] std::string text() const;
};

/// The method archive.keep: shows what is decided for an account, or decides.
void keep_archive(const control::CommandRequest& request);

}  // namespace causeway
