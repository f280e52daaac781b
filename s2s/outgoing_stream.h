// OutgoingStream: one stream to another domain, from discovery to authentication: each target that
// DNS names is tried until one gets as far as it should. It does not queue; its owner waits for
// on_ready. Owner: a RemotePair (to send stanzas) or a DialbackVerification (to ask about a key).
// Where the peer agrees it is bidirectional (XEP-0288): the peer's stanzas come on it as well, for
// the domain pairs that were proven here, in reverse (PeerStanzas).
// What is negotiated, and in which order, stands in the table of the features (Negotiation).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/net/connector.h"
#include "gateway/stream/negotiation.h"
#include "s2s/carrier.h"
#include "s2s/discover.h"
#include "s2s/peer_stanzas.h"

namespace causeway {

class OutgoingStream;
class StreamChannel;

/// Who owns an OutgoingStream, and hears of it.
class OutgoingOwner : public StreamUser {
public:
    /// An element that is not part of the negotiation.
    virtual void on_peer_element(OutgoingStream& stream, Element& element, Arena& arena) = 0;
    /// The peer has ended it with an error; on_stopped follows when we have ended it as well.
    virtual void on_peer_error(OutgoingStream&) {}

protected:
    ~OutgoingOwner() = default;
};

class OutgoingStream final : public Condemned,
                             public Negotiation,
                             public Carrier,
                             private StreamHandler,
                             private PeerStanzas::Stream,
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
    /// `local` and `remote` are normalised domains.
    OutgoingStream(Hub& hub, std::string local, std::string remote, Purpose purpose,
                   OutgoingOwner& owner);
    ~OutgoingStream() override;

    void start();
    /// Holds `list` for as long as it is there (ServerTable::opened).
    void is_counted_by(std::shared_ptr<const void> list) { counted_by_ = std::move(list); }
    /// Before start(): goes on with what an earlier stream left, if the peer does. `received`: what
    /// it has of the peer's stanzas, if it was bidirectional.
    void resume(LinkResumption resumption, std::unique_ptr<Receipts> received);
    /// What was received on this stream, or is left of an earlier one.
    [[nodiscard]] std::unique_ptr<Receipts> release_received() override;
    /// The peer's stanzas are taken on it.
    [[nodiscard]] bool bidirectional() const { return from_peer_ != nullptr; }
    /// Ends it in good order; on_stopped follows.
    void close();
    /// The owner goes on elsewhere: what the peer has on its way for us, or is to hear from us yet,
    /// is left to `heir`, which hears of the end. Ends the stream if it is not ending. False: there
    /// is nothing more.
    [[nodiscard]] bool end_for(OutgoingOwner& heir);
    /// The owner goes away: no further calls. Then hand it to Shard::condemn.
    void disown();
    /// Closed in good order it could not be resumed (XEP-0198 §5), and a peer that was only slow
    /// has what is then sent again.
    void fail(const Outcome& why) override { break_off(why); }

    [[nodiscard]] State state() const { return state_; }
    /// Only between `opening` and `established`.
    [[nodiscard]] XmppStream& stream() override { return *stream_; }
    [[nodiscard]] const XmppStream* stream_if_any() const { return stream_.get(); }
    [[nodiscard]] const std::string& local() const { return domain_; }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] std::string target() const {
        return target_.host.empty() ? std::string{} : to_string(target_);
    }
    [[nodiscard]] LinkResumption::By opened_by() const override { return LinkResumption::By::us; }
    [[nodiscard]] Report report_for(std::string_view local) const override;
    /// What became of each target of this attempt, and of the stream that came of it.
    [[nodiscard]] std::vector<TargetOutcome> outcomes() const;
    /// No target has answered yet.
    [[nodiscard]] bool without_connection() const { return state_ <= State::connecting; }

    // Sharing (XEP-0220 §2.6.1): further domains of ours on this stream.
    /// Whether `local` may be proven here: the peer goes on if it does not agree, and the
    /// certificate that it was shown is for that domain as well.
    [[nodiscard]] bool can_share(std::string_view local) const;
    /// Asks the peer to take stanzas from `local` here. `sharer` hears on_ready or on_stopped, and
    /// on_stopped when the stream ends; it calls unshare() before it goes.
    void share(std::string local, StreamUser& sharer);
    [[nodiscard]] bool shared() const;

private:
    // StreamHandler
    void on_stream_opened(const StreamHeader& header) override;
    void on_element(Element& element, Arena& arena) override;
    void on_stream_secured() override;
    [[nodiscard]] bool on_peer_end() override {
        return from_peer_ != nullptr && from_peer_->finish_for_peer();
    }
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

    // Carrier
    [[nodiscard]] bool carries() const override { return state_ == State::established; }
    [[nodiscard]] StreamUser* user_of(std::string_view local) const override {
        return local == domain_ ? owner_ : sharer(local);
    }
    void writable() override;

    // PeerStanzas::Stream
    void stanza_came() override;
    void on_safe() override;
    void finished() override;
    void on_skipped(const Element& start) override;
    bool take_from_peer(Element& element, Arena& arena);
    void refuse_key(const Element& element);

    void enabled(const Element& element);
    void count_from_peer();
    void resumed(const Element& element);
    void management_failed(const Element& element);
    void peer_acknowledges(const Element& element);
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
    /// What of the peer's is heard behind our end.
    [[nodiscard]] XmppStream::Rest rest() const;
    [[nodiscard]] Outcome why_given_up() const;
    void break_off(const Outcome& why);
    void ended(bool established, const Outcome& why);
    void sharer_answered(const Element& element);
    void note_failure(const Outcome& why, bool established);
    void expect_progress(std::chrono::seconds within);
    [[nodiscard]] bool negotiating() const {
        return state_ >= State::opening && state_ <= State::negotiating;
    }

    /// Hears when something is safe of what the peer sent on the stream that is to be gone on with.
    class UntilSafe final : public Receipts::Stream {
    public:
        explicit UntilSafe(OutgoingStream& owner) : owner_(owner) {}
        void on_safe() override { owner_.received_is_safer(); }

    private:
        OutgoingStream& owner_;
    };
    void received_is_safer();
    void ask_to_resume();
    enum Timers : std::uint32_t { one_step, whole_attempt, still_unsafe };

    const std::string remote_;
    OutgoingOwner* owner_;
    State state_ = State::resolving;
    unsigned redirections_ = 0;  ///< see-other-host that was followed
    std::unique_ptr<Discovery> discovery_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<XmppStream> stream_;
    std::unique_ptr<PeerStanzas> from_peer_;
    UntilSafe until_safe_{*this};
    std::unique_ptr<Receipts> received_;  ///< on the stream that this one is to go on with
    std::vector<ConnectTarget> targets_;
    ConnectTarget target_;
    std::vector<TargetOutcome> outcomes_;  ///< of what the connectors before have tried
    std::string stream_id_;
    std::string authentication_;
    Outcome last_failure_;  ///< of the target tried before
    std::shared_ptr<const void> counted_by_;
    Outcome end_;  ///< why the stream is being ended, if we know better than the transport
    Timer timer_;
    Timer total_;       ///< from start() until it is established
    Timer safe_timer_;  ///< until the peer hears what of its stanzas is safe, and sends the rest
                        ///< again
};

}  // namespace causeway
