// HeldPresence: presence for a client that has too much to take already. Only the latest of each
// sender is kept, in the order in which those came. Owner: a ClientSession.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/xmpp/packet.h"

namespace causeway {

class HeldPresence {
public:
    /// Whether a later one says all that this says: available or unavailable, and not of a room,
    /// whose presence also tells what happened (XEP-0045).
    [[nodiscard]] static bool can_wait(const Packet& packet);

    /// Keeps it, in place of an older one of the same sender.
    void put(PacketRef packet);
    /// The one that has waited longest; nullptr if none is left.
    [[nodiscard]] PacketRef take_oldest();
    /// All of that bare address, oldest first: what is sent next must not overtake them
    /// (RFC 6120 §10.1).
    [[nodiscard]] std::vector<PacketRef> take_from(const Jid& sender);

    [[nodiscard]] bool empty() const { return by_age_.empty(); }
    [[nodiscard]] std::size_t size() const { return by_age_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// What one costs beside its bytes.
    static constexpr std::size_t overhead = 256;

private:
    using Senders = std::map<std::string, std::uint64_t, std::less<>>;
    PacketRef take(std::map<std::uint64_t, PacketRef>::iterator at);

    std::map<std::uint64_t, PacketRef> by_age_;
    Senders by_sender_;  ///< full address: its key in by_age_
    std::uint64_t next_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace causeway
