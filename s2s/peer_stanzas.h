// PeerStanzas: the stanzas that another server sends us on one stream, for the domain pairs that
// were proven on it and for no others, and up to where they are safe.
//
// A peer that sends us a ping behind its stanzas asks whether they are safe: from the first such
// ping on, each message is followed until it is stored or delivered, and the ping is answered only
// then. With stream management (XEP-0198) each is followed from the beginning, and acknowledged
// only then. Before such a stream ends, what came is waited for. Owner: the stream.
#pragma once

#include <compare>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/stream/stream.h"
#include "s2s/receipts.h"

namespace causeway {

class PeerStanzas final : private Receipts::Stream, private TimerTarget {
public:
    /// How long the end of a stream waits until what came on it is safe: as long as a store takes
    /// that has much to do. The peer sends the rest again, or tells its users that it was lost.
    static constexpr Duration last_word_within{2000};

    /// The remote domain, and ours.
    struct Pair {
        std::string remote, local;
        auto operator<=>(const Pair&) const = default;
    };

    class Stream {
    public:
        [[nodiscard]] virtual XmppStream& stream() = 0;
        /// Who the peer says it is, for the log.
        [[nodiscard]] virtual std::string_view peer_domain() const = 0;
        /// A stanza of a proven pair came.
        virtual void stanza_came() = 0;
        /// Something that was open is safe: an <a/> may be due.
        virtual void on_safe() = 0;
        /// What finish() waited for: the stream can be ended.
        virtual void finished() = 0;

    protected:
        ~Stream() = default;
    };

    PeerStanzas(Hub& hub, Stream& stream) : hub_(hub), stream_(stream) {}

    /// The pair was proven, by "external" or "dialback": its stanzas are taken from now on.
    void prove(const Pair& pair, std::string_view how);
    /// Pairs and how each was proven.
    [[nodiscard]] const std::map<Pair, std::string_view>& pairs() const { return pairs_; }

    /// An element in the namespace of stanzas. Ends the stream if it is none of a proven pair.
    void take(Element& element, Arena& arena);
    /// A stanza that is larger than what is allowed was passed over.
    void skipped(const Element& start);

    // Stream management:
    /// What is counted of the peer's stanzas; nullptr if nothing is.
    [[nodiscard]] Receipts* receipts() const { return receipts_.get(); }
    [[nodiscard]] bool managed() const { return receipts_ != nullptr && receipts_->managed(); }
    /// Counts every stanza from now on. False: some that were followed by pings are not safe yet.
    [[nodiscard]] bool begin_management();
    /// Goes on with what an earlier stream received.
    void go_on(std::unique_ptr<Receipts> receipts);
    /// The peer waits to hear when its messages are safe.
    void follow() { following_ = true; }
    /// Nothing is counted any more.
    [[nodiscard]] std::unique_ptr<Receipts> release();
    /// Sends the <a/> that is due, if one is.
    void answer_request();
    /// Before the stream ends: where stanzas are counted no more are taken. True: some are not safe
    /// yet, and Stream::finished() follows, in a moment.
    [[nodiscard]] bool finish();
    /// Sends an <a/> before the stream is closed.
    void say_what_is_safe();
    /// The same where the peer ends it. True: as with finish().
    [[nodiscard]] bool finish_for_peer();
    /// What becomes of stanzas that cross our end of the stream (RFC 6120 §4.4). Where they are
    /// counted the peer knows that those beyond the last <a/> did not arrive.
    [[nodiscard]] XmppStream::Rest rest() const {
        return managed() || pairs_.empty() ? XmppStream::Rest::is_lost : XmppStream::Rest::is_heard;
    }

    /// False: our end is written, or about to be, and what comes now is lost; see rest().
    [[nodiscard]] bool takes() const {
        return (stream_.stream().usable() && !finishing_) || rest() == XmppStream::Rest::is_heard;
    }

private:
    // Receipts::Stream
    void on_safe() override;
    void on_timer(std::uint32_t which) override;

    void stanza_in(Element& element, Arena& arena);
    void refuse_forged(const Element& element, StanzaKind kind, const Jid& from, const Jid& to);
    void misaddressed(const Element& element, StanzaKind kind, const Jid* from);
    bool answer_ping(const Stanza& stanza);
    void answer_instead(const Element& start, const Jid& from, const Jid& to);
    bool note_answer(const Stanza& stanza);
    void answer_ready_pings();
    void take_receipts(std::unique_ptr<Receipts> receipts);
    void send_h(std::uint32_t h);

    struct WaitingPing {
        std::uint32_t after;
        PacketRef answer;
    };

    Hub& hub_;
    Stream& stream_;
    std::map<Pair, std::string_view> pairs_;
    std::unique_ptr<Receipts> receipts_;
    bool following_ = false;             ///< the peer waits to hear when its messages are safe
    std::optional<std::uint32_t> told_;  ///< the last `h`
    bool finishing_ = false;             ///< nothing more is counted: the stream is about to end
    Timer patience_;                     ///< until it does
    std::deque<WaitingPing> pings_;      ///< until what came before them is safe
};

}  // namespace causeway
