// SeenMessages: the messages of other domains that this shard has lately taken over. A server sends
// a message again if its stream broke; it is then not shown twice. The sending server's stanza-id
// (XEP-0359) names the message.
//
// A server that is killed may forget a message that it had just sent to us: its client then sends
// it again, and it comes with another stanza-id. So what came shortly before a stream of that
// server broke is also known by what the client gave: sender, recipient, id and content. Bounded:
// the oldest are forgotten first.
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
    /// What came longer before the stream broke is not taken for what its server had under way.
    static constexpr Duration before_the_break{60'000};

    /// What two copies of one message have in common.
    struct Message {
        std::string_view sender, recipient;  ///< full addresses
        std::string_view client_id;          ///< empty: by that it is not known
        std::string_view server_id;          ///< that the sender's server gave it
        std::string_view content;            ///< without the latter
    };
    /// The keys of a message: `secret` keeps others from making up two that are alike.
    static RepeatKeys keys(std::string_view secret, const Message& message);

    /// The Ledger's entry of the first copy (0: none was needed); nullopt if there was no copy.
    [[nodiscard]] std::optional<HoldId> find(const RepeatKeys& keys);
    void note(const RepeatKeys& keys, TimePoint now, HoldId hold);

private:
    struct FirstCopy {
        std::uint64_t by_server_id = 0;
        TimePoint came{};
    };
    void remember(const RepeatKeys& keys, HoldId hold);

    std::unordered_map<std::uint64_t, HoldId> holds_;  ///< by by_server_id
    std::unordered_map<std::uint64_t, FirstCopy> by_client_id_;
    std::deque<RepeatKeys> order_;
};

}  // namespace causeway
