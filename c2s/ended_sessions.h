// EndedSessions: how much was handled of what the clients of sessions sent that cannot be resumed
// any more. Whoever comes too late with <resume/> is told, and does not send it again in a new
// session (XEP-0198 §5). One for each shard, in a slot of its hub.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
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
        // A token that is there already is of a session that ended twice: the later word holds.
        const auto [known, is_new] =
            by_token_.insert_or_assign(std::move(token), Ended{std::string(account), handled});
        if (!is_new) return;
        oldest_first_.push_back(&known->first);
        if (oldest_first_.size() <= at_most) return;
        by_token_.erase(by_token_.find(*oldest_first_.front()));
        oldest_first_.pop_front();
    }
    [[nodiscard]] std::optional<std::uint32_t> handled(std::string_view account,
                                                       std::string_view token) const {
        const auto found = by_token_.find(token);
        if (found == by_token_.end() || found->second.account != account) return std::nullopt;
        return found->second.handled;
    }

private:
    struct Ended {
        std::string account;
        std::uint32_t handled = 0;
    };
    /// An element stays where it is while others come and go.
    std::map<std::string, Ended, std::less<>> by_token_;
    std::deque<const std::string*> oldest_first_;
};
inline constexpr Slot<EndedSessions> ended_sessions_slot{"ended sessions"};

}  // namespace causeway
