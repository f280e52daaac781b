// RemotePair: what one of our domains has to say to one other domain: the stream, if there is one,
// and everything that waits for it. It lives on the remote domain's home shard. Where another of
// our domains with the same certificate has a stream to that domain, it asks to be taken on that
// one first.
//
// While a first attempt runs, stanzas wait in memory. If it fails for now, messages and
// subscriptions go to the store and are tried again, with growing pauses, until they expire; the
// rest gets its error or is dropped. If it fails for good, every waiting stanza gets one error with
// the cause. As long as anything is in the store, what follows goes behind it, so that order is
// kept.
//
// A message that somebody owes an acknowledgement for, or that comes from the store, is not
// forgotten when it is written: a ping follows it, and the peer's answer says that it was handled.
// A stream that breaks before gives such messages back to the store.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "gateway/session/hub.h"
#include "s2s/outgoing_stream.h"

namespace causeway {

class ServerTable;

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
    std::vector<ConnectTarget> targets = {};
};

class RemotePair final : private OutgoingOwner, private TimerTarget, private Flushable {
public:
    /// The Log store of what waits; its owner is queue_owner().
    static constexpr std::string_view store_name = "outbound";
    static std::string queue_owner(std::string_view remote, std::string_view local);

    RemotePair(Hub& hub, ServerTable& table, std::string local, std::string remote);
    RemotePair(const RemotePair&) = delete;
    RemotePair& operator=(const RemotePair&) = delete;
    ~RemotePair();

    void send(PacketRef packet, AcknowledgementTicket ticket);
    /// The peer answered our ping of that number.
    void ping_answered(std::uint64_t number);
    /// Something of an earlier run of the process is stored.
    void resume_stored(std::size_t rows, std::size_t bytes);
    /// A stored row's time was over.
    void expired(std::size_t rows, std::size_t bytes);
    /// It reached us, so we may reach it: no pause, and what was found of it may not hold any more.
    void peer_is_back();
    /// Tries now, whatever the pause (control socket).
    void retry();
    /// Closes its own stream, also for guests; what waits stays. False if there is none.
    bool close();
    /// Guests leave streams of others before those go.
    void leave_as_guest() {
        if (own_stream_ == nullptr) leave_stream();
    }
    /// The stored rows were dropped behind its back.
    void dropped();

    [[nodiscard]] bool established() const { return state_ == State::up; }
    /// Open, and another domain of ours may use it; nullptr otherwise.
    [[nodiscard]] OutgoingStream* stream_for(std::string_view guest) const {
        return own_stream_ != nullptr && hospitable_ && own_stream_->takes_guest(guest)
                   ? own_stream_.get()
                   : nullptr;
    }
    [[nodiscard]] bool has_guests() const {
        return own_stream_ != nullptr && own_stream_->has_guests();
    }
    /// Something was written of which the peer will say that it has it.
    [[nodiscard]] bool awaits_answer() const {
        return state_ == State::up && !unconfirmed_.empty() && pings_answered_;
    }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] const std::string& local() const { return local_; }
    [[nodiscard]] PairReport report() const;
    [[nodiscard]] std::string last_error() const { return last_error_; }
    /// Whose stanza made it, until a stream is there; returns who it was before.
    std::string asked_by(std::string account) {
        return std::exchange(asked_by_, std::move(account));
    }
    [[nodiscard]] TimePoint last_used() const { return last_used_; }
    /// Nothing to say and nothing to remember.
    [[nodiscard]] bool forgettable() const;

