// Confirmations: what was written to another domain and is not known to have arrived. Where the
// stream has stream management (XEP-0198), the peer's acknowledgements tell. Elsewhere a ping
// follows on the stream, and the peer's answer says that everything before the ping was handled.
// Owner: a RemotePair, which sends the pings and hears what follows.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>

#include "gateway/route/asking.h"
#include "gateway/stream/stream_management.h"

namespace causeway {

class Confirmations final : private TimerTarget, private Flushable {
public:
    /// A ping from this resource of a domain asks only whether what came before it was handled: the
    /// peer need not store what nobody is owed an acknowledgement for.
    static constexpr std::string_view unowed_resource = "unowed";

    /// Something that was written.
    struct Written {
        HoldId hold = 0;  ///< in the Ledger: its sender is owed an acknowledgement, or it is stored
        PacketRef packet;
    };

    class Owner {
    public:
        /// Writes a ping of that id to the stream; it is from `from`.
        virtual void send_ping(const Jid& from, const std::string& id) = 0;
        /// The first `count` of what was written have arrived, and are forgotten.
        virtual void confirmed(std::size_t count) = 0;
        /// A peer that has answered before does not any more.
        virtual void peer_is_silent() = 0;
        /// A peer has never answered: what the system takes has to count as arrived.
        virtual void peer_cannot_answer() = 0;

    protected:
        ~Owner() = default;
    };

    Confirmations(Hub& hub, const std::string& local, const std::string& remote, Owner& owner);
    Confirmations(const Confirmations&) = delete;
    Confirmations& operator=(const Confirmations&) = delete;
    ~Confirmations();

    /// What tells that something has arrived.
    enum class By : unsigned char { pings, acknowledgements };
    /// A stream is there, with nothing written to it.
    void begin(By by);
    /// The stream is gone; what was on it and is not confirmed stays. Those without a hold get one
    /// by `make`, before anything that comes later does: by its number each keeps its place in the
    /// store.
    void interrupt_and_hold(const std::function<HoldId(const PacketRef&)>& make);
    /// The stream is gone: what was on it and is not confirmed, in order.
    std::deque<Written> end();

    /// The stanza is about to be written. Without a hold it is remembered only while few are.
    void written(const PacketRef& packet, HoldId hold);
    /// The first `count` have arrived, or have been answered otherwise.
    void confirm(std::size_t count);
    /// The peer has acknowledged these, some of which may have been given to written(); how many
    /// of those.
    std::size_t acknowledged(std::span<const StreamManagement::Sent> done);
    /// One of what end() gave has arrived.
    void arrived(const Written& written);

    [[nodiscard]] bool empty() const { return written_.empty(); }
    [[nodiscard]] std::size_t size() const { return written_.size(); }
    [[nodiscard]] const Written& front() const { return written_.front(); }
    /// Asks a peer that answers pings whether it is still there, although nothing was written.
    void look_whether_there();
    /// Something was written that need not be sent again: if the peer answers pings, it is asked
    /// after a while.
    void written_in_passing();
    /// Whether it makes sense to wait for an answer.
    [[nodiscard]] bool answer_is_due() const { return !empty() && peer_ != Peer::cannot_answer; }
    [[nodiscard]] bool peer_cannot_answer() const { return peer_ == Peer::cannot_answer; }

private:
    void interrupt();
    /// What is known of the peer's answers to our pings.
    enum class Peer : unsigned char {
        unknown,
        answers,        ///< it did, on this stream or an earlier one
        cannot_answer,  ///< it did not on this stream: it may have no way back to us
        acknowledges,   ///< it need not be asked by pings: the stream has stream management
    };
    /// How soon the peer is asked about what was written since the last ping.
    enum class Urgency : unsigned char { whenever, at_once };
    /// Whether the peer was told to follow what is written now until it is safe.
    enum class Following : unsigned char { no, yes };

    void flush() override;
    void on_timer(std::uint32_t which) override;
    void ask();
    void tell_whether_owed(HoldId hold);
    void note_confirmed(const Written& written);
    void told(const IqAnswer& answer, std::size_t covers);
    [[nodiscard]] Question question(Urgency urgency, Asking::Done done);

    Hub& hub_;
    const Jid local_, remote_;
    Owner& owner_;
    std::deque<Written> written_;
    Peer peer_ = Peer::unknown;
    Urgency urgency_ = Urgency::whenever;
    Following following_ = Following::no;
    Question begin_following_;  ///< a ping before the first stanza that is to be followed
    TimePoint last_owed_{};     ///< when something was written that is owed to its sender
    Question ping_;             ///< behind the stanzas that it covers
    Timer later_;
    TimePoint last_ask_{};
};

}  // namespace causeway
