// OutgoingStream: one stream to another domain, from discovery to authentication: each target that
// DNS names is tried until one gets as far as it should. It does not queue; its owner waits for
// on_ready. Owner: a RemotePair (to send stanzas) or a DialbackVerification (to ask about a key).
// What is negotiated, and in which order, stands in the table of the features (Negotiation).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/net/connector.h"
#include "gateway/stream/negotiation.h"
#include "s2s/discover.h"
#include "s2s/link_acknowledgements.h"

namespace causeway {

class OutgoingStream;
class StreamChannel;

class OutgoingOwner {
public:
    /// Authenticated: stanzas may be sent. For a verification: secure, and the features have come.
    virtual void on_ready(OutgoingStream& stream) = 0;
    /// The end, before or after on_ready; the last call. The cause tells whether to try again
    /// (retry) or not (absent, refused, policy). ok: closed in good order.
    virtual void on_stopped(OutgoingStream& stream, const Outcome& why) = 0;
    /// An element that is not part of the negotiation.
    virtual void on_peer_element(OutgoingStream& stream, Element& element, Arena& arena) = 0;
    virtual void on_stream_writable(OutgoingStream& stream) = 0;
    /// The peer has these of what was given to send() for the owner's domain, oldest first.
    virtual void on_acknowledged(OutgoingStream&, std::span<const StreamManagement::Sent>) {}

protected:
    ~OutgoingOwner() = default;
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
    State state = State::not_possible;
    std::string token = {};               ///< by which the peer knows the stream
    std::uint32_t sent = 0;               ///< stanzas, in all
    std::optional<std::uint32_t> h = {};  ///< stanzas that the peer has
};

/// A stream without an owner, which is still on the call stack or still sends its last bytes.
class Abandoned final : public Condemned {
public:
    explicit Abandoned(std::unique_ptr<XmppStream> stream) : stream_(std::move(stream)) {}

private:
    std::unique_ptr<XmppStream> stream_;
};

class OutgoingStream final : public Condemned,
                             public Negotiation,
                             private StreamHandler,
                             private LinkAcknowledgements::Stream,
                             private TimerTarget {
public:
    enum class Purpose : unsigned char { stanzas, verification };
    enum class State : unsigned char {
        resolving,    ///< DNS is asked
        connecting,   ///< a target is being connected to
        opening,      ///< the peer's header is due, or TLS
        features,     ///< its features are due
        negotiating,  ///< a step was begun
        established,  ///< on_ready was called
        stopped,
    };
    /// How a stream came to its end.
    enum class End : unsigned char {
        otherwise,   ///< by us, by the network, or by the peer in good order
        peer_error,  ///< by an error of the peer
    };

    /// `local` and `remote` are normalised domains.
    OutgoingStream(Hub& hub, std::string local, std::string remote, Purpose purpose,
                   OutgoingOwner& owner);
    ~OutgoingStream() override;

    void start();
    /// Before start(): goes on with what an earlier stream left, if the peer does.
    void resume(LinkResumption resumption) { resumption_ = std::move(resumption); }
    /// Writes a stanza, which is in the Ledger under `hold`, or 0.
    void send(const PacketRef& packet, HoldId hold, LinkAcknowledgements::Worth worth);
    /// The peer acknowledges what it has (XEP-0198).
    [[nodiscard]] bool managed() const { return acknowledgements_ != nullptr; }
    /// It does not take what is sent to it, or says nothing of it.
    [[nodiscard]] bool congested() const;
    /// Asks a peer that acknowledges.
    void look_whether_there() { acknowledgements_->look_whether_there(); }
    /// How the peer took resume(). Once established: how it can be resumed if it breaks.
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
    /// Ends it in good order; on_stopped follows.
    void close();
    /// The owner goes away: no further calls. Then hand it to Shard::condemn.
    void disown();
    /// Ends it for its owner and all that share it: on_stopped follows at once.
    void fail(const Outcome& why) { stop(why); }

    [[nodiscard]] State state() const { return state_; }
    /// Only between `opening` and `established`.
    [[nodiscard]] XmppStream& stream() override { return *stream_; }
    [[nodiscard]] const XmppStream* stream_if_any() const { return stream_.get(); }
    [[nodiscard]] const std::string& local() const { return domain_; }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] std::string target() const {
        return target_.host.empty() ? std::string{} : to_string(target_);
    }
    /// "external" or "dialback"; empty before.
    [[nodiscard]] const std::string& authentication() const { return authentication_; }
    [[nodiscard]] const std::vector<ConnectTarget>& targets() const { return targets_; }
    [[nodiscard]] End end() const { return ending_; }

