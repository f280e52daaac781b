// RemotePair: what one of our domains has to say to one other domain. Where that domain has opened
// a bidirectional stream to us, it goes on that one (XEP-0288). Where another of our domains with
// the same certificate has a stream to that domain, it asks to share that one; otherwise it opens
// its own. A pair that has a stream stays with it while it lasts, so that nothing is overtaken.
// Owner: the ServerLink of the remote domain.
//
// While a first attempt runs, stanzas wait in memory. If it fails for now, messages and
// subscriptions go to the store (StoredQueue) and are tried again, with growing pauses, until they
// expire; the rest gets its error or is dropped. If it fails for good, every waiting stanza gets
// one error with the cause. As long as anything is in the store, what follows goes behind it, so
// that order is kept.
//
// A message is not forgotten when it is written, but when the peer has acknowledged it, or answered
// a ping behind it (Confirmations). A stream that breaks before gives such messages back to the
// store, unless it can be resumed at once (Interruption).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "gateway/session/hub.h"
#include "s2s/awaited_answers.h"
#include "s2s/carrier.h"
#include "s2s/confirmations.h"
#include "s2s/dropped_unavailable.h"
#include "s2s/interruption.h"
#include "s2s/outgoing_stream.h"
#include "s2s/stored_queue.h"
#include "s2s/suspects.h"

