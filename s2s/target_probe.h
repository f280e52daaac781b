// TargetProbe: one target of a domain, as far as a server gets that wants to federate with it:
// addresses, connection, TLS, certificate, features. Nothing is proven and nothing sent but what
// that takes. Owner: a DomainCheck.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/net/connector.h"
#include "gateway/session/hub.h"
#include "gateway/stream/stream.h"

namespace causeway {

class StreamChannel;

/// What one step showed.
struct DomainFinding {
    enum class Verdict : unsigned char { ok, warning, failure };
    std::string target = {};  ///< host and port; empty: the domain as a whole
    std::string_view step;    ///< "srv", "address", "connection", "tls", "certificate", "features"
    Verdict verdict = Verdict::ok;
    std::string text = {};
};

class TargetProbe final : private StreamHandler, private TimerTarget {
public:
    /// Begins at once. `done` is called once, later or from within a callback of the network; it
    /// must not destroy this.
    TargetProbe(Hub& hub, std::string domain, ConnectTarget target, std::function<void()> done);
    TargetProbe(const TargetProbe&) = delete;
    TargetProbe& operator=(const TargetProbe&) = delete;
    ~TargetProbe();

    [[nodiscard]] const std::vector<DomainFinding>& findings() const { return findings_; }
    /// A stream to it can be authenticated.
    [[nodiscard]] bool passed() const { return passed_; }

private:
    // StreamHandler
    void on_stream_opened(const StreamHeader& header) override;
    void on_element(Element& element, Arena& arena) override;
    void on_stream_secured() override;
    void on_stream_closed(const Outcome& why) override;
    void on_timer(std::uint32_t which) override;

    void connect(const Result<AddressAnswer>& answer);
    void begin(std::unique_ptr<Socket> socket);
    [[nodiscard]] std::unique_ptr<TlsEngine> engine() const;
    void send_header();
    void take_features(const Element& features, Arena& arena);
    void judge(const std::vector<std::string_view>& offered);
    void look_at_certificate();
    void ended_by_error(const Element& error, Arena& arena);
    void note(DomainFinding::Verdict verdict, std::string text);
    void fail(std::string why);
    void finish();

    Hub& hub_;
    const std::string domain_;
    const ConnectTarget target_;
    std::string local_;  ///< one of our domains; empty: it is the one that is looked at
    std::shared_ptr<const TlsSnapshot> tls_;
    std::function<void()> done_;
    std::string_view step_ = "address";
    std::vector<DomainFinding> findings_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<XmppStream> stream_;
    TimePoint began_;
    bool asked_for_tls_ = false;
    bool passed_ = false;
    Timer timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace causeway
