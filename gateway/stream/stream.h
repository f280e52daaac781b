// XmppStream: one XML stream over one Channel (RFC 6120 §4; RFC 7395 for WebSocket): headers,
// restarts, stream errors and the closing handshake, for both directions and all kinds of streams.
// It turns bytes into elements and tells its owner; it knows nothing of what they mean. Between two
// stanzas it owns no parser. Owner: a session; both live on one shard.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/config/limits.h"
#include "gateway/net/channel.h"
#include "gateway/shard/shard.h"
#include "gateway/stream/stream_state.h"
#include "gateway/xml/parser.h"
#include "gateway/xmpp/errors.h"

namespace causeway {

/// The attributes of the peer's stream header or <open/>. Views, valid during the call.
struct StreamHeader {
    std::string_view to, from, id, version, lang;
};

/// What we write in ours.
struct OwnHeader {
    std::string to = {};
    std::string from = {};
    std::string id = {};
    bool dialback = false;  ///< declare the dialback namespace (XEP-0220 §2.1)
};

class StreamHandler {
public:
    /// The peer's header came. An accepting side answers with send_header().
    virtual void on_stream_opened(const StreamHeader& header) = 0;
    /// One whole child of the stream; it lives until the call returns.
    virtual void on_element(Element& element, Arena& arena) = 0;
    /// A stanza larger than what is allowed was passed over (Larger::is_skipped). The element has
    /// its name, and of its attributes to, from, id and type those that could be read.
    virtual void on_skipped(const Element&) {}
    /// TLS is up; a new header is due.
    virtual void on_stream_secured() = 0;
    /// The peer has ended its side in good order. True: ours is ended later, by close().
    [[nodiscard]] virtual bool on_peer_end() { return false; }
    /// What the peer sent ended the stream: by its end tag, or by a fault. Nothing more is read or
    /// written; on_stream_closed() follows when the transport is closed as well.
    virtual void on_stream_ending() {}
    /// The end, for that reason; the last call. ok: closed in good order.
    virtual void on_stream_closed(const Outcome& why) = 0;
    virtual void on_stream_drained() {}
    /// Who we are, for an error that comes before our header (RFC 6120 §4.9.1.2).
    [[nodiscard]] virtual std::string_view own_name() const { return {}; }

protected:
    ~StreamHandler() = default;
};

class XmppStream final : private ChannelHandler, private TimerTarget {
public:
    using State = XmppStreamState;

    /// `content_ns`: ns::client or ns::server.
    XmppStream(Shard& shard, std::unique_ptr<Channel> channel, std::string_view content_ns,
               StreamHandler& handler);
    XmppStream(const XmppStream&) = delete;
    XmppStream& operator=(const XmppStream&) = delete;
    ~XmppStream();

    /// What becomes of a stanza beyond the limits. It ends the stream of a peer that has not
    /// authenticated; the stream of one that has goes on without the stanza.
    enum class Larger : unsigned char { ends_stream, is_skipped };
    /// The limits outlive a reload: the stream keeps those it was given.
    void set_limits(std::shared_ptr<const Limits> limits, std::size_t stanza_bytes,
                    Larger larger = Larger::ends_stream);
    /// Input beyond this rate is left to the system (and so to the sender) for a while; 0: no
    /// bound.
    void set_rate(std::size_t bytes_per_second, std::size_t burst_bytes);

    /// Opens our side, or answers the peer's opening; again after each restart.
    void send_header(const OwnHeader& header);
    /// Writes one whole element or stanza in canonical form.
    void send(std::string_view xml);
    /// Writes `<stream:NAME>inner</stream:NAME>`.
    void send_stream_element(std::string_view name, std::string_view inner);

    /// The peer is to send a new header: after SASL. What follows the current element is read by a
    /// new parser.
    void restart();
    /// Sends `go_ahead` and starts TLS. If the peer sent anything but white space behind the
    /// element that asked for it, the stream ends instead: those bytes were not protected
    /// (CVE-2011-0411).
    void start_tls(std::string_view go_ahead, std::unique_ptr<TlsEngine> engine);

    /// What becomes of stanzas that the peer sends before it has heard of our end. They are heard
    /// until it ends its side as well, for a few seconds.
    enum class Rest : unsigned char { is_lost, is_heard };
    /// Ends the stream with an error (RFC 6120 §4.9). `extra`: an application condition's XML.
    void fail(std::string_view condition, std::string_view text, std::string_view extra = {});
    /// The same where the error is none of the peer's, and what it has on its way may be heard.
    void fail(std::string_view condition, std::string_view text, Rest rest) {
        end_with(condition, text, {}, rest);
    }
    /// Ends it in good order (RFC 6120 §4.4). One whose rest is being heard is ended for good, if
    /// that is not wished again.
    void close(Rest rest = Rest::is_lost);

    /// The handler gets no further calls; for a stream that is being left behind.
    void silence() { channel_->set_handler(nullptr); }