namespace causeway {

class IncomingStream;
class ServerLink;

/// For listings.
struct PairReport {
    std::string local, remote;
    std::string state =
        {};  ///< "idle", "resolving", "connecting", "negotiating", "established", "waiting"
    std::string authentication = {};
    std::string tls_version = {}, tls_cipher = {};
    std::string target = {}, address = {};
    std::string last_error = {};
    UnixMillis last_error_at = 0, since = 0, next_retry = 0;
    std::uint64_t in_memory = 0, attempts = 0;
    std::vector<TargetOutcome> targets = {};  ///< of its stream, or of the last attempt
    bool both_ways = false;                   ///< its own stream carries the peer's stanzas as well
};

class RemotePair final : private OutgoingOwner,
                         private StoredQueue::Owner,
                         private Confirmations::Owner,
                         private AwaitedAnswers::Owner,
                         private Interruption::Visitor,
                         private TimerTarget {
public:
    static constexpr std::string_view store_name = StoredQueue::store_name;
    static std::string queue_owner(std::string_view remote, std::string_view local) {
        return StoredQueue::queue_owner(remote, local);
    }

    /// `asked_by`: the account whose stanza made it; empty if none did.
    RemotePair(Hub& hub, ServerLink& link, std::string local, std::string remote,
               std::string asked_by);
    RemotePair(const RemotePair&) = delete;
    RemotePair& operator=(const RemotePair&) = delete;
    ~RemotePair();

    void send(PacketRef packet, AcknowledgementTicket ticket);
    /// Something of an earlier run of the process may be stored: what is sent goes behind it.
    void look_into_store() { (void)stored_.found(0, 0); }
    /// Something of an earlier run of the process is stored.
    void resume_stored(std::size_t rows, std::size_t bytes);
    /// Stored rows expired and were erased.
    void expired(std::size_t rows, std::size_t bytes);
    /// The peer answered a request (iq), on whatever stream. False: too late, who asked has been
    /// told that there is no answer.
    [[nodiscard]] bool answered(const Jid& from, const Jid& to, std::string_view id) {
        return answers_.answered(from, to, id);
    }
    /// The peer reached us, so we may reach it: ends the pause, and forgets why an attempt failed
    /// for good.
    void peer_is_back();
    /// Whether presence for contacts there was dropped since the last call.
    [[nodiscard]] bool take_presence_lost() {
        return std::exchange(attempts_.presence_lost, false);
    }
    /// Tries now, whatever the pause (control socket).
    void retry();
    /// Closes its own stream, also for those that share it; what waits stays. False if there is
    /// none.
    bool close();
    /// Call it before streams are destroyed that the pair may share.
    void leave_shared_stream() {
        if (own_stream_ == nullptr) leave_stream();
    }
    /// The control socket dropped the stored rows.
    void dropped() { stored_.dropped(); }
    /// The peer's stream to us broke: is it still there?
    void look_whether_there();
    /// The pair may send on this stream, which the peer opened.
    void way_back_opened(IncomingStream& stream);
    /// Stanzas that were sent on the stream of that token, which broke and which the peer may
    /// resume.
    [[nodiscard]] std::optional<std::uint32_t> sent_before(std::string_view token) const;

    /// Waits until another pair's attempt has ended (ServerLink::comes_later).
    [[nodiscard]] bool following() const { return state_ == State::following; }
    /// Begins its own attempt, or asks to share a stream.
    void go_on() { connect(); }
    /// The attempt that it waited for failed: so would its own.
    void give_up_following(const Outcome& why);
    /// An attempt of its own is under way, or a stream is there to share.
    [[nodiscard]] bool opening() const { return state_ == State::connecting; }
    [[nodiscard]] bool joining() const { return state_ == State::joining; }

    /// Its stream is there and is not being closed.
    [[nodiscard]] bool established() const { return state_ == State::up && stream_->takes(); }
    /// Its own stream, open, if another domain of ours may be proven on it; nullptr otherwise.
    [[nodiscard]] OutgoingStream* stream_to_share(std::string_view local) const {
        return own_stream_ != nullptr && own_stream_->can_share(local) ? own_stream_.get()
                                                                       : nullptr;
    }
    [[nodiscard]] bool is_shared() const { return own_stream_ != nullptr && own_stream_->shared(); }
    /// It has, or is opening, a stream of its own, which is not being closed.
    [[nodiscard]] bool has_own_stream() const {
        return own_stream_ != nullptr && (state_ == State::connecting || established());
    }
    /// That stream is of no use at the moment: it can be closed, and opened again when it is.
    [[nodiscard]] bool may_rest() const {
        return own_stream_ != nullptr && established() && written_.empty() && memory_.empty() &&
               !is_shared();
    }
    /// Something was written that the peer has not confirmed yet and will confirm.
    [[nodiscard]] bool awaits_answer() const {
        return state_ == State::up && written_.answer_is_due();
    }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] const std::string& local() const { return local_; }
    [[nodiscard]] PairReport report() const;
    [[nodiscard]] const std::string& last_error() const { return last_error_.why; }
    /// The account whose stanza made it, until it is up for the first time.
    [[nodiscard]] const std::string& asked_by() const { return asked_by_; }
    [[nodiscard]] TimePoint last_used() const { return last_used_; }
    /// Nothing to say and nothing to remember.
    [[nodiscard]] bool forgettable() const;
    /// It waits for its next attempt.
    [[nodiscard]] bool pausing() const { return state_ == State::waiting; }
    /// It has no stream, nor is one on the way.
    [[nodiscard]] bool at_rest() const { return state_ == State::idle || pausing(); }
    /// The next attempt has a time.
    [[nodiscard]] bool attempt_is_set() const { return attempts_.next != 0; }

private:
    enum class State : unsigned char {
        idle,
        connecting,  ///< its own stream is on the way
        joining,     ///< the peer was asked to take it on another pair's stream
        following,   ///< another pair's attempt comes first: its stream may do for both
        expecting,   ///< a stream of the peer may carry it in a moment
        up,
        waiting,  ///< for the next attempt; what has to be answered may wait in memory for that
    };
    struct Waiting {
        PacketRef packet;
        HoldId hold = 0;
    };
    enum Timers : std::uint32_t { attempt_due, idle_check, joining_late, expecting_late };
    struct Attempts {
        unsigned count = 0;  ///< that failed, in a row
        TimePoint last{};
        UnixMillis next = 0;  ///< 0: none is set
        /// When a stream ended, while no attempt has failed since. Zero: none did.
        TimePoint lost_at{};
        /// If an established stream breaks, the next attempt does not wait.
        bool next_at_once = true;
        /// When presence for contacts there, or a probe, was last sent or dropped: for a while the
        /// domain is to be reached again even if nothing waits. Zero: never.
        TimePoint presence_at{};
        /// When the peer last used our stream, which carries its stanzas as well: it may have no
        /// other way to us. Zero: never.
        TimePoint peer_used_at{};
        /// Some of it was dropped: contacts are to be asked and told again when the domain is
        /// reached.
        bool presence_lost = false;
    };
    struct LastError {
        std::string why;
        UnixMillis at = 0;
    };

