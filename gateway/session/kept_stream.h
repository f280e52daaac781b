// KeptStream: what the store has of a client stream of an earlier process (stream_records.h), read
// so that its session can go on (XEP-0198 §5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/session/missed.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

/// What is longer is no token that we gave: it is not looked for.
inline constexpr std::size_t longest_stream_token = 64;

/// What a session is, apart from what it sends and receives.
struct StreamState {
    std::string resource = {};
    std::string token_hash = {};  ///< of what the client resumes it by
    bool interested = false;
    bool unseen = false;  ///< its account took no part in presence
    bool gone = false;    ///< its process ended in good order: everybody was told that it is gone
    std::uint64_t process = 0;               ///< in which it is: Shared::first_id; 0: not known
    std::string presence = {};               ///< as it was sent; empty: not available
    std::vector<std::string> directed = {};  ///< whom it sent presence to
    std::vector<std::pair<std::string, std::string>> of_features = {};

    [[nodiscard]] std::string text() const;
    /// nullopt: that is no such text.
    [[nodiscard]] static std::optional<StreamState> parse(std::string_view text);
};

struct KeptStream {
    std::uint64_t id = 0;
    StreamState state;
    /// Every stanza of the client up to that number is handled.
    std::uint32_t handled = 0;
    /// Messages beyond it that are safe, with their fingerprints.
    std::map<std::uint32_t, std::uint64_t> safe;
    /// Messages that another server may send again although they are safe: it counts on from
    /// `handled`, so each comes with a number up to the one given here, and only the fingerprint
    /// says which it is.
    std::vector<std::pair<std::uint32_t, std::uint64_t>> repeats;
    /// Messages that were sent to the client: number of the stanza, row.
    std::vector<std::pair<std::uint32_t, std::uint64_t>> sent;
    /// Likewise copies of messages that went elsewhere: number of the stanza, row in the archive.
    std::vector<std::pair<std::uint32_t, std::uint64_t>> copies;
    std::vector<std::string> note_keys;  ///< the entries with its notes
    /// What was still to be sent when the process ended: that it had missed of an earlier one.
    Missed missed;
    /// Where the next process began; 0: unknown.
    std::uint64_t left_at = 0;

    /// A server goes on counting from `handled`, whatever was safe beyond it: that is known by its
    /// fingerprint alone from now on.
    void count_from_handled();
    /// The notes that say the same.
    [[nodiscard]] std::string notes() const;
};

/// What a client that has the first `h` stanzas of the stream has of what it was sent: rows.
struct Reached {
    std::vector<std::uint64_t> messages = {};
    std::vector<std::uint64_t> copies = {};
    Missed missed = {};  ///< and what it has not
};
[[nodiscard]] Reached reached_by(const KeptStream& stream, std::uint32_t h);

/// What a message of another server has in common with the same message when it is sent again: the
/// id that the sender's server gave it (XEP-0359). 0, and it is never taken for another: it has
/// none.
[[nodiscard]] std::uint64_t server_fingerprint(const Stanza& message);
[[nodiscard]] std::uint64_t server_fingerprint(const Packet& message);

/// An id that no stream of another process has.
[[nodiscard]] std::uint64_t random_stream_id();
/// A new token for a stream with that id: by it the client resumes the session.
[[nodiscard]] std::string make_stream_token(std::uint64_t stream);
[[nodiscard]] std::string hash_of_token(std::string_view token);
/// All streams among the entries of an account.
[[nodiscard]] std::vector<KeptStream> kept_streams(const std::vector<MapEntry>& entries);
/// The stream that `token` resumes among the entries of an account; nullopt if there is none.
[[nodiscard]] std::optional<KeptStream> find_kept_stream(const std::vector<MapEntry>& entries,
                                                         std::string_view token);

}  // namespace causeway
