// NumberedClient: a client of the simulation that sends numbered messages, notes what becomes of
// them and of those that it reads, and comes back by itself when its connection breaks. With stream
// management it resumes, and sends again what the server has not handled (XEP-0198 §5). It never
// waits: tick() does what is due. Owner: the Play.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/net/socket.h"
#include "gateway/net/tls_engine.h"
#include "tests/loss/history.h"
#include "tests/support/scene_sim.h"
#include "tests/support/scene_xml.h"

namespace causeway::loss {

struct ClientPlan {
    std::string bare, domain, local, password;
    bool managed = true;
    /// How long it takes to answer <r/>.
    Duration answers_after{0};
};

class NumberedClient final : private SocketHandler {
public:
    /// What it tells, in its own name: an event of itself (`which` is not set), or of a message.
    struct Telling {
        std::function<void(Event::Kind, std::string note)> of_client;
        std::function<void(Event::Kind, std::size_t message)> of_message;
        std::function<void(const std::string& line)> journal;
    };

    NumberedClient(scene::SimWorld& world, SSL_CTX* tls, ClientPlan plan, Endpoint server,
                   Telling tell);
    NumberedClient(const NumberedClient&) = delete;
    NumberedClient& operator=(const NumberedClient&) = delete;
    ~NumberedClient() = default;

    /// Connects, answers, gives up: whatever is due.
    void tick();
    /// Sends when it can.
    void send(const std::string& to, std::size_t message);
    enum class Break : unsigned char {
        reset,  ///< both sides notice
        leave,  ///< the server takes the old connection for whole until the client is back
    };
    /// Comes back after `absence`.
    void lose_connection(Break how, Duration absence);
    /// Leaves in good order, and comes back in a new session, which reads what is left over.
    void begin_anew();

    [[nodiscard]] bool up() const { return state_ == State::up; }
    /// Up, and nothing that it sent waits for an acknowledgement.
    [[nodiscard]] bool quiet() const {
        return up() && waiting_.empty() && (!plan_.managed || unacknowledged_.empty());
    }

private:
    enum class State : unsigned char {
        away,
        connecting,
        shaking_hands,
        authenticating,
        authenticated,
        resuming,
        binding,
        enabling,
        up,
    };
    struct Unacknowledged {
        std::optional<std::size_t> message;
        std::string xml;
        bool in_earlier_session = false;
    };

    void on_readable() override;
    void on_writable() override { flush(); }

    void connect();
    void take(std::string_view bytes);
    void take_records();
    void read(std::string_view plain);
    void open_stream();
    void element(const scene::XmlNode& node);
    void features();
    void bind();
    void bound();
    void resumed(const scene::XmlNode& node);
    void not_resumed(const scene::XmlNode& node);
    void begin_session(bool anew);
    void stanza(const scene::XmlNode& node);
    void message(const scene::XmlNode& node);
    void acknowledge(const scene::XmlNode& node);
    void stanza_out(std::optional<std::size_t> message, std::string xml);
    void send_waiting();
    void ask();
    void write(std::string_view xml);
    void flush();
    void broken(const std::string& why);
    void drop(Break how);
    void wrong(const std::string& what);

    scene::SimWorld& world_;
    SSL_CTX* context_;
    ClientPlan plan_;
    Endpoint server_;
    Telling tell_;

    State state_ = State::away;
    TimePoint since_{};       ///< in that state
    TimePoint comes_back_{};  ///< when away
    std::unique_ptr<Connecting> connecting_;
    std::unique_ptr<Socket> socket_;
    std::vector<std::unique_ptr<Socket>> left_;  ///< that the server still takes for whole
    std::unique_ptr<TlsEngine> tls_;
    std::unique_ptr<scene::XmlReader> reader_;
    std::deque<scene::XmlNode> came_;
    bool stream_over_ = false;
    std::string ciphertext_, unsent_;

    std::string token_;  ///< to resume with; empty: there is nothing to resume
    std::uint32_t handled_ = 0;
    std::uint32_t acknowledged_ = 0;
    std::deque<Unacknowledged> unacknowledged_;
    std::deque<std::pair<std::string, std::size_t>> waiting_;  ///< to be sent: to whom, which
    TimePoint asked_at_{};
    bool asked_ = false;
    std::optional<TimePoint> answer_at_;
    bool looks_for_left_over_ = false;
};

}  // namespace causeway::loss