    // OutgoingOwner
    void on_ready(Carrier& stream) override;
    void on_stopped(Carrier& stream, const Outcome& why) override;
    void on_peer_element(OutgoingStream&, Element&, Arena&) override {}
    void on_peer_error(OutgoingStream&) override { own_stream_broke(); }
    void on_stream_writable(Carrier& stream) override;
    void on_acknowledged(Carrier& stream, std::span<const StreamManagement::Sent> done) override;
    void on_peer_stanza(Carrier& stream) override;
    // StoredQueue::Owner
    [[nodiscard]] bool takes_stored() const override;
    void write_stored(const PacketRef& packet, HoldId hold, std::uint64_t row) override;
    void refuse_stored(const Packet& packet, const Outcome& why) override { bounce(packet, why); }
    [[nodiscard]] std::optional<std::string> why_delayed() const override;
    // Confirmations::Owner
    void send_ping(const Jid& from, const std::string& id) override;
    void confirmed(std::size_t count) override;
    void peer_is_silent() override;
    void peer_cannot_answer() override;
    // AwaitedAnswers::Owner
    void no_answer(const Packet& request) override;
    void asked_again(const Packet& request) override;
    [[nodiscard]] bool stream_may_go_on() const override;
    // Interruption::Visitor
    void has(const Confirmations::Written& written) override;
    void send_again(const Confirmations::Written& written) override;
    void send_again_in_passing(const PacketRef& packet) override { write(packet, 0, false); }
    /// Others may have sent on that stream as well; the next one is not theirs.
    void lost(const Packet& packet) override {
        if (packet.from().domain() == local_ && packet.to().domain() == remote_) {
            unavailable_.lost(packet);
        }
    }

    void on_timer(std::uint32_t which) override;
    void confirm(std::size_t count);
    void become(State state);
    void connect();
    void open_stream();
    [[nodiscard]] bool peers_stream_is_open() const;
    bool go_on_peers_stream();
    void expect_peer();
    void peer_did_not_come();
    void leave_stream();
    void abandon_stream();
    void own_stream_broke();
    void wait_for_next_attempt();
    void look_whether_idle();
    /// `keep`: it is to be sent again if the peer does not get it; with a `hold` it always is.
    void write(const PacketRef& packet, HoldId hold, bool keep);
    void hold_in_memory(const PacketRef& packet, AcknowledgementTicket ticket, bool keep);
    void store(const PacketRef& packet, AcknowledgementTicket ticket,
               const Interruption::Arrived& stored_as = {});
    void go_on_after_break();
    void store_memory();
    [[nodiscard]] std::size_t bytes_in_memory() const;
    void give_back_unconfirmed();
    void stream_broke(const Outcome& why, bool by_peer_error);
    void reach_again(bool at_once);
    void bounce_memory(bool next_is_waited_for, const Outcome& why);
    void fail_for_now(const Outcome& why);
    void fail_for_good(const Outcome& why);
    void bounce(const Packet& packet, const Outcome& why, AcknowledgementTicket ticket = {});
    /// For the trace.
    void note(const Packet& packet, TraceVerdict verdict, std::string_view reason = {}) const;
    void presence_dropped(const Packet& presence);
    void say_who_went_away();
    void interrupted(Carrier& stream);
    void schedule_retry();
    void attempt_after(Duration pause);
    void attempt_soon();
    [[nodiscard]] bool may_wait(const Packet& packet) const;
    [[nodiscard]] bool something_waits() const {
        return !stored_.empty() || !memory_.empty() || !written_.empty();
    }
    [[nodiscard]] bool presence_wanted() const;
    [[nodiscard]] bool may_take_us_again() const;
    [[nodiscard]] bool stream_wanted() const;
    [[nodiscard]] bool last_word_is_due() const;
    void note_error(const Outcome& why);
    [[nodiscard]] bool may_try_now() const;

    Hub& hub_;
    ServerLink& link_;
    const std::string local_, remote_;
    std::string asked_by_;
    State state_ = State::idle;
    std::unique_ptr<OutgoingStream> own_stream_;
    Carrier* stream_ = nullptr;  ///< its own, another pair's that it shares, or one of the peer
    std::deque<Waiting> memory_;
    std::size_t memory_bytes_ = 0;
    StoredQueue stored_;
    Confirmations written_;
    AwaitedAnswers answers_;
    std::unique_ptr<Interruption> interruption_;  ///< what the stream before left
    Suspects suspects_;
    Attempts attempts_;
    DroppedUnavailable unavailable_;
    std::vector<TargetOutcome> targets_;  ///< of its own stream before
    TimePoint last_used_{};
    UnixMillis since_ = 0;  ///< of the state
    Outcome verdict_;       ///< of the last attempt, if it failed for good
    LastError last_error_;
    Timer timer_;  ///< the next attempt, the wait to join, or idleness
};

}  // namespace causeway
