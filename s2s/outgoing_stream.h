// OutgoingStream: one stream to another domain, from discovery to authentication: each target that
// DNS names is tried until one gets as far as it should. It does not queue; its owner waits for
// on_ready. Owner: a RemotePair (to send stanzas) or a DialbackVerification (to ask about a key).
#pragma once

#include <memory>
#include <string>

#include "gateway/net/connector.h"
#include "gateway/session/hub.h"
#include "gateway/stream/stream.h"
#include "s2s/discover.h"

namespace causeway {

class OutgoingStream;

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

protected:
    ~OutgoingOwner() = default;
};

/// A stream that is no longer anybody's but still on the stack, or still to say goodbye.
class Abandoned final : public Condemned {
public:
    explicit Abandoned(std::unique_ptr<XmppStream> stream) : stream_(std::move(stream)) {}

private:
    std::unique_ptr<XmppStream> stream_;
};

class OutgoingStream final : public Condemned, private StreamHandler, private TimerTarget {
public:
    enum class Purpose : unsigned char { stanzas, verification };
    enum class State : unsigned char { resolving, connecting, negotiating, established, stopped };

    /// `local` and `remote` are normalised domains.
    OutgoingStream(Hub& hub, std::string local, std::string remote, Purpose purpose,
                   OutgoingOwner& owner);
    ~OutgoingStream() override;

    void start();
    /// Ends it in good order; on_stopped follows.
    void close();
    /// The owner goes away: no further calls. Then hand it to Shard::condemn.
    void disown();

    [[nodiscard]] State state() const { return state_; }
    /// Only while negotiating or established.
    [[nodiscard]] XmppStream& stream() { return *stream_; }
    [[nodiscard]] const XmppStream* stream_if_any() const { return stream_.get(); }
    [[nodiscard]] const std::string& local() const { return local_; }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] const std::string& target() const { return target_text_; }
    /// "external" or "dialback"; empty before.
    [[nodiscard]] std::string_view authentication() const { return authentication_; }
    [[nodiscard]] const std::vector<ConnectTarget>& targets() const { return targets_; }
    /// It ended by the peer's error.
    [[nodiscard]] bool peer_failed() const { return peer_failed_; }

    /// Another of our domains may be proven on this stream, too (XEP-0220 §2.6.1): the peer goes on
    /// if it does not agree, and the certificate that it was shown is for that domain as well.
    [[nodiscard]] bool takes_guest(std::string_view local) const;
    /// Asks the peer to take stanzas from `local` here. The guest's calls are those of an owner:
    /// on_ready or on_stopped, and on_stopped when the stream ends; the guest removes itself before
    /// it goes.
    void add_guest(std::string local, OutgoingOwner& guest);
    void remove_guest(const OutgoingOwner& guest);
    [[nodiscard]] bool has_guests() const { return !guests_.empty(); }
    /// The peer ended it with an error while a guest waited for its answer.
    [[nodiscard]] bool failed_over_guest() const { return failed_over_guest_; }
    /// Ends it for its owner and all guests: on_stopped follows at once.
    void give_up(const Outcome& why) { stop(why); }

private:
    void on_stream_opened(const StreamHeader& header) override;
    void on_element(Element& element, Arena& arena) override;
    void on_stream_secured() override;
    void on_stream_closed(const Outcome& why) override;
    void on_stream_drained() override;
    void on_timer(std::uint32_t which) override;

    void look_for(const std::string& domain);
    void connect_to(std::vector<ConnectTarget> targets);
    bool follow(std::string_view other_host);
    void leave_target();
    void discovered(Result<Targets> targets);
    void connected(Result<ConnectedTarget> connected);
    void begin(ConnectedTarget connected);
    void begin_direct_tls(Channel& channel);
    std::unique_ptr<TlsEngine> make_engine() const;
    void send_header();
    void on_features(const Element& features);
    void on_tls(const Element& element);
    void on_sasl(const Element& element);
    void on_dialback(const Element& element);
    void on_stream_error(const Element& element, Arena& arena);
    bool judge_certificate();
    void choose_authentication();
    void start_dialback();
    void send_dialback_key(const std::string& local);
    void ready();
    void fail_target(const Outcome& why);
    void stop(const Outcome& why);
    void guest_answered(const Element& element);
    void stop_guests(const Outcome& why);
    void expect_progress(std::chrono::seconds within);

    struct Guest {
        std::string local;
        OutgoingOwner* owner = nullptr;
        bool proven = false;
    };

    Hub& hub_;
    std::string local_, remote_;
    Purpose purpose_;
    OutgoingOwner* owner_;
    State state_ = State::resolving;
    std::unique_ptr<Discovery> discovery_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<XmppStream> stream_;
    std::vector<ConnectTarget> targets_;
    std::vector<Guest> guests_;
    ConnectTarget target_;
    std::string target_text_;
    std::string stream_id_;
    std::string_view authentication_;
    std::string sasl_refusal_;
    Outcome last_failure_;  ///< of the target tried before
    Outcome end_;           ///< why the stream is being ended, if we know better than the transport
    Timer timer_;
    Timer total_;  ///< from start() until it is established
    bool secure_ = false;
    bool sasl_offered_ = false;
    bool dialback_errors_ = false;  ///< it offers dialback, and goes on after a refusal
    bool starttls_sent_ = false;
    bool sasl_sent_ = false;
    bool dialback_sent_ = false;
    bool authenticated_ = false;
    bool peer_failed_ = false;
    bool failed_over_guest_ = false;
    bool external_failed_ = false;  ///< the peer closed a stream because of it
    bool redirected_ = false;       ///< one see-other-host was followed
    bool featured_ = false;         ///< features came behind the latest header
    bool challenged_ = false;
    bool proven_ = false;  ///< the peer's certificate is for the remote domain
};

}  // namespace causeway
