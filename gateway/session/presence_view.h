// PresenceView: what somebody is shown of an account's presence. A view is named, and chosen by the
// account's access rules (access_rules.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

struct PresenceView {
    /// How much of a presence stanza is left.
    enum class Extent : unsigned char {
        all,
        show_only,  ///< show and priority
        nothing,    ///< it is as if no session were ever available
    };

    static constexpr std::size_t longest_name = 64;
    /// In bytes, as of what is published in an account's name.
    static constexpr std::size_t longest_status = 1024;

    std::string name;
    Extent extent = Extent::all;
    std::optional<std::string> show;    ///< instead of the real one; empty: plainly available
    std::optional<std::string> status;  ///< instead of the real one

    bool operator==(const PresenceView&) const = default;

    /// The two that every account has: "whole" and "nothing".
    static const PresenceView& whole();
    static const PresenceView& none();
    static bool always_there(std::string_view name);

    [[nodiscard]] bool hides_all() const { return extent == Extent::nothing; }
    /// A presence stanza without change.
    [[nodiscard]] bool shows_all() const { return extent == Extent::all && !show && !status; }
    /// Available or unavailable presence as this view shows it; nullptr: not at all. Where show or
    /// status is fixed, the real status is not shown.
    [[nodiscard]] PacketRef apply(const PacketRef& presence) const;

    /// Why this is no view; ok if it is one.
    [[nodiscard]] Outcome check() const;
    /// As a person reads it: "show away, status "working"".
    [[nodiscard]] std::string words() const;

    [[nodiscard]] std::string serialise() const;
    static std::optional<PresenceView> read(std::string_view name, std::string_view text);
};

}  // namespace causeway
