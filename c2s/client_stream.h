// ClientStream: one client's XML stream, from its first byte to its last: negotiation, then the
// pipe of a ClientSession. After authentication it moves to the home shard of the account. With
// stream management the session may outlive it and go on over another. Owner: the ClientTable of
// its shard.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/session/hub.h"
#include "gateway/stream/negotiation.h"
#include "gateway/stream/stream.h"

namespace causeway {

class ClientSession;
class ClientTable;
struct KeptStream;

/// A client stream between two shards.
struct MovingClient {
    std::unique_ptr<DetachedChannel> channel;
    std::unique_ptr<Channel> proxy = {};  ///< instead, for a connection that cannot move
    std::string domain;
    Jid account;
    std::string mechanism;
    UnixMillis since = 0;
};

class ClientStream final : public Condemned,
                           public Negotiation,
                           private StreamHandler,
                           private TimerTarget {
public:
    ClientStream(Hub& hub, ClientTable& table, std::unique_ptr<Channel> channel);
    /// Goes on where another shard stopped: authenticated, the new header due.
    ClientStream(Hub& hub, ClientTable& table, std::unique_ptr<Channel> channel,
                 const MovingClient& moving);
    ~ClientStream() override;

    XmppStream& stream() override { return stream_; }
    [[nodiscard]] const XmppStream& stream() const { return stream_; }
    [[nodiscard]] const std::string& mechanism() const { return mechanism_; }
    [[nodiscard]] UnixMillis since() const { return since_; }
    /// The session lets go of the stream, which may be ending.
    void leave_session() { session_ = nullptr; }
    /// The session that asked for it goes on over this stream.
    void resumed();
    /// Answers an element of stream management with <failed/>; `h`: stanzas handled, where that is
    /// known.
    void refuse_management(std::string_view condition, std::string_view text,
                           std::optional<std::uint32_t> h = {});

    /// The same in answer to <resume/>; what the client sent behind that is read now.
    void refuse_resumption(std::string_view condition, std::string_view text,
                           std::optional<std::uint32_t> h = {});

    void authenticated(const Jid& identity, std::string_view mechanism,
                       std::string_view success) override;
    void bind(std::string_view resource, std::string_view iq_id) override;
    void manage(const Element& element) override;
    void dialback(const Element& element, Arena& arena) override;
    [[nodiscard]] Resource* session() override;
    [[nodiscard]] Outcome peer_proves(std::string_view claimed) const override;
    [[nodiscard]] std::string_view peer_domain() const override { return {}; }

private:
    void on_stream_opened(const StreamHeader& header) override;
    void on_element(Element& element, Arena& arena) override;
    void on_skipped(const Element& start) override;
    void on_stream_secured() override;
    [[nodiscard]] std::string_view own_name() const override { return some_domain(); }
    void on_stream_ending() override;
    void on_stream_closed(const Outcome& why) override;
    void on_stream_drained() override;
    void on_timer(std::uint32_t which) override;

    void raise_limits();
    void move_home();
    void bound(ClientSession& session);
    void give_up_session(bool orderly);
    void resume(const Element& element);
    void resume(ClientSession& session, std::uint32_t h);

    // A session of an earlier process (kept_session.cc)
    void look_for_kept(std::string token, std::uint32_t h);
    void found_kept(const KeptStream& kept, std::string_view token, std::uint32_t h);
    void none_to_resume(std::string_view token);

    ClientTable& table_;
    XmppStream stream_;
    ClientSession* session_ = nullptr;
    Timer deadline_;  ///< of the negotiation; absolute, no traffic extends it
    Jid account_;
    std::string mechanism_;
    UnixMillis since_;
    bool moving_ = false;
    bool looked_ = false;  ///< for a session of an earlier process, which a stream does once
};

}  // namespace causeway
