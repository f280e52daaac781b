// PeerStanzas: the stanzas that another server sends us on one stream, for the domain pairs that
// were proven on it and for no others, and up to where they are safe.
//
// A peer that sends us a ping behind its stanzas asks whether they are safe: from the first such
// ping on, each message is followed until it is stored or delivered, and the ping is answered only
// then. With stream management (XEP-0198) each is followed from the beginning, and acknowledged
// only then. Owner: the stream.
#pragma once

#include <compare>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/stream/stream.h"
#include "s2s/receipts.h"

namespace causeway {

class PeerStanzas final : private Receipts::Stream {
public:
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
    /// Sends an <a/> before the stream is closed.
    void say_what_is_safe();
    /// What becomes of stanzas that cross our end of the stream (RFC 6120 §4.4). Where they are
    /// counted the peer knows that those beyond the last <a/> did not arrive.
    [[nodiscard]] XmppStream::Rest rest() const {
        return managed() || pairs_.empty() ? XmppStream::Rest::is_lost : XmppStream::Rest::is_heard;
    }

    /// False: our end is written, and what comes behind it is lost; see rest().
    [[nodiscard]] bool takes() const {
        return stream_.stream().usable() || rest() == XmppStream::Rest::is_heard;
    }

private:
    // Receipts::Stream
    void on_safe() override;

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
    bool following_ = false;         ///< the peer waits to hear when its messages are safe
    std::deque<WaitingPing> pings_;  ///< until what came before them is safe
};

}  // namespace causeway