private:
    enum class State : unsigned char { idle, connecting, up, waiting };
    struct Waiting {
        PacketRef packet;
        HoldId hold = 0;
    };

    void on_ready(OutgoingStream& stream) override;
    void on_stopped(OutgoingStream& stream, const Outcome& why) override;
    void on_peer_element(OutgoingStream&, Element&, Arena&) override {}
    void on_stream_writable(OutgoingStream& stream) override;
    void on_timer(std::uint32_t which) override;
    void flush() override;

    void connect();
    void leave_stream();
    void abandon_stream();
    void refused_as_guest();
    void ping(std::uint64_t number, bool owed);
    void ask();
    /// `keep`: it is to be sent again if the peer does not get it; with a `hold` it always is.
    void write(const PacketRef& packet, HoldId hold, bool keep);
    void hold_in_memory(const PacketRef& packet, AcknowledgementTicket ticket, bool durable);
    void spool(const PacketRef& packet, AcknowledgementTicket ticket);
    void spool_memory();
    /// What was on its way is the store's again, to be read from there.
    void store_again(HoldId hold);
    void drain();
    void drained_page(const std::vector<LogRow>& rows);
    void confirm(std::size_t count);
    void give_back_unconfirmed();
    void fail_for_now(const Outcome& why);
    void fail_for_good(const Outcome& why);
    void fail_stored(const Outcome& why);
    void bounce(const Packet& packet, const Outcome& why, AcknowledgementTicket ticket = {});
    void schedule_retry();
    void note_error(const Outcome& why);
    void doubt_unconfirmed(const Outcome& why);
    [[nodiscard]] StoreKey store_key() const;
    [[nodiscard]] bool may_try_now() const;

    Hub& hub_;
    ServerTable& table_;
    std::string local_, remote_;
    std::string asked_by_;
    std::unique_ptr<OutgoingStream> own_stream_;
    OutgoingStream* stream_ = nullptr;  ///< its own, or another pair's on which it is a guest
    std::deque<Waiting> memory_;
    std::size_t memory_bytes_ = 0;
    struct Written {
        HoldId hold = 0;
        PacketRef packet;  ///< where there is no hold
    };
    std::deque<Written> unconfirmed_;  ///< written, not known to have arrived
    State state_ = State::idle;
    bool stored_ = false;          ///< rows are, or may be, in the store
    bool reading_ = false;         ///< a page of rows is being read
    unsigned failing_ = 0;         ///< questions to the store while its rows are given up
    bool read_again_ = false;      ///< rows came while it was
    std::uint64_t reads_ = 0;      ///< counts the times that reading began anew
    bool followed_ = false;        ///< the peer was told to follow what we write now
    bool answers_ = false;         ///< it has answered one, on this stream or an earlier one
    std::size_t keeping_ = 0;      ///< rows on their way into the store
    std::size_t stored_rows_ = 0;  ///< put into the store since it was last empty
    std::size_t stored_bytes_ = 0;
    std::uint64_t read_until_ = 0;    ///< rows up to that id are written to the stream
    std::size_t careful_ = 0;         ///< so many rows are sent one at a time
    std::uint64_t suspect_ = 0;       ///< the last of them
    std::uint64_t broke_at_ = 0;      ///< the one with which the stream ended last
    unsigned breaks_ = 0;             ///< how often in a row
    bool alone_ = false;              ///< the peer did not take it as a guest
    bool hospitable_ = true;          ///< no stream of its own ended because a guest asked
    bool last_stream_error_ = false;  ///< the last stream ended by the peer's error
    std::uint64_t ping_ = 0;          ///< number of the ping that is not answered; 0: none
    std::size_t ping_covers_ = 0;     ///< how many of unconfirmed_ were written before it
    bool pings_answered_ = true;      ///< false: the peer cannot answer; drained must do
    unsigned attempts_ = 0;
    TimePoint last_attempt_{};
    TimePoint last_used_{};
    UnixMillis since_ = 0;
    UnixMillis next_retry_ = 0;
    Outcome verdict_;  ///< of the last attempt, if it failed for good
    std::string last_error_;
    UnixMillis last_error_at_ = 0;
    Timer timer_;  ///< the next attempt, or idleness
    Timer ping_timer_;
    Timer unhurried_timer_;
    TimePoint last_ask_{};
    bool owed_ = false;  ///< somebody waits for news of what was written since the last ping
};

}  // namespace causeway
