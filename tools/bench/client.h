// One XMPP client session of the load generator (RFC 6120): from the TCP connection through TLS,
// SASL and resource binding to stream management (XEP-0198), and from there stanza by stanza.
//
// A Client owns its connection; the Workbench that all clients share outlives them. How a session
// ended is told once through `ClientListener::on_ended`; a client can then be started again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "tools/bench/connection.h"
#include "tools/bench/scram.h"
#include "tools/bench/stanza_scanner.h"

namespace causeway::bench {

enum class Mechanism { plain, scram_sha_1, scram_sha_256 };

[[nodiscard]] std::string_view name_of(Mechanism mechanism);

struct ClientSettings {
    Address address;
    std::string domain;
    std::string user;
    std::string password;
    std::string resource;
    Mechanism mechanism = Mechanism::scram_sha_1;
    bool direct_tls = false;         ///< XEP-0368 instead of STARTTLS
    bool stream_management = false;  ///< XEP-0198, with acknowledgements asked for once a turn
    /// What the client answers of itself, about any node (XEP-0030 §3.1); empty: an error.
    std::string disco_info;
    bool resumable = false;  ///< keeps what it needs for `Client::resume`
};

/// What all clients of a run share.
struct Workbench {
    EventLoop loop;
    TlsEngine tls;
    ScramCache scram;
    Clock::duration timeout = std::chrono::seconds(30);  ///< for a login, a close, and any stall
};

class Client;

class ClientListener {
public:
    ClientListener() = default;
    ClientListener(const ClientListener&) = delete;
    ClientListener& operator=(const ClientListener&) = delete;
    virtual ~ClientListener() = default;

    virtual void on_ready(Client& client) = 0;
    /// A message, presence or iq that the client did not answer itself.
    virtual void on_stanza(Client& client, std::string_view stanza) = 0;
    /// The server has acknowledged `count` stanzas of this session in all.
    virtual void on_acknowledged(Client& client, std::uint64_t count) = 0;
    /// The session is over; `reason` is empty if it was closed as asked.
    virtual void on_ended(Client& client, const std::string& reason) = 0;
};

class Client final : private ConnectionObserver, private StanzaSink {
public:
    Client(Workbench& bench, ClientSettings settings, std::size_t index, ClientListener& listener);

    /// Begins to log in. The client must not be running.
    void start();

    /// Connects again and resumes the session that broke (XEP-0198 §5); what the server has not got
    /// is sent again once it says so. The client must not be running, and `can_resume`.
    void resume();

    /// True from the first login of a resumable client until the server refuses to resume.
    [[nodiscard]] bool can_resume() const { return !resumption_token_.empty(); }

    /// Sends one stanza at the end of the turn. The client must be ready.
    void send_stanza(std::string_view stanza);

    /// Asks once more for an acknowledgement; does nothing without stream management.
    void request_acknowledgement();

    /// Ends the stream in order; `on_ended` follows.
    void close();

    [[nodiscard]] bool is_ready() const { return state_ == State::ready; }
    [[nodiscard]] std::size_t index() const { return index_; }
    [[nodiscard]] const ClientSettings& settings() const { return settings_; }
    [[nodiscard]] std::string bare_jid() const { return settings_.user + '@' + settings_.domain; }
    [[nodiscard]] const std::string& full_jid() const { return full_jid_; }
    [[nodiscard]] std::uint64_t stanzas_sent() const { return sent_; }
    [[nodiscard]] TimePoint started_at() const { return started_at_; }
    [[nodiscard]] std::string tls_description() const { return connection_.tls_description(); }

    /// Gives the client another account; the client must not be running.
    void set_account(std::string user, std::string password, std::string resource);

private:
    enum class State {
        idle,
        connecting,
        awaiting_starttls,  // features before TLS
        starting_tls,       // <starttls/> sent
        handshaking,
        awaiting_mechanisms,
        authenticating,
        awaiting_bind,  // features after SASL
        binding,
        enabling,  // stream management
        resuming,
        ready,
        closing,
    };

    void on_connected() override;
    void on_secured() override;
    void on_bytes(std::string_view bytes) override;
    void on_before_flush() override;
    void on_disconnected(const std::string& reason) override;
    void on_stream_open(std::string_view header) override;
    void on_element(std::string_view element) override;
    void on_stream_close() override;

    void connect();
    void open_stream();
    void bind_or_resume(std::string_view features);
    void offer_credentials(std::string_view features);
    void continue_sasl(std::string_view element);
    void answer_challenge(std::string_view element);
    void finish_sasl(std::string_view element);
    void finish_binding(std::string_view element);
    void finish_enabling(std::string_view element);
    void finish_resuming(std::string_view element);
    void become_ready();
    void take_stanza(std::string_view element);
    bool answer_iq(std::string_view element);
    void take_acknowledgement(std::string_view element);
    void arm_deadline();
    void disarm_deadline();
    void end(const std::string& reason);
    [[nodiscard]] std::string_view doing() const;

    Workbench& bench_;
    ClientSettings settings_;
    std::size_t index_;
    ClientListener& listener_;
    Connection connection_;
    StanzaScanner scanner_;
    std::optional<ScramExchange> scram_;
    std::optional<EventLoop::TimerId> deadline_;
    std::string full_jid_;
    std::string resumption_token_;
    std::deque<std::string> unacknowledged_;  // of a resumable session
    TimePoint started_at_;
    State state_ = State::idle;
    bool server_proven_ = false;  // the server's SCRAM signature was right
    bool offers_stream_management_ = false;
    bool request_wanted_ = false;  // stanzas went out since the last <r/>
    std::uint64_t sent_ = 0;       // stanzas since stream management began
    std::uint64_t received_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t resumptions_ = 0;  // asked for since the login
};

}  // namespace causeway::bench
