// Receipts: what another server sent on one stream, and up to where it is safe: stored, taken by
// its recipient, or answered with an error. The peer hears that when it asks: by <r/>, where the
// stream has stream management (XEP-0198), or by a ping behind its stanzas. With stream management
// it may outlive its stream, and what it knows stands in the store (stream_records.h), so that the
// peer can go on on another stream, and after our restart.
// Owner: the IncomingStream; while that is gone and may be resumed, the ServerLink.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/timer_wheel.h"
#include "gateway/session/hub.h"
#include "gateway/session/kept_stream.h"
#include "gateway/stream/stream_management.h"

namespace causeway {

/// Whether that was noted of the peer's server (Receipts::note_stamping).
[[nodiscard]] bool stamping_noted(const KeptStream& kept);
/// When the peer opened the first stream of those that it was; 0: that is not noted.
[[nodiscard]] UnixMillis began_at(const KeptStream& kept);

class Receipts final : private TicketHolder, private TimerTarget {
public:
    class Stream {
    public:
        /// Something that was open is safe, or recorded() has become true: answers may be due.
        virtual void on_safe() = 0;

    protected:
        ~Stream() = default;
    };

    explicit Receipts(Hub& hub);
    Receipts(const Receipts&) = delete;
    Receipts& operator=(const Receipts&) = delete;
    /// What stands in the store stays there; see forget().
    ~Receipts();

    /// On which the peer is, or nullptr.
    void belongs_to(Stream* stream);

    /// The stanza at hand is followed: whoever takes it over settles this ticket.
    [[nodiscard]] AcknowledgementTicket follow();
    /// The stanza at hand has been routed. If it is not followed it is handled.
    void stanza_ends();
    /// Stanzas that are not safe yet.
    [[nodiscard]] std::size_t open() const { return management_.open(); }
    /// Counted so far, and the number up to which all are safe.
    [[nodiscard]] std::uint32_t received() const { return received_; }
    [[nodiscard]] std::uint32_t handled() const { return management_.handled(); }

    // ---- stream management ----

    /// From now on every stanza is counted.
    void begin_management() { counting_ = Counting::all; }
    [[nodiscard]] bool managed() const { return counting_ == Counting::all; }
    /// New ones, of which so many have come before and are safe.
    void count_from(std::uint32_t handled);
    /// The peer may resume the stream, which carries stanzas from `remote` to `local`.
    void allow_resumption(const std::string& remote, const std::string& local);
    /// It may not any more: it carries other domains as well, or is over. Erases what the store has
    /// of it.
    void forget();
    /// Its server says that it gives messages ids: after a restart that need not be asked first.
    void note_stamping();
    [[nodiscard]] bool resumable() const { return !remote_.empty(); }
    [[nodiscard]] bool resumable_by(std::string_view token, std::string_view local) const;
    [[nodiscard]] const std::string& local() const { return local_; }
    [[nodiscard]] const std::string& token() const { return management_.token(); }
    /// Goes on with a stream of an earlier process: with what its record says of messages that came
    /// beyond `handled`, replaced by what still holds. Stream::on_safe() follows when that is
    /// durable.
    void take_over(KeptStream kept, const std::string& remote, std::string_view token);
    /// That is durable, or nothing was to be replaced. Before that the peer may send nothing: a
    /// stanza would be taken for that which had its number.
    [[nodiscard]] bool recorded() const { return recorded_; }
    /// Whether the peer sends again a message that was safe before the end of that process.
    [[nodiscard]] bool repeats(const Stanza& stanza);
    /// The process is about to end: the next one is to know what this one has told.
    void leave_process();
    /// The peer asks (<r/>).
    void peer_asks() { management_.peer_asks(); }
    /// See StreamManagement.
    [[nodiscard]] std::optional<std::uint32_t> take_answer() { return management_.take_answer(); }
    /// The stream is gone. `over` is called when the time to come back is.
    void wait_for_peer(std::function<void()> over);

private:
    enum class Counting : unsigned char { followed, all };

    // TicketHolder
    void settled(std::uint32_t number) override;
    void expect_again(std::uint32_t number) override { management_.expect_again(number); }
    void written(bool durable) override;
    void on_timer(std::uint32_t which) override;
    void become(std::uint64_t holder_id);
    [[nodiscard]] std::uint32_t receive();
    void save_state(bool stamping);

    Hub& hub_;
    Stream* stream_ = nullptr;
    std::uint64_t holder_id_ = 0;
    Counting counting_ = Counting::followed;
    bool followed_ = false;  ///< the stanza at hand
    std::uint32_t received_ = 0;
    StreamManagement management_;
    std::string remote_, local_;  ///< while it can be resumed
    UnixMillis since_ = 0;        ///< when that became so
    bool kept_ = false;           ///< it has a record in the store
    bool recorded_ = true;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> repeats_;  ///< KeptStream::repeats
    std::function<void()> over_;
    Timer timer_;
};

}  // namespace causeway
