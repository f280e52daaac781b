// LinkAcknowledgements: stream management (XEP-0198) on a stream that we opened to another server:
// what was sent on it and is not acknowledged, when the peer is asked, and how long its answer may
// take. One for the stream, for all pairs of domains that it carries. Owner: the OutgoingStream.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "gateway/base/timer_wheel.h"
#include "gateway/session/hub.h"
#include "gateway/stream/stream_management.h"

namespace causeway {

class LinkAcknowledgements final : private Flushable, private TimerTarget {
public:
    using Sent = StreamManagement::Sent;

    /// How long the peer may take to acknowledge what it was asked about.
    static constexpr Duration patience{20'000};
    /// Messages whose senders are owed nothing: the peer is asked about the first one at once, and
    /// after that so often while more are written. A peer that stops has then said what it has of a
    /// link that was quiet, and gets none of it again.
    static constexpr Duration interval{100};
    /// What need not be sent again: how soon it is noticed that the peer is gone.
    static constexpr Duration in_passing{10'000};
    /// A peer that answers with what it said before is asked again after that.
    static constexpr Duration asked_again{1000};

    class Stream {
    public:
        /// Writes <r/>.
        virtual void ask() = 0;
        /// These have arrived, oldest first. May end the stream.
        virtual void acknowledged(std::span<const Sent> done) = 0;
        /// The peer has not acknowledged in time.
        virtual void silent() = 0;

    protected:
        ~Stream() = default;
    };

    /// `count`: stanzas that the peer has of the stream that is resumed; 0 for a new one.
    LinkAcknowledgements(Hub& hub, Stream& stream, std::uint32_t count);
    LinkAcknowledgements(const LinkAcknowledgements&) = delete;
    LinkAcknowledgements& operator=(const LinkAcknowledgements&) = delete;
    ~LinkAcknowledgements();

    /// How much it matters that the stanza arrives.
    enum class Worth : unsigned char { passing, kept };
    /// It was written, and is in the Ledger under `hold`, if its sender is owed something.
    void sent(const PacketRef& packet, HoldId hold, Worth worth);
    /// The peer has handled so many. False: that is more than was sent.
    bool acknowledge(std::uint32_t h);
    /// Asks although nothing may be due.
    void look_whether_there();
    /// Before the end of the stream: asks about what was written since the last question.
    void ask_about_the_rest();
    [[nodiscard]] const StreamManagement& management() const { return management_; }

    /// Ends it: what is not acknowledged, oldest first.
    [[nodiscard]] std::deque<Sent> end();

private:
    enum Timers : std::uint32_t { too_late, ask_later };

    void flush() override;
    void on_timer(std::uint32_t which) override;
    void ask();
    void ask_within(Duration time);

    Hub& hub_;
    Stream& stream_;
    StreamManagement management_;
    Timer late_;
    Timer later_;
    TimePoint later_at_{};
    TimePoint asked_at_{};
    std::uint32_t asked_about_ = 0;  ///< what was sent in all when the peer was asked last
};

}  // namespace causeway
