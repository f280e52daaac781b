#include "s2s/target_probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "gateway/net/certificate.h"
#include "gateway/net/stream_channel.h"
#include "gateway/net/system_network.h"
#include "gateway/stream/abandoned.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/errors.h"
#include "gateway/xmpp/jid.h"
#include "s2s/connector_limits.h"
#include "s2s/peer_identity.h"

namespace causeway {
namespace {

using Found = DomainFinding::Verdict;

constexpr std::string_view external = "SASL EXTERNAL";
constexpr std::string_view dialback = "dialback";
constexpr UnixMillis day = 86'400'000;
/// Left of a certificate, when it is time to care: from then on its own server warns as well.
constexpr UnixMillis soon = 21 * day;

/// Another of our domains than the one that is looked at, if there is one.
std::string local_for(const TlsSnapshot& tls, std::string_view domain) {
    for (const DomainTls* each : tls.all()) {
        if (each->domain != domain) return each->domain;
    }
    return {};
}

bool offers_external(const Element& features, Arena& arena) {
    const Element* mechanisms = features.child(ns::sasl, "mechanisms");
    if (mechanisms == nullptr) return false;
    for (const Element* each = mechanisms->first_element(); each != nullptr;
         each = each->next_element()) {
        if (each->text(arena) == "EXTERNAL") return true;
    }
    return false;
}

std::vector<std::string_view> what_is_offered(const Element& features, Arena& arena) {
    std::vector<std::string_view> names;
    if (offers_external(features, arena)) names.push_back(external);
    if (features.child(ns::dialback_feature, "dialback") != nullptr) names.push_back(dialback);
    if (features.child(ns::stream_management, "sm") != nullptr) {
        names.emplace_back("stream management");
    }
    if (features.child(ns::bidi_feature, "bidi") != nullptr) {
        names.emplace_back("streams in both directions");
    }
    return names;
}

}  // namespace

TargetProbe::TargetProbe(Hub& hub, std::string domain, ConnectTarget target, Hop hop,
                         std::function<void()> done)
    : hub_(hub),
      domain_(std::move(domain)),
      target_(std::move(target)),
      hop_(hop),
      local_(local_for(*hub.tls, domain_)),
      tls_(hub.tls),
      done_(std::move(done)),
      began_(hub.clock().now()) {
    hub_.shard.timers().arm(
        timer_, std::chrono::duration_cast<Duration>(hub_.limits().link_connect_seconds), *this);
    hub_.resolver.addresses(target_.host, [this, alive = std::weak_ptr<bool>(alive_)](
                                              const Result<AddressAnswer>& answer) {
        if (!alive.expired() && done_) connect(answer);
    });
}

TargetProbe::~TargetProbe() {
    if (stream_ != nullptr) hub_.shard.condemn(std::make_unique<Abandoned>(std::move(stream_)));
}

void TargetProbe::note(Found verdict, std::string text) {
    findings_.push_back(
        {.target = to_string(target_), .step = step_, .verdict = verdict, .text = std::move(text)});
}

void TargetProbe::fail(std::string why) {
    if (!done_) return;
    note(Found::failure, std::move(why));
    finish();
}

void TargetProbe::finish() {
    timer_.cancel();
    if (stream_ != nullptr) {
        stream_->close();
        stream_->silence();
    }
    const auto done = std::exchange(done_, {});
    if (done) done();
}

void TargetProbe::on_timer(std::uint32_t) {
    fail(
        fmt::format("there was no answer within {} s", hub_.limits().link_connect_seconds.count()));
}

// ---- the way to it ----

void TargetProbe::connect(const Result<AddressAnswer>& answer) {
    if (!answer) {
        fail(answer.error().why());
        return;
    }
    std::vector<std::string> addresses;
    for (const Address& address : answer->addresses) addresses.push_back(address.to_string());
    note(Found::ok, fmt::format("{}", fmt::join(addresses, ", ")));
    step_ = "connection";
    began_ = hub_.clock().now();
    connector_ = std::make_unique<Connector>(
        hub_.network, hub_.resolver, hub_.shard.timers(), hub_.clock(), std::vector{target_},
        connector_limits(hub_), [this](Result<ConnectedTarget> connected) {
            if (!done_) return;  // too late
            if (connected) {
                begin(std::move(connected->socket));
            } else {
                fail(connected.error().why());
            }
        });
}

void TargetProbe::begin(std::unique_ptr<Socket> socket) {
    note(Found::ok, fmt::format("to {} in {} ms", to_string(socket->remote()),
                                (hub_.clock().now() - began_).count()));
    step_ = "tls";
    auto channel = std::make_unique<StreamChannel>(hub_.shard, std::move(socket));
    StreamChannel& raw = *channel;
    stream_ = std::make_unique<XmppStream>(hub_.shard, std::move(channel), ns::server,
                                           static_cast<StreamHandler&>(*this));
    stream_->set_limits(hub_.shared_limits(), hub_.limits().stanza_bytes_unauthenticated);
    if (target_.direct_tls) {
        raw.start_tls(engine(), TransportKind::direct_tls);
    } else {
        send_header();
    }
}

std::unique_ptr<TlsEngine> TargetProbe::engine() const {
    const DomainTls* ours = local_.empty() ? &tls_->first() : tls_->find(local_);
    return std::make_unique<TlsEngine>(ours->connecting.get(), TlsEngine::Role::client, tls_,
                                       domain_to_ascii(domain_));
}

void TargetProbe::send_header() {
    stream_->send_header({.to = domain_, .from = local_, .dialback = true});
}

// ---- what it says ----

void TargetProbe::on_stream_secured() {
    const TlsEngine* tls = stream_->channel().tls();
    note(Found::ok, fmt::format("{}, {}, {}", tls->version(), tls->cipher(),
                                target_.direct_tls ? "from the first byte" : "by STARTTLS"));
    step_ = "certificate";
    look_at_certificate();
    step_ = "features";
    send_header();
}

void TargetProbe::look_at_certificate() {
    const TlsEngine* tls = stream_->channel().tls();
    if (const Outcome proof = certificate_proves(tls, domain_); !proof) {
        const bool dialback_will_do =
            hub_.config->s2s.authentication != Config::PeerAuthentication::certificate;
        note(dialback_will_do ? Found::warning : Found::failure,
             dialback_will_do
                 ? fmt::format("{}; only dialback is left, and servers that ask for a certificate "
                               "refuse it",
                               proof.why())
                 : proof.why());
        return;
    }
    reached_ = Reached::proven;
    const CertificatePointer certificate = tls->peer_certificate();
    const UnixMillis end = not_after(certificate.get());
    const UnixMillis left = end - hub_.clock().wall();
    note(
        left < soon ? Found::warning : Found::ok,
        fmt::format("for {}, until {} ({} days), by {}", describe(names_of(certificate.get())),
                    format_date_time(end).substr(0, 10), left / day, issuer_of(certificate.get())));
}

void TargetProbe::on_stream_opened(const StreamHeader& header) {
    if (reached_ == Reached::nothing) reached_ = Reached::header;
    if (header.version.empty()) fail("it speaks no XMPP 1.0, and so cannot encrypt");
}

void TargetProbe::on_element(Element& element, Arena& arena) {
    if (!done_) return;
    if (element.ns == ns::stream && element.name == "features") {
        take_features(element, arena);
    } else if (element.ns == ns::stream && element.name == "error") {
        ended_by_error(element, arena);
    } else if (element.ns == ns::tls && reached_ == Reached::asked_for_tls && step_ == "tls" &&
               element.name == "proceed") {
        stream_->start_tls({}, engine());
    } else if (element.ns == ns::tls && step_ == "tls") {
        fail("it cannot start TLS");
    }
}

void TargetProbe::take_features(const Element& features, Arena& arena) {
    if (step_ == "tls") {
        if (features.child(ns::tls, "starttls") == nullptr) {
            fail("it offers no TLS");
        } else if (std::exchange(reached_, Reached::asked_for_tls) == Reached::asked_for_tls) {
            // Each would have an answer, which nobody has to read.
            fail("it sent its features twice");
        } else {
            stream_->send(XmlBuilder().empty("starttls", ns::tls).take());
        }
        return;
    }
    judge(what_is_offered(features, arena));
}

void TargetProbe::judge(const std::vector<std::string_view>& offered) {
    const auto is_offered = [&](std::string_view what) {
        return std::ranges::find(offered, what) != offered.end();
    };
    const bool by_certificate = is_offered(external);
    const bool dialback_will_do =
        hub_.config->s2s.authentication != Config::PeerAuthentication::certificate;
    if (!by_certificate && tls_->find(domain_) != nullptr) {
        // Nobody proves to us that he is one of us, so that nothing is offered for it.
        note(Found::ok,
             "SASL EXTERNAL, for servers with a certificate of their own; this one asked "
             "itself");
    } else if (by_certificate || (dialback_will_do && is_offered(dialback))) {
        note(Found::ok, fmt::format("{}", fmt::join(offered, ", ")));
    } else if (dialback_will_do) {
        // A server may take it without announcing it (XEP-0220 §2.3.1).
        note(Found::warning, "no way to authenticate; dialback may be taken all the same");
    } else {
        fail("it offers no SASL EXTERNAL, and s2s.authentication asks for certificates");
        return;
    }
    if (reached_ == Reached::proven) {
        reached_ = Reached::usable_and_proven;
    } else if (dialback_will_do) {
        reached_ = Reached::usable;
    }
    finish();
}

void TargetProbe::ended_by_error(const Element& error, Arena& arena) {
    const Element* condition = error.first_element();
    const Element* text = error.child(ns::stream_errors, "text");
    const Element* elsewhere = error.child(ns::stream_errors, see_other_host);
    if (elsewhere != nullptr && sent_on(elsewhere->text(arena))) return;
    fail(fmt::format("it ended the stream: {}{}",
                     condition == nullptr ? "an error" : condition->name,
                     text == nullptr ? std::string{} : fmt::format(" ({})", text->text(arena))));
}

/// False: that is no address.
bool TargetProbe::sent_on(std::string_view text) {
    std::optional<OtherHost> other = read_other_host(text);
    if (!other) return false;
    if (hop_ == Hop::elsewhere) {
        fail(fmt::format("it says that its server is {}; a second time nobody goes elsewhere",
                         text));
        return true;
    }
    note(Found::ok, fmt::format("it says that its server is {}", text));
    other_host_ = std::move(other);
    finish();
    return true;
}

/// What a port of another kind looks like from here: records that name one are a common mistake.
std::string_view TargetProbe::advice(std::string_view why) const {
    if (step_ != "tls" || reached_ >= Reached::header) return {};
    if (target_.direct_tls) return "; a port for STARTTLS belongs under _xmpp-server";
    if (why.starts_with(stream_error::invalid_namespace)) return "; it may be a port for clients";
    return "; a port for TLS from the first byte belongs under _xmpps-server";
}

void TargetProbe::on_stream_closed(const Outcome& why) {
    const std::string text = why.ok() ? "it ended the stream" : why.why();
    fail(fmt::format("{}{}", text, advice(text)));
}

}  // namespace causeway
