// SeenMessages: the messages of other domains that this shard has lately taken over. A server sends
// a message again if its stream broke; it is then not shown twice. The sending server's stanza-id
// (XEP-0359) names the message. Bounded: the oldest are forgotten first.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "gateway/session/ledger.h"

namespace causeway {

class SeenMessages {
public:
    /// How many are remembered: what a peer may have under way, several times over.
    static constexpr std::size_t capacity = 16384;

    /// What two copies of one message have in common.
    struct Message {
        std::string_view sender, recipient;  ///< full addresses
        std::string_view id;                 ///< that the sender's server gave it
        std::string_view content;
    };
    /// The key of a message: `secret` keeps others from making up two that are alike.
    static std::uint64_t key(std::string_view secret, const Message& message);

    /// The Ledger's entry of the first copy (0: none was needed); nullopt if there was no copy.
    [[nodiscard]] std::optional<HoldId> find(std::uint64_t key) const;
    void note(std::uint64_t key, HoldId hold);

private:
    std::unordered_map<std::uint64_t, HoldId> holds_;
    std::deque<std::uint64_t> order_;
};

}  // namespace causeway
