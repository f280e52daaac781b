// EndedSessions: how much was handled of what the clients of sessions sent that cannot be resumed
// any more. Whoever comes too late with <resume/> is told, and does not send it again in a new
// session (XEP-0198 §5). One for each shard, in a slot of its hub.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/feature/slots.h"

namespace causeway {

class EndedSessions final : public SlotState {
public:
    static constexpr std::size_t at_most = 4096;

    /// `account`: its bare JID.
    void remember(std::string_view account, std::string token, std::uint32_t handled) {
        ended_.push_back({std::string(account), std::move(token), handled});
        if (ended_.size() > at_most) ended_.pop_front();
    }
    [[nodiscard]] std::optional<std::uint32_t> handled(std::string_view account,
                                                       std::string_view token) const {
        for (const Ended& one : ended_) {
            if (one.token == token && one.account == account) return one.handled;
        }
        return std::nullopt;
    }

private:
    struct Ended {
        std::string account, token;
        std::uint32_t handled = 0;
    };
    std::deque<Ended> ended_;
};
inline constexpr Slot<EndedSessions> ended_sessions_slot{"ended sessions"};

}  // namespace causeway
