// ClientSession: one bound resource: stanzas from the client to the router and back, with or
// without stream management (XEP-0198). It lives on the account's home shard; its stream may come
// and go if the client asked for resumption.
//
// Incoming: a message counts as handled (`h`) only when it is safe; see acknowledgement.h.
// Outgoing: a stanza that matters is held in the Ledger until the client acknowledged it (or,
// without stream management, until the system took its bytes).
//
// What is on its way to a client that reads and acknowledges is no fault, however much it is. Above
// the soft limits the session is full: presence is held back, of each sender the latest. It ends if
// nothing moves for a while, or if what others sent comes to the hard limit.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "c2s/client_stream.h"
#include "c2s/held_presence.h"
#include "c2s/session_record.h"
#include "gateway/session/account.h"
#include "gateway/session/resource.h"
#include "gateway/stream/stream_management.h"

namespace causeway {

class ClientSession final : public Condemned,
                            public Resource,
                            private TicketHolder,
                            private Flushable,
                            private TimerTarget {
public:
    ClientSession(Hub& hub, ClientTable& table, Jid full);
    ~ClientSession() override;

    void attach(ClientStream& stream);
    [[nodiscard]] ClientStream* stream() { return stream_; }
    [[nodiscard]] Account& account() { return account_; }

    // Resource
    void write(const PacketRef& packet, HoldId hold) override;
    void write_as(const PacketRef& packet, const Jid& to) override;
    [[nodiscard]] bool acknowledges() const override { return management_ != nullptr; }
    [[nodiscard]] bool crowded() const override;
    void evict(std::string_view condition, std::string_view text) override;
    void has_copy(std::uint64_t number, HoldId hold) override;

    // From its stream
    void stanza_in(Element& element, Arena& arena);
    /// A stanza that was too large and has been passed over; `start` has its name and the
    /// attributes that could be read.
    void skipped_in(const Element& start);
    void manage(const Element& element);
    void stream_drained();
    /// That stream ended: `orderly` if the client closed it, else the session may be resumed.
    void stream_lost(ClientStream& stream, bool orderly);

    /// Whether `token` is this session's, in constant time.
    [[nodiscard]] bool resumable_by(std::string_view token) const;
    /// Takes over a new stream: now, or as soon as all that came before is safe, so that the `h` of
    /// <resumed/> says what the client may forget and no stanza is sent twice (XEP-0198 §5). False
    /// (with a stream error sent) if `h` is impossible.
    bool resume(ClientStream& stream, std::uint32_t h);

    // For the control socket
    [[nodiscard]] std::uint64_t unacked() const;
    [[nodiscard]] bool resumable() const {
        return management_ != nullptr && management_->resumable();
    }
    [[nodiscard]] bool detached() const { return stream_ == nullptr; }
    [[nodiscard]] UnixMillis since() const { return since_; }

    /// Of a new session: goes on over that stream with what an earlier process kept. `h`: stanzas
    /// that the client has.
    void take_over(const KeptStream& kept, std::string_view token, ClientStream& stream,
                   std::uint32_t h);
    /// The process ends: the session does, and can go on in the next.
    void leave_process(std::string_view text);
    [[nodiscard]] bool has_record() const { return record_ != nullptr; }
    /// It can go on in the next process, and something that the client sent is not safe yet.
    [[nodiscard]] bool awaits_outcomes() const {
        return record_ != nullptr && management_->open() != 0;
    }

    /// How long a client that resumes waits for what it sent before to be safe.
    static constexpr Duration resume_patience{10'000};

private:
    /// Exactly one holds; enter() is the only way from one to another.
    enum class State : unsigned char {
        flowing,   ///< a stream, and room for more
        full,      ///< a stream that has too much to take: presence waits
        detached,  ///< no stream: to be resumed
        resuming,  ///< no stream yet: a new one waits until what came before is safe
        overfull,  ///< to be ended with this turn
        ended,
    };
    enum Timers : std::uint32_t { state_timer, silence_timer };
    /// Whether anything moves towards the client.
    struct Progress {
        std::uint64_t written = 0;  ///< bytes given to the stream
        std::uint64_t taken = 0;    ///< of those, what the system has taken when we looked last
        TimePoint taken_at;         ///< when the system took something last
        TimePoint acknowledged_at;  ///< when the client acknowledged something last
        std::size_t answers = 0;    ///< bytes that the client asked for, not taken yet
    };
    /// A question to a silent client (XEP-0199, or <r/>).
    struct Silence {
        enum class Question : unsigned char { none, open };
        Question question = Question::none;
        TimePoint asked_at;
        bool answers = false;    ///< the client has answered an iq of ours in this session
        std::uint64_t ping = 0;  ///< id of our latest ping
        Timer timer;
    };

    void settled(std::uint32_t number) override;
    void expect_again(std::uint32_t number) override;
    void noted(std::uint32_t number, std::uint32_t handled) override;
    void written(bool durable) override;
    void flush() override;
    void on_timer(std::uint32_t which) override;

    void enter(State next);
    void end(std::string_view cause);

    // From the client
    void refuse(const Element& element, StanzaKind kind, StanzaCondition condition,
                std::string text);
    AcknowledgementTicket take_ticket(StanzaKind kind);
    void answer_instead(const Element& start, AcknowledgementTicket ticket);
    void hand_on(Stanza& stanza, AcknowledgementTicket ticket);
    void hand_on_late(const PacketRef& packet, AcknowledgementTicket ticket);
    void refuse_unread(const Packet& packet, AcknowledgementTicket ticket);

    // Towards the client (client_output.cc)
    void send(const PacketRef& packet, std::string_view bytes, HoldId hold);
    void transmit(const PacketRef& packet, std::string_view bytes, HoldId hold);
    void hold_back(PacketRef packet);
    [[nodiscard]] bool full() const;
    [[nodiscard]] std::size_t queued() const;
    /// What others sent, or what the client asked for, is as much as may wait for it.
    [[nodiscard]] bool spent(bool answer) const;
    void after_output();
    void room_made();
    void look_for_progress();
    void overflow(std::string_view cause);

    // Silence (client_silence.cc)
    void watch_silence();
    void silent();
    bool answers_ping(const Element& element, StanzaKind kind);

    // Stream management (stream_management.cc)
    void enable(const Element& element);
    void accept_acknowledgement(std::uint32_t h);
    void acknowledged(const std::vector<StreamManagement::Sent>& done);
    void answer_request();
    void finish_resumption();
    void go_on_resuming();
    void go_on_resuming_soon();
    void give_up_resumption();
    void fail_count(XmppStream& stream, std::uint32_t h);

    // Its record in the store (kept_session.cc)
    void begin_record(std::uint64_t id);
    void emit(std::string_view bytes);
    void note_sent(const Packet& packet, HoldId hold);
    void note_handled();
    void note_handled_now();
    void note_shown();
    [[nodiscard]] std::uint32_t handled_with_state() const;
    /// What becomes of the session if nobody hears more of it.
    enum class Ends : unsigned char { nobody_is_told, everybody_is_told };
    void save_state(Ends how = Ends::nobody_is_told);
    [[nodiscard]] bool repeats(const Stanza& stanza, std::uint32_t number);
    void missed_since(std::uint64_t left_at, Missed& missed) const;
    void come_back();
    void say_presence_again();

    Hub& hub_;
    ClientTable& table_;
    Account& account_;
    ClientStream* stream_ = nullptr;
    ClientStream* resuming_ = nullptr;  ///< in that state: the stream that waits
    std::unique_ptr<StreamManagement> management_;
    std::unique_ptr<HeldPresence> held_;
    std::unique_ptr<SessionRecord> record_;  ///< if it can go on after a restart
    std::vector<HoldId> in_transit_;         ///< without stream management: confirmed when drained
    std::uint64_t holder_id_ = 0;
    UnixMillis since_;
    Timer timer_;  ///< of the state
    Progress progress_;
    Silence silence_;
    std::string_view cause_;  ///< of being overfull; a constant
    State state_ = State::flowing;
};

}  // namespace causeway
