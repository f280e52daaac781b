// TargetProbe: one target of a domain, as far as a server gets that wants to federate with it:
// addresses, connection, TLS, certificate, features. Nothing is proven and nothing sent but what
// that takes. Owner: a DomainCheck.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/connector.h"
#include "gateway/session/hub.h"
#include "gateway/stream/stream.h"
#include "s2s/other_host.h"

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
    enum class Hop : unsigned char {
        first,      ///< DNS names the target
        elsewhere,  ///< another target does: from there nobody is sent on (see OutgoingStream)
    };
    /// Begins at once. `done` is called once, later or from within a callback of the network; it
    /// must not destroy this.
    TargetProbe(Hub& hub, std::string domain, ConnectTarget target, Hop hop,
                std::function<void()> done);
    TargetProbe(const TargetProbe&) = delete;
    TargetProbe& operator=(const TargetProbe&) = delete;
    ~TargetProbe();

    [[nodiscard]] const std::vector<DomainFinding>& findings() const { return findings_; }
    /// A stream to it can be authenticated.
    [[nodiscard]] bool passed() const { return reached_ >= Reached::usable; }
    /// Its certificate proves the domain.
    [[nodiscard]] bool proven() const {
        return reached_ == Reached::proven || reached_ == Reached::usable_and_proven;
    }
    /// It sent us there (see-other-host).
    [[nodiscard]] const std::optional<OtherHost>& other_host() const { return other_host_; }

private:
    /// How far it got. With TLS from the first byte the first header comes behind the certificate.
    enum class Reached : unsigned char {
        nothing,
        header,  ///< it speaks XMPP
        asked_for_tls,
        proven,             ///< its certificate proves the domain
        usable,             ///< a stream can be authenticated, by dialback alone
        usable_and_proven,  ///< or by certificate
    };

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
    [[nodiscard]] bool sent_on(std::string_view text);
    void note(DomainFinding::Verdict verdict, std::string text);
    void fail(std::string why);
    [[nodiscard]] std::string_view advice(std::string_view why) const;
    void finish();

    Hub& hub_;
    const std::string domain_;
    const ConnectTarget target_;
    const Hop hop_;
    std::string local_;  ///< one of our domains; empty: it is the one that is looked at
    std::shared_ptr<const TlsSnapshot> tls_;
    std::function<void()> done_;
    std::string_view step_ = "address";
    std::vector<DomainFinding> findings_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<XmppStream> stream_;
    TimePoint began_;
    Reached reached_ = Reached::nothing;
    std::optional<OtherHost> other_host_;
    Timer timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace causeway