    /// Why input is left to the system for a while; it is read again when no reason is left.
    enum class Pause : unsigned char {
        rate = 1,
        progress = 2,
        output = 4,  ///< the peer does not take what it is sent
        held = 8,    ///< hold(): reading goes on with let_go(), elsewhere, or never
    };
    void pause(Pause reason);
    void resume(Pause reason);

    [[nodiscard]] State state() const { return state_; }
    /// When the peer last sent anything.
    [[nodiscard]] TimePoint heard() const { return heard_; }
    /// Bytes that the parser holds for this stream; none between two stanzas.
    [[nodiscard]] std::size_t parser_heap() const {
        return parser_ == nullptr ? 0 : parser_->heap();
    }
    /// It is not ending.
    [[nodiscard]] bool usable() const { return state_ < State::hearing; }
    /// What is sent goes out: also before our end, when the peer has ended its side.
    [[nodiscard]] bool takes_output() const { return usable() || state_ == State::ended; }
    /// One side has ended it, and the connection is still there.
    [[nodiscard]] bool is_ending() const { return !usable() && state_ != State::closed; }
    [[nodiscard]] Channel& channel() { return *channel_; }
    [[nodiscard]] const Channel& channel() const { return *channel_; }
    /// Why we ended it, for the log; empty if we did not.
    [[nodiscard]] const std::string& failure() const { return failure_; }

    /// Stops reading for good and hands the connection over, to go on elsewhere where restart()
    /// left it. nullptr if it cannot move; the stream then goes on here.
    std::unique_ptr<DetachedChannel> detach();
    /// What is known of an open stream that goes on elsewhere.
    struct Opened {
        std::string context = {};   ///< of its parser; empty: a header is due
        std::string language = {};  ///< see StreamHeader::lang
    };
    [[nodiscard]] Opened opened() const {
        return context_ == nullptr ? Opened{} : Opened{*context_, language_};
    }
    /// Goes on with an open stream that was held and detached on another shard.
    void go_on(const Opened& opened);
    /// Holds back further input, exactly behind the element that is being handled, until let_go(),
    /// detach() or release().
    void hold();
    /// Goes on here with what was held back. Called while that element is still being handled, it
    /// is as if nothing had been held.
    void let_go();
    [[nodiscard]] bool is_held() const {
        return (pauses_ & static_cast<unsigned char>(Pause::held)) != 0;
    }
    /// Gives up the channel, for one that cannot detach; the stream is then dead.
    std::unique_ptr<Channel> release();

private:
    void on_bytes(std::string_view bytes) override;
    void on_secured() override;
    void on_channel_closed(const Outcome& why) override;
    void on_drained() override;
    enum Timers : std::uint32_t { rate_allows, rest_over };
    void on_timer(std::uint32_t which) override;

    /// The one place where the state changes.
    void take(XmppStreamEvent event) { state_ = next(state_, event); }
    /// Whether bytes stand behind an element that came with them, and was handled already.
    enum class Stands : unsigned char { first, behind };
    void take_in(std::string_view bytes, Stands where);
    void read(Stands where);
    bool pass_declaration(std::string_view& message);
    void go_on_with(std::string_view rest, XmlEvent& event);
    void lease_parser();
    void charge(std::size_t bytes);
    void end_with(std::string_view condition, std::string_view text, std::string_view extra,
                  Rest rest);
    void handle(XmlEvent event);
    void open(const Element& header);
    void hand_over(Element& element);
    void handle_header(const Element& header);
    void handle_framed(Element& element);
    bool framed() const { return channel_->framed(); }
    [[nodiscard]] std::string end_of_stream() const;
    /// What came behind the element that is being handled.
    [[nodiscard]] std::string_view rest() const {
        return input_.substr(input_.size() - parser_->unconsumed());
    }

    /// Whether input is being handled, up the stack.
    enum class Reading : unsigned char { no, yes, until_restart };
    struct ReadRate {
        std::size_t bytes_per_second = 0;  ///< 0: no bound
        std::size_t burst = 0;
        std::int64_t paid_until = 0;  ///< nanoseconds: when what was read is within the rate again
        Timer timer;                  ///< while `hearing`: until the peer's rest is heard no longer
    };

    Shard& shard_;
    std::unique_ptr<Channel> channel_;
    StreamHandler* handler_;
    std::unique_ptr<XmlStreamParser> parser_;     ///< while input is being read or partial
    std::shared_ptr<const std::string> context_;  ///< how to lease one; nullptr before the header
    std::shared_ptr<const Limits> limits_;
    std::string_view content_ns_;
    std::string failure_;
    std::string leftover_;    ///< input behind the element after which we are held
    std::string language_;    ///< xml:lang of the peer's header; empty if it named none
    std::string_view input_;  ///< while reading: the bytes that the parser was fed last
    std::size_t stanza_bytes_ = 0;
    Larger larger_ = Larger::ends_stream;
    TimePoint heard_;
    ReadRate rate_;
    State state_ = State::awaiting_header;
    Reading reading_ = Reading::no;
    unsigned char pauses_ = 0;
};

}  // namespace causeway
