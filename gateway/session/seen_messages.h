// SeenMessages: the messages of other domains that this shard has lately taken over. A server sends
// a message again if its stream broke; it is then not shown twice. The sending server's stanza-id
// (XEP-0359) names the message.
//
// A server that is killed may forget a message that it had just sent to us: its client then sends
// it again, and it comes with another stanza-id. So what came shortly before a stream of that
// server broke, and was not resumed, or ended with an error, is also known by what the client gave:
// sender, recipient, id and content. Bounded: the oldest are forgotten first.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "gateway/session/ledger.h"

namespace causeway {

struct Shared;

class SeenMessages {
public:
    /// How many are remembered: what a peer may have under way, several times over.
    static constexpr std::size_t capacity = 16384;
    /// What came longer before the stream broke is not taken for what its server had under way.
    static constexpr Duration before_the_break{60'000};
    /// After a break, and after a start: how long it is looked for.
    static constexpr Duration lately{300'000};

    /// What two copies of one message have in common.
    struct Message {
        std::string_view sender, recipient;  ///< full addresses
        std::string_view client_id;          ///< empty: by that it is not known
        std::string_view server_id;          ///< that the sender's server gave it
        std::string_view content;            ///< without the latter
    };
    /// Of a message that came from another server, or stands in an archive; none if neither that
    /// server nor the client gave it an id. Asks nobody whether that server does so to all of its
    /// messages.
    static RepeatKeys keys_of(std::string_view secret, const Stanza& message);
    /// The keys of a message: `secret` keeps others from making up two that are alike.
    static RepeatKeys keys(std::string_view secret, const Message& message);

    /// Another copy comes: the Ledger's entry of the first one (0: none was needed); nullopt if
    /// there was none.
    [[nodiscard]] std::optional<HoldId> find(const RepeatKeys& keys, TimePoint now);
    /// The account takes the message over, under that entry of the Ledger.
    void note(const RepeatKeys& known_by, TimePoint now, HoldId hold);
    /// It was refused, and its sender told so: its client may send it again.
    void forget(const RepeatKeys& keys);

    // What a process that was killed had seen stands in the archives of its accounts.

    /// How many pages of an account's archive are asked for.
    static constexpr unsigned pages_before_start = 5;

    /// What to ask the archive of an account that is loaded soon after a start; nullopt later.
    [[nodiscard]] static std::optional<ArchiveQuery> before_start(const Shared& shared,
                                                                  std::string_view owner);
    /// What to ask behind the answer to `asked`; nullopt: that was enough.
    [[nodiscard]] static std::optional<ArchiveQuery> before_page(ArchiveQuery asked,
                                                                 const ArchivePage& page);
    /// Notes what the archive answered.
    void note(const Hub& hub, const ArchivePage& page);

private:
    struct FirstCopy {
        HoldId hold = 0;
        TimePoint came{};
        TimePoint broke{};               ///< when a stream had broken last by then
        std::uint64_t by_server_id = 0;  ///< 0: it has none
    };

    std::unordered_map<std::uint64_t, HoldId> by_server_id_;
    std::unordered_map<std::uint64_t, FirstCopy> by_client_id_;
    std::deque<RepeatKeys> order_;
};

}  // namespace causeway
