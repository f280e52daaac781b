// SceneActor: one connection of somebody in a conversation, a client or another server, with its
// TLS, its reader and what came on it and was not looked at yet. It runs on the scene's thread;
// calls that wait let the world go on meanwhile and throw std::runtime_error when what they wait
// for never comes.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/net/socket.h"
#include "gateway/net/tls_engine.h"
#include "tests/support/scene_rules.h"
#include "tests/support/scene_world.h"
#include "tests/support/scene_xml.h"

namespace causeway::scene {

/// One thing that came.
struct Happening {
    enum class Kind : unsigned char {
        header,      ///< a stream header; `node` has its attributes
        element,     ///< a child of the stream
        stream_end,  ///< </stream:stream>
        closed,      ///< the connection is over
    };
    Kind kind = Kind::element;
    XmlNode node = {};
};

/// For a failure's report.
std::string to_text(const Happening& happening, std::string_view content_ns);

class SceneActor final : private SocketHandler {
public:
    SceneActor(SceneWorld& world, const Mode& mode, std::string name, std::string content_ns);
    SceneActor(const SceneActor&) = delete;
    SceneActor& operator=(const SceneActor&) = delete;
    ~SceneActor() = default;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& content_ns() const { return content_ns_; }
    [[nodiscard]] bool connected() const { return socket_ != nullptr; }
    [[nodiscard]] const TlsEngine* tls() const { return tls_.get(); }

    /// What came on an earlier connection must have been looked at.
    void connect(const Endpoint& to);
    /// A connection that was made to us; the same holds.
    void adopt(std::unique_ptr<Socket> socket);
    /// Breaks the connection off without a word.
    void drop();
    /// Sends `go_ahead` and makes the handshake; false if the other side breaks it off.
    bool start_tls(SSL_CTX* context, TlsEngine::Role role, std::shared_ptr<const void> owner,
                   const std::string& server_name, std::string_view go_ahead = {});
    /// Tells TLS and the network that nothing more is sent.
    void finish();

    /// Split as the mode says.
    void send(std::string_view text);
    /// The same, and what comes then belongs to a new stream.
    void send_last(std::string_view text);
    /// In one piece, whatever the mode.
    void send_at_once(std::string_view text);
    /// What comes next belongs to a new stream.
    void expect_new_stream();
    /// False: what comes stays in the network from here on, which holds little.
    void set_reading(bool reading);

    /// Waits; nothing if nothing comes. Headers are passed over unless asked for.
    std::optional<Happening> next(bool with_headers = false);
    /// The next element, which must have that name. Throws otherwise.
    XmlNode expect(std::string_view ns, std::string_view name);
    /// What came and was not looked at.
    [[nodiscard]] std::deque<Happening>& inbox() { return inbox_; }
    /// What came and should not have: something that was not looked at, or that breaks a rule
    /// which every stanza keeps. Empty if there is nothing.
    [[nodiscard]] std::string unexpected() const;

    /// Whom the actor plays; what it is sent is judged by that.
    Identity identity;
    /// The scene does not say all that comes.
    bool may_receive_more = false;
    /// Presence is passed over.
    bool ignores_presence = false;

    /// A server pings another behind its stanzas to learn whether they were handled; where that is
    /// not the point, a peer passes over it.
    bool hears_pings = true;
    /// A client answers the pings of its server by itself.
    bool answers_pings = true;
    std::string language;  ///< of its stream headers; empty: they name none
    std::string protocol;  ///< offered in TLS as a client (ALPN); empty: as the context says

    /// Stream management, from this actor's side.
    struct Management {
        bool enabled = false;
        bool automatic = true;  ///< answers <r/> by itself
        std::uint32_t received = 0;
        std::string previd;
    } management;

private:
    void on_readable() override;
    void on_writable() override;
    void take(std::string_view bytes);
    void take_records();
    void read_stream(std::string_view plain);
    void came(XmlNode element);
    /// `rule_broken` by it, if one is.
    void judge(const XmlNode& came, const std::string& rule_broken);
    void over();
    void write(std::string_view plain);
    void write_split(std::string_view text);
    void flush();

    SceneWorld& world_;
    const Mode& mode_;
    std::string name_;
    std::string content_ns_;
    std::unique_ptr<Connecting> connecting_;
    std::unique_ptr<Socket> socket_;
    std::unique_ptr<TlsEngine> tls_;
    std::unique_ptr<XmlReader> reader_;
    std::deque<Happening> inbox_;
    std::string ciphertext_;
    std::string unsent_;
    std::string trouble_;  ///< what the reader complained about
    std::string fault_;    ///< the first stanza that breaks a rule
    bool stream_over_ = false;
    bool broken_ = false;
    bool reading_ = true;  ///< false: it takes nothing from the network
};

}  // namespace causeway::scene
