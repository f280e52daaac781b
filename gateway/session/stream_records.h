// StreamRecords: what streams that can be resumed leave in the store, those of clients and those of
// other servers, so that the end of the process is to them a break like any other (XEP-0198 §5).
// Per stream the store has its state, which the session writes (kept_stream.h reads it), and notes:
// which stanzas of the client are handled, and which messages were sent to it under which number. A
// note stands in the same batch as what makes it true, so both are durable or neither is.
//
// The notes of one shard about one stream stand in chunks, each an entry of a Map store that is
// written anew with every note until it is full, and erased when all in it is past:
//
//   h N      every stanza of the client up to N is handled
//   d N F    the message that was its stanza N, with fingerprint F, is safe
//   u N      it is not: it could not be stored, and is tried again
//   r N F    a message with fingerprint F is safe; if it comes again, then before stanza N + 1
//   s N ROW  the message that waits under that row was sent to the client as stanza N
//   c N ROW  a copy of the message that is archived under that row was, and nothing waits for it
//
// One more entry has what a session of an earlier process has missed and is still to be sent
// (missed.h):
//
//   m 0 ROW  a message that it was sent
//   k 0 ROW  a message of which it was sent a copy
//   w W A B  what came between those ids, while it was away (0) or taking the rest (1)
//
// One StreamRecords per shard: a message is safe on its recipient's shard, and noted there.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/feature/acknowledgement.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

struct Hub;
struct KeptStream;

class StreamRecords {
public:
    /// The Map store; owners are bare JIDs, or domains of other servers; keys begin with the
    /// stream's id.
    static constexpr std::string_view store = Store::of_the_moment;
    /// Notes in one chunk.
    static constexpr std::size_t chunk_notes = 64;
    /// Chunks of one stream on one shard: the oldest is given up for a new one. What is noted there
    /// may come twice after a restart.
    static constexpr std::size_t chunks_at_most = 256;

    explicit StreamRecords(Hub& hub) : hub_(hub) {}

    /// What failed before is written again in batches of about that size.
    static constexpr std::size_t again_bytes = 512U << 10U;
    /// Streams that have ended and are remembered as such.
    static constexpr std::size_t ended_at_most = 1024;

    /// Names what the next commit writes.
    using Round = std::uint64_t;

    // ---- from a stream's session, on its shard ----

    /// The stream has a record from now on. `owner`: the account.
    void begin(std::uint64_t stream, std::string_view owner);
    /// It has one of an earlier process: the next commit replaces its chunks by one.
    void go_on(const KeptStream& kept, std::string_view owner);
    /// Its state; if it changed it is written with the next commit, within a second.
    void set_state(std::uint64_t stream, std::string value);
    /// What it is still to be sent of what it missed; empty: nothing. Written likewise.
    void set_missed(std::uint64_t stream, std::string notes);
    /// Notes `h`, to be written with this turn; the session hears written().
    Round handled(std::uint64_t stream, std::uint32_t number);
    /// Notes `s`, or for a `copy` `c`, likewise.
    Round sent(std::uint64_t stream, std::uint32_t number, std::uint64_t row, bool copy = false);
    /// What could not be written is tried again with that round, within a second.
    Round again();
    /// The client has acknowledged up to that number.
    void acknowledged(std::uint64_t stream, std::uint32_t number);
    /// The session has ended: all shards erase what they have of it.
    void forget(std::uint64_t stream, const std::string& owner);
    /// Whether that commit is over.
    [[nodiscard]] bool over(Round round) const { return round <= over_; }
    /// The stream is one of this process, or was.
    [[nodiscard]] bool known(std::uint64_t stream) const;
    /// Erases entries of `owner` that an earlier process left and nobody came for.
    void erase_left(const std::string& owner, const std::string& key);

    // ---- from the ledger ----

    /// Notes `d`, for the batch that makes the message safe, and says so in the ticket.
    void done(AcknowledgementTicket& ticket, const Packet& packet);
    /// That batch failed, and the message is tried again.
    void undone(AcknowledgementTicket& ticket);
    /// Something is to be written, with the next commit.
    [[nodiscard]] bool pending() const {
        return !dirty_.empty() || !again_.empty() || !erased_.empty();
    }
    /// Somebody waits for it: it needs a commit of its own if there is no other.
    [[nodiscard]] bool urgent() const { return urgent_; }
    /// It has waited for another commit long enough.
    void hurry() { urgent_ = pending(); }
    /// Adds what is to be written to a batch, which is about to be committed.
    Round write(Batch& batch);
    /// That batch is durable, or failed.
    void written(Round round, const Outcome& outcome);

    /// What a client's message has in common with the same message when it is sent again: 0, and
    /// its number alone counts, if it has no id.
    [[nodiscard]] static std::uint64_t fingerprint(const Jid& to, std::string_view id);
    /// The same of what another server sends; `id` as server_fingerprint() finds it.
    [[nodiscard]] static std::uint64_t fingerprint(const Jid& from, const Jid& to,
                                                   std::string_view id);

private:
    struct Chunk {
        std::string notes;
        std::size_t count = 0;
        std::uint32_t sent = 0;  ///< the highest of `s` and `c`
        std::uint64_t row = 0;   ///< likewise
        TimePoint noted{};       ///< the last of them
        std::uint32_t done = 0;  ///< the highest of `d`
        bool written = true;     ///< the store has it as it is
    };
    /// An entry that is written anew when it changes.
    struct Text {
        std::string text;
        bool written = true;
    };
    struct Record {
        std::string owner;
        std::deque<Chunk> chunks;
        std::uint64_t first = 0;  ///< the number of the first chunk
        Text state;               ///< empty on the shards that are not its session's
        Text missed;              ///< likewise
        std::uint32_t handled = 0;
        std::uint32_t acknowledged = 0;
        bool dirty = false;
    };

    using Keys = std::vector<std::pair<std::string, std::string>>;  ///< owner and key
    struct UnderWay {
        enum class Answer : unsigned char { none, durable, failed };
        Round round;
        Answer answer = Answer::none;
        std::vector<std::uint64_t> streams;
        Keys erased;
    };

    void set(std::uint64_t stream, Text Record::*which, std::string text);
    void write(Batch& batch, std::uint64_t stream);
    void close(UnderWay done);
    Chunk& note(std::uint64_t stream, Record& record, std::string_view text);
    void mark(std::uint64_t stream, Record& record);
    void erase_past(std::uint64_t stream, Record& record);
    [[nodiscard]] bool past(const Record& record, const Chunk& chunk) const;
    [[nodiscard]] bool may_wait_again(const Chunk& chunk) const;
    void drop(std::uint64_t stream);
    [[nodiscard]] std::string chunk_key(std::uint64_t stream, std::uint64_t chunk) const;

    Hub& hub_;
    std::unordered_map<std::uint64_t, Record> records_;
    std::vector<std::uint64_t> dirty_;
    std::vector<std::uint64_t> again_;  ///< of rounds that failed; nobody waits for them
    Keys erased_;
    std::deque<std::uint64_t> ended_;
    bool urgent_ = false;
    Round next_ = 1;
    Round over_ = 0;
    std::deque<UnderWay> under_way_;
};

/// The key of a stream's state, and the beginning of all its keys.
[[nodiscard]] std::string stream_state_key(std::uint64_t stream);
[[nodiscard]] std::string stream_key_prefix(std::uint64_t stream);

}  // namespace causeway
