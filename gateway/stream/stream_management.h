// StreamManagement: the bookkeeping of XEP-0198 on one side of one session: how many stanzas came
// and which of them are not safe yet, which of those that were sent are not acknowledged, which
// questions (<r/>) are open, and the token to resume with. It writes nothing: the owner sends what
// it says. Counters wrap at 2^32 (§4), so distances are compared, never values. Owner: a session;
// it lives on that session's shard.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/session/ledger.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

/// The number that an `h` of the peer is; nullopt if it is none.
[[nodiscard]] std::optional<std::uint32_t> stanza_count(std::string_view text);

class StreamManagement {
public:
    /// A stanza that was sent and is not acknowledged.
    struct Sent {
        PacketRef packet;
        HoldId hold = 0;
        /// It answers a request of the peer; see answer_bytes().
        bool answer = false;
        UnixMillis at = 0;  ///< when it was given to the session; 0: it does not matter
    };
    /// What an `h` of the peer says.
    enum class Acknowledged : unsigned char {
        something,  ///< stanzas that were not acknowledged before
        nothing,    ///< what was known: the same number once more, or an older one
        too_much,   ///< more than was sent
    };

    // ---- stanzas that came ----
    /// Counts a stanza, which is open until settle() is called with the number returned.
    std::uint32_t receive();
    /// The stanza is safe. False if it was not open, or more is expected for it.
    bool settle(std::uint32_t number);
    // What the stream's record in the store says of it (gateway/session/stream_records.h). The peer
    // is told no `h` that the record does not have: the next process could not go on from it.
    /// The stream has a record, in which everything up to `number` is noted.
    void keep_record() { record_ = Record::kept; }
    /// That the open stanza of that number is safe is noted with what made it safe.
    void note(std::uint32_t number);
    /// That everything up to that number is safe is noted.
    void note_up_to(std::uint32_t number);
    /// Whether the record has handled().
    [[nodiscard]] bool noted() const;
    /// An answer is due but for the record, or much has come since the record was written.
    [[nodiscard]] bool wants_note() const;
    /// The stanza, which is open, takes one more settle().
    void expect_again(std::uint32_t number);
    /// Stanzas counted that are not safe yet.
    [[nodiscard]] std::size_t open() const { return open_.size(); }
    /// The `h` to tell the peer: everything up to that number is safe.
    [[nodiscard]] std::uint32_t handled() const {
        return open_.empty() ? received_ : open_.front() - 1;
    }
    /// The peer asks (<r/>). Its question is answered once all that came before it is safe.
    void peer_asks();
    /// The `h` of the <a/> that is due now, if one is. The oldest question is answered first: a
    /// peer that asks all the time would otherwise never get an answer. The others are answered
    /// later.
    [[nodiscard]] std::optional<std::uint32_t> take_answer();

    // ---- stanzas that are sent ----
    void sent(Sent stanza);
    /// A copy of the message with that number was sent: the ledger waits for that. False: the peer
    /// has acknowledged it.
    bool hold_for_copy(std::uint64_t number, HoldId hold);
    /// Takes an `h` of the peer. Stanzas that are acknowledged by it are moved to `done`.
    Acknowledged acknowledge(std::uint32_t h, std::vector<Sent>& done);
    /// Whether an <r/> is to be sent now: something matters or has become much, and no question is
    /// open.
    [[nodiscard]] bool should_ask() const;
    void asked() { question_ = Question::open; }
    /// Oldest first.
    [[nodiscard]] const std::deque<Sent>& unacknowledged() const { return unacknowledged_; }
    /// Everything that is not acknowledged, which is over: the session has ended.
    [[nodiscard]] std::deque<Sent> take_unacknowledged();
    /// Stanzas sent that the peer has acknowledged, in all.
    [[nodiscard]] std::uint32_t confirmed() const {
        return sent_ - static_cast<std::uint32_t>(unacknowledged_.size());
    }
    /// Stanzas sent in all; the `send-count` of an error.
    [[nodiscard]] std::uint32_t sent_count() const { return sent_; }
    /// Memory for stanzas that are not acknowledged: their bytes, and something for each.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// The part of it that the peer asked for.
    [[nodiscard]] std::size_t answer_bytes() const { return answer_bytes_; }

    /// The stream is gone: no question is open any more, in either direction.
    void interrupted();

    // ---- resumption ----
    void allow_resumption(std::string token) { token_ = std::move(token); }
    [[nodiscard]] bool resumable() const { return !token_.empty(); }
    /// By which a client resumes the session; empty if that is not possible.
    [[nodiscard]] const std::string& token() const { return token_; }

    /// Goes on where an earlier process stopped: stanzas handled, and acknowledged by the peer.
    void go_on(std::uint32_t handled, std::uint32_t acknowledged);

    /// Stanzas that are safe and not noted, after which a note is wanted although nobody asks.
    static constexpr std::size_t note_after = 256;
    /// What one stanza costs beside its bytes.
    static constexpr std::size_t overhead = 64;
    /// Stanzas after which an <r/> is due although no sender waits for an acknowledgement.
    static constexpr std::size_t ask_after = 20;

private:
    enum class Question : unsigned char {
        none,
        open,       ///< not answered yet
        fruitless,  ///< answered with nothing new: the next stanza that is sent asks again
    };
    [[nodiscard]] static std::size_t cost(const Sent& stanza) {
        return stanza.packet->bytes().size() + overhead;
    }

    enum class Record : unsigned char { none, kept };
    [[nodiscard]] bool answer_due() const;

    Record record_ = Record::none;
    std::vector<std::uint32_t> noted_;    ///< open ones that are noted
    std::vector<std::uint32_t> unnoted_;  ///< safe ones that are not; rising
    std::uint32_t received_ = 0;
    std::deque<std::uint32_t> open_;    ///< rising
    std::vector<std::uint32_t> again_;  ///< of the open ones: what takes one more settle()
    Question peer_question_ = Question::none;
    std::uint32_t answer_at_ = 0;  ///< the peer's oldest question waits for this number
    std::uint32_t asked_at_ = 0;   ///< and its newest for this
    std::uint32_t sent_ = 0;
    std::deque<Sent> unacknowledged_;
    std::size_t bytes_ = 0;
    std::size_t answer_bytes_ = 0;
    std::size_t held_ = 0;  ///< stanzas not acknowledged for which the ledger waits
    Question question_ = Question::none;
    std::string token_;
};

}  // namespace causeway
