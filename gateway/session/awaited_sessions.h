// AwaitedSessions: sessions of an account that an earlier process left and that may come back
// (XEP-0198 §5). To others they are there, as one whose connection broke. Their clients may have
// what they were sent, and say so when they are back: till then it is given to no other session.
// And what comes for one of them alone, and is stored nowhere, waits here: rooms' messages and
// answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/feature/slots.h"
#include "gateway/session/kept_stream.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

class Account;

/// Bytes that wait for sessions of all accounts of a shard.
struct HeldForAwaited final : SlotState {
    static constexpr std::size_t at_most = 32U << 20U;
    std::size_t bytes = 0;
};
/// Of the shard.
inline constexpr Slot<HeldForAwaited> held_for_awaited_slot{"held for awaited sessions"};

class AwaitedSessions final : public SlotState {
public:
    /// What waits for one of them; more is refused or dropped, as if it were not awaited.
    static constexpr std::size_t held_at_most = 200;
    static constexpr std::size_t held_bytes_at_most = 512U << 10U;

    /// `all` outlives it.
    AwaitedSessions(HeldForAwaited& all, const std::vector<KeptStream>& kept);
    AwaitedSessions(const AwaitedSessions&) = delete;
    AwaitedSessions& operator=(const AwaitedSessions&) = delete;
    ~AwaitedSessions() override;

    /// Whether one that may still come back was sent that row.
    [[nodiscard]] bool were_sent(const Account& account, std::uint64_t row) const;
    /// Whether that resource is one of theirs.
    [[nodiscard]] bool has(const Account& account, std::string_view resource) const;
    /// False: it is not for one of them, or too much waits.
    bool hold(const Account& account, const PacketRef& packet);
    using Packets = std::vector<PacketRef>;
    /// That one is back, or does not come back: what waited for it. nullopt: it was not known.
    [[nodiscard]] std::optional<Packets> take(std::uint64_t stream);
    /// None of them comes back: what waited for them.
    [[nodiscard]] Packets take_all();
    /// Something waits for one of them.
    [[nodiscard]] bool holding() const;

private:
    struct Session {
        std::uint64_t stream;
        std::string resource;
        std::vector<std::uint64_t> rows;  ///< rising
        Packets held = {};
        std::size_t held_bytes = 0;

        /// It is not back, and no other session has taken its place.
        [[nodiscard]] bool may_come_back(const Account& account) const;
    };

    HeldForAwaited& all_;
    std::vector<Session> sessions_;
};

/// Of an account, while there is time to come back; none: not known yet.
inline constexpr Slot<AwaitedSessions> awaited_sessions_slot{"awaited sessions"};

}  // namespace causeway
