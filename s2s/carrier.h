// Carrier: a stream on which pairs of domains send: one that we opened to another server
// (OutgoingStream), or a bidirectional one that the other server opened (IncomingStream,
// XEP-0288). Here is what both have in common: who sends on it, and what of that the peer has
// acknowledged (XEP-0198).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/net/connector.h"
#include "gateway/stream/stream.h"
#include "s2s/link_acknowledgements.h"
#include "s2s/receipts.h"

namespace causeway {

class Carrier;

/// Who sends on a stream.
class StreamUser {
public:
    /// Authenticated: stanzas may be sent. For a verification: secure, and the features have come.
    virtual void on_ready(Carrier& stream) = 0;
    /// The end, before or after on_ready; the last call. The cause tells whether to try again
    /// (retry) or not (absent, refused, policy). ok: closed in good order.
    virtual void on_stopped(Carrier& stream, const Outcome& why) = 0;
    virtual void on_stream_writable(Carrier& stream) = 0;
    /// The peer has these of what was given to send() for the user's domain, oldest first.
    virtual void on_acknowledged(Carrier&, std::span<const StreamManagement::Sent>) {}
    /// The peer sent a stanza on it.
    virtual void on_peer_stanza(Carrier&) {}

protected:
    ~StreamUser() = default;
};

/// What an earlier stream of the same pair of domains left, to be gone on with (XEP-0198 §5), and
/// what became of that.
struct LinkResumption {
    enum class State : unsigned char {
        not_possible,  ///< nothing is left, or the peer does not keep it
        possible,
        resumed,
        failed,  ///< the peer does not know it; `h` may be known all the same
        absurd,  ///< the peer's answer made no sense
    };
    /// Who opened it, and so who opens the one that goes on.
    enum class By : unsigned char { us, peer };
    State state = State::not_possible;
    By by = By::us;
    std::string token = {};               ///< by which it is known
    std::uint32_t sent = 0;               ///< stanzas, in all
    std::optional<std::uint32_t> h = {};  ///< stanzas that the peer has
};

class Carrier : private LinkAcknowledgements::Stream {
public:
    /// How a stream came to its end.
    enum class End : unsigned char {
        otherwise,   ///< by us, by the network, or by the peer in good order
        peer_error,  ///< by an error of the peer
    };
    /// For listings.
    struct Report {
        std::string authentication = {};  ///< "external" or "dialback"; empty before
        std::string target = {};
        std::vector<TargetOutcome> targets = {};
        const XmppStream* stream = nullptr;
    };

    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;

    /// Only while it is there; see the owners' states.
    [[nodiscard]] virtual XmppStream& stream() = 0;
    [[nodiscard]] virtual LinkResumption::By opened_by() const = 0;
    /// For one of the domains that send on it.
    [[nodiscard]] virtual Report report_for(std::string_view local) const = 0;
    [[nodiscard]] virtual std::string_view peer_domain() const = 0;
    /// Ends it for all that use it: on_stopped follows at once.
    virtual void fail(const Outcome& why) = 0;
    /// What was received on it and may be gone on with by us; nullptr if there is nothing.
    [[nodiscard]] virtual std::unique_ptr<Receipts> release_received() { return nullptr; }

    /// Writes a stanza, which is in the Ledger under `hold`, or 0.
    void send(const PacketRef& packet, HoldId hold, LinkAcknowledgements::Worth worth);
    /// The peer acknowledges what it has (XEP-0198).
    [[nodiscard]] bool managed() const { return acknowledgements_ != nullptr; }
    /// Something that was sent is not acknowledged: until the peer has ended its side as well, it
    /// may say that it has that.
    [[nodiscard]] bool awaits_acknowledgement() const {
        return managed() && !acknowledgements_->management().unacknowledged().empty();
    }
    /// What was sent and is not acknowledged, of all that send on it; only where it is managed().
    [[nodiscard]] const std::deque<StreamManagement::Sent>& unacknowledged() const {
        return acknowledgements_->management().unacknowledged();
    }
    /// Before we end it: a peer that acknowledges what it is asked about says that of all.
    void ask_about_the_rest() {
        if (managed()) acknowledgements_->ask_about_the_rest();
    }
    /// It does not take what is sent to it, or says nothing of it.
    [[nodiscard]] bool congested();
    /// Asks a peer that acknowledges.
    void look_whether_there() { acknowledgements_->look_whether_there(); }
    /// How the peer took an earlier stream's resumption. Once established: how it can be resumed if
    /// it breaks.
    [[nodiscard]] const LinkResumption& resumption() const { return resumption_; }
    /// Stanzas, on this stream and those that it goes on with.
    [[nodiscard]] std::uint32_t sent_count() const {
        return acknowledgements_->management().sent_count();
    }
    /// What was sent and is not acknowledged, oldest first; for when it has ended.
    [[nodiscard]] std::deque<StreamManagement::Sent> take_unacknowledged() {
        return acknowledgements_ == nullptr ? std::deque<StreamManagement::Sent>{}
                                            : acknowledgements_->end();
    }
    [[nodiscard]] End end() const { return ending_; }
    /// Neither is it being closed, nor has the peer ended it with an error: then it is open for
    /// a while for what the peer is still to hear.
    [[nodiscard]] bool takes() { return stream().usable() && ending_ == End::otherwise; }
    /// The user goes away: no further calls.
    void unshare(const StreamUser& user);

protected:
    explicit Carrier(Hub& hub) : link_hub_(hub) {}
    ~Carrier() = default;

    /// Stanzas may be sent on it.
    [[nodiscard]] virtual bool carries() const = 0;
    /// Who sends for that domain of ours; nullptr if nobody does.
    [[nodiscard]] virtual StreamUser* user_of(std::string_view local) const {
        return sharer(local);
    }
    /// Something is being sent.
    virtual void used() {}
    /// The peer took some, or has acknowledged some, of what it was sent.
    virtual void writable();

    /// `count`: stanzas that the peer has of the stream that is resumed; 0 for a new one.
    void begin_acknowledgements(std::uint32_t count);
    /// The peer has so many. False: that is more than was sent. May end the stream.
    bool acknowledge(std::uint32_t h) { return acknowledgements_->acknowledge(h); }
    [[nodiscard]] StreamUser* sharer(std::string_view local) const;
    void stop_sharers(const Outcome& why);

    /// A domain of ours that sends on it, beside that of an OutgoingStream's owner.
    struct Sharer {
        std::string local;
        StreamUser* owner = nullptr;  ///< nullptr: it did not wait to be proven
        bool proven = false;
    };
    std::vector<Sharer> sharers_;
    LinkResumption resumption_;
    End ending_ = End::otherwise;

private:
    // LinkAcknowledgements::Stream
    void ask() override;
    void acknowledged(std::span<const StreamManagement::Sent> done) override;
    void silent() override;

    Hub& link_hub_;
    std::unique_ptr<LinkAcknowledgements> acknowledgements_;
};

}  // namespace causeway