    // Sharing (XEP-0220 §2.6.1): further domains of ours on this stream.
    /// Whether `local` may be proven here: the peer goes on if it does not agree, and the
    /// certificate that it was shown is for that domain as well.
    [[nodiscard]] bool can_share(std::string_view local) const;
    /// Asks the peer to take stanzas from `local` here. `sharer` hears on_ready or on_stopped, and
    /// on_stopped when the stream ends; it calls unshare() before it goes.
    void share(std::string local, OutgoingOwner& sharer);
    void unshare(const OutgoingOwner& sharer);
    [[nodiscard]] bool shared() const { return !sharers_.empty(); }

private:
    // StreamHandler
    void on_stream_opened(const StreamHeader& header) override;
    void on_element(Element& element, Arena& arena) override;
    void on_stream_secured() override;
    void on_stream_closed(const Outcome& why) override;
    void on_stream_drained() override;
    void on_timer(std::uint32_t which) override;

    // Negotiation
    void authenticated(const Jid& identity, std::string_view mechanism,
                       std::string_view success) override;
    void give_up(const Outcome& why) override { fail_target(why); }
    void external_refused(std::string_view reason) override;
    void bind(std::string_view, std::string_view) override {}
    void manage(const Element& element) override;
    bool request_management() override;
    void dialback(const Element& element, Arena& arena) override;
    void send_dialback_key() override;
    [[nodiscard]] Outcome peer_proves(std::string_view claimed) const override;
    [[nodiscard]] std::string_view peer_domain() const override { return remote_; }

    // LinkAcknowledgements::Stream
    void ask() override;
    void acknowledged(std::span<const StreamManagement::Sent> done) override;
    void silent() override;

    void enabled(const Element& element);
    void resumed(const Element& element);
    void management_failed(const Element& element);
    void begin_acknowledgements(std::uint32_t count);
    void refuse_count(std::uint32_t h, std::uint32_t sent);
    void no_answer_to_management();
    /// Its answer is due: nothing else is negotiated once we are authenticated.
    [[nodiscard]] bool asked_for_management() const {
        return state_ == State::negotiating && has(stream_bits::authenticated);
    }
    void look_for(const std::string& domain);
    void discovered(Result<Targets> targets);
    void connect_to(std::vector<ConnectTarget> targets);
    void begin(ConnectedTarget connected);
    void begin_direct_tls(StreamChannel& channel);
    void send_header();
    void send_key(const std::string& local);
    void on_features(const Element& features);
    void on_stream_error(const Element& element, Arena& arena);
    bool follow(std::string_view other_host);
    bool without_external();
    void leave_stream();
    void ready();
    void fail_target(const Outcome& why);
    void stop(const Outcome& why);
    [[nodiscard]] OutgoingOwner* sharer(std::string_view local) const;
    void sharer_answered(const Element& element);
    void stop_sharers(const Outcome& why);
    void expect_progress(std::chrono::seconds within);
    [[nodiscard]] bool negotiating() const {
        return state_ >= State::opening && state_ <= State::negotiating;
    }

    struct Sharer {
        std::string local;
        OutgoingOwner* owner = nullptr;
        bool proven = false;
    };

    const std::string remote_;
    OutgoingOwner* owner_;
    State state_ = State::resolving;
    End ending_ = End::otherwise;
    unsigned redirections_ = 0;  ///< see-other-host that was followed
    std::unique_ptr<Discovery> discovery_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<XmppStream> stream_;
    std::unique_ptr<LinkAcknowledgements> acknowledgements_;
    LinkResumption resumption_;
    std::vector<ConnectTarget> targets_;
    std::vector<Sharer> sharers_;
    ConnectTarget target_;
    std::string stream_id_;
    std::string authentication_;
    Outcome last_failure_;  ///< of the target tried before
    Outcome end_;           ///< why the stream is being ended, if we know better than the transport
    Timer timer_;
    Timer total_;  ///< from start() until it is established
};

}  // namespace causeway
