// AwaitedSessions: sessions of an account that an earlier process left and that may come back
// (XEP-0198 §5). Their clients may have what they were sent, and say so when they are back: till
// then it is given to no other session, as what is on its way to a client whose connection broke.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/feature/slots.h"
#include "gateway/session/kept_stream.h"

namespace causeway {

class Account;

class AwaitedSessions final : public SlotState {
public:
    explicit AwaitedSessions(const std::vector<KeptStream>& kept);

    /// Whether one that may still come back was sent that row.
    [[nodiscard]] bool were_sent(const Account& account, std::uint64_t row) const;
    /// That one does not come back. False: it was not known.
    bool give_up(std::uint64_t stream);

private:
    struct Session {
        std::uint64_t stream;
        std::string resource;
        std::vector<std::uint64_t> rows;  ///< rising

        /// It is not back, and no other session has taken its place.
        [[nodiscard]] bool may_come_back(const Account& account) const;
    };

    std::vector<Session> sessions_;
};

/// Of an account, while there is time to come back; none: not known yet.
inline constexpr Slot<AwaitedSessions> awaited_sessions_slot{"awaited sessions"};

}  // namespace causeway
