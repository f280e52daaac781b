// IncomingStream: a stream that another server opened to us. It carries stanzas for the domain
// pairs that were proven on it, by certificate (SASL EXTERNAL) or by dialback, and for no others.
// PeerStanzas takes them. It also answers questions about our own dialback keys. Owner: the
// ServerTable of the shard that accepted it, until it proves a first domain; then the ServerLink of
// that domain, on whose home shard it goes on.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/stream/negotiation.h"
#include "s2s/carrier.h"
#include "s2s/dialback_verification.h"
#include "s2s/peer_stanzas.h"

namespace causeway {

class ServerTable;
class ServerLink;
struct MovingServer;

class IncomingStream final : public Condemned,
                             public Negotiation,
                             public Carrier,
                             private StreamHandler,
                             private PeerStanzas::Stream,
                             private TimerTarget {
public:
    using Pair = PeerStanzas::Pair;

    IncomingStream(Hub& hub, ServerTable& table, std::unique_ptr<Channel> channel);
    /// One that moved here; its channel is `channel` already. go_on() follows.
    IncomingStream(Hub& hub, ServerTable& table, std::unique_ptr<Channel> channel,
                   const MovingServer& moving);
    ~IncomingStream() override;

    XmppStream& stream() override { return stream_; }
    /// Pairs and how each was proven ("external" or "dialback").
    [[nodiscard]] const std::map<Pair, std::string_view>& pairs() const {
        return from_peer_.pairs();
    }
    [[nodiscard]] UnixMillis since() const { return since_; }
    /// The network that the peer is in.
    [[nodiscard]] const std::string& network() const { return network_; }
    /// The link of the domain that it proved first; nullptr before.
    [[nodiscard]] ServerLink* link() const { return link_; }
    void belongs_to(ServerLink* link) { link_ = link; }
    /// What it has of the peer's stanzas; nullptr if none are counted.
    [[nodiscard]] Receipts* receipts() const { return from_peer_.receipts(); }
    /// For another stream of the peer, which goes on where this one stopped.
    [[nodiscard]] std::unique_ptr<Receipts> release_receipts();
    /// See Receipts.
    void note_stamping() {
        if (receipts() != nullptr) receipts()->note_stamping();
    }
    /// What this server has for the domain of the link may go on it (XEP-0288).
    enum class WayBack : unsigned char {
        none,  ///< not on this one, or not for that domain of ours
        soon,  ///< proven, but the negotiation goes on
        open,
    };
    [[nodiscard]] WayBack way_back(const std::string& local) const;
    /// `user` sends on it for `local`, for which the way back is open.
    void carry(std::string local, StreamUser& user);
    [[nodiscard]] LinkResumption::By opened_by() const override { return LinkResumption::By::peer; }
    [[nodiscard]] Report report_for(std::string_view local) const override;
    void fail(const Outcome& why) override;
    /// Those who send on it go elsewhere.
    void end_way_back(const Outcome& why);

    /// The process is about to end.
    void shut_down() { leave(Leaving::process_ends); }
    /// It costs both sides; the peer opens a new one when there is something to say.
    void end_unused() { leave(Leaving::unused); }
    /// Continues what it moved for.
    void go_on(MovingServer moving);

    void authenticated(const Jid& identity, std::string_view mechanism,
                       std::string_view success) override;
    void bind(std::string_view resource, std::string_view iq_id) override;
    void manage(const Element& element) override;
    void dialback(const Element& element, Arena& arena) override;
    [[nodiscard]] Outcome peer_proves(std::string_view claimed) const override;
    [[nodiscard]] std::string_view peer_domain() const override { return peer_domain_; }

private:
    void on_stream_opened(const StreamHeader& header) override;
    void on_element(Element& element, Arena& arena) override;
    void on_skipped(const Element& start) override {
        if (from_peer_.takes()) from_peer_.skipped(start);
    }
    void on_stream_secured() override;
    [[nodiscard]] bool on_peer_end() override {
        return resuming_ == Resuming::no && from_peer_.finish_for_peer();
    }
    [[nodiscard]] std::string_view own_name() const override { return some_domain(); }
    void on_stream_closed(const Outcome& how) override;
    void on_timer(std::uint32_t which) override;
    void on_stream_drained() override;
    [[nodiscard]] bool carries() const override { return back_ == Back::open; }
    void used() override { touch(); }
    void stanza_came() override;
    void on_safe() override;
    void finished() override;

    // Stream management:
    void enable(const Element& element);
    void resume(const Element& element);
    void go_on_with(std::string token);
    void finish_resumption();
    bool begin_way_back_anew();
    void acknowledged_by_peer(const Element& element);
    void open_way_back();
    void expect_requests();
    void give_up_resumption();
    [[nodiscard]] bool may_resume() const;
    void leave_receipts(bool broke);
    void peer_may_forget();
    void refuse_management(std::string_view condition, std::optional<std::uint32_t> h);
    void refuse_count(std::uint32_t h, std::uint32_t sent);

    void dialback_result(const Pair& pair, std::string key);
    void move_home(Hub& home, MovingServer moving);
    void dialback_verify(const Element& element, const Pair& pair, std::string_view key);
    void verified(const Pair& pair, const Outcome& outcome);
    void end_verification(const Pair& pair);
    void proven(const Pair& pair, std::string_view how);
    void touch();
    /// Why we end it: as soon as what came is safe, which the peer hears before.
    enum class Leaving : unsigned char { unused, process_ends };
    void leave(Leaving why);
    void say_goodbye();

    ServerTable& table_;
    ServerLink* link_ = nullptr;
    const std::string network_;  ///< that the peer comes from
    XmppStream stream_;
    std::string id_;           ///< of our latest header; dialback keys are bound to it
    std::string peer_domain_;  ///< `from` of the peer's latest header
    std::string peer_error_;   ///< of End::peer_error: its condition
    PeerStanzas from_peer_;
    std::map<Pair, std::unique_ptr<DialbackVerification>> verifying_;
    enum Timers : std::uint32_t { idle, final_late, way_back_due };
    /// Whether stanzas of ours go on it.
    enum class Back : unsigned char { not_yet, open, over };
    Timer timer_;
    Timer final_timer_;     ///< until what an earlier stream brought is safe
    Timer way_back_timer_;  ///< until a peer that asks for nothing more is sent stanzas
    UnixMillis since_;
    Back back_ = Back::not_yet;
    Leaving leaving_ = Leaving::unused;
    /// What is due before <resumed/> can be sent.
    enum class Resuming : unsigned char { no, looking, until_safe };
    Resuming resuming_ = Resuming::no;
    std::uint32_t resumed_h_ = 0;  ///< stanzas of ours that the peer has, as it said in <resume/>
    TimePoint until_{};            ///< when a domain has to be proven
};

/// A stream on its way to the home shard of a remote domain.
struct MovingServer {
    std::unique_ptr<DetachedChannel> channel = {};
    XmppStream::Opened opened = {};
    TimePoint until = {};  ///< when a domain has to be proven
    unsigned bits = 0;     ///< what the stream has reached
    std::string id = {}, peer_domain = {}, domain = {};
    UnixMillis since = 0;
    IncomingStream::Pair pair = {};
    enum class Proof : unsigned char { given, dialback_key };
    Proof proof = Proof::given;  ///< of the pair: by certificate, or to be had for `key`
    std::string key = {};
};

}  // namespace causeway
