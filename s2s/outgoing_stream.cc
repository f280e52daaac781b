#include "s2s/outgoing_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/net/stream_channel.h"
#include "gateway/net/system_network.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"
#include "gateway/xmpp/domain.h"
#include "s2s/dialback_key.h"
#include "s2s/peer_identity.h"

namespace causeway {
namespace {

enum : std::uint32_t { one_step, whole_attempt };
constexpr std::string_view see_other_host = "see-other-host";

Duration millis(std::chrono::seconds seconds) {
    return std::chrono::duration_cast<Duration>(seconds);
}

// What a stream error says about trying again: the peer does not know us or our name, or it is only
// not well at the moment.
Cause cause_of(std::string_view condition) {
    if (condition == stream_error::host_unknown || condition == stream_error::host_gone) {
        return Cause::absent;
    }
    constexpr std::array<std::string_view, 6> lasting{
        stream_error::improper_addressing, stream_error::invalid_from,
        stream_error::not_authorized,      stream_error::unsupported_version,
        stream_error::invalid_namespace,   stream_error::policy_violation};
    for (const std::string_view known : lasting) {
        if (known == condition) return Cause::refused;
    }
    return Cause::retry;
}

}  // namespace

OutgoingStream::OutgoingStream(Hub& hub, std::string local, std::string remote, Purpose purpose,
                               OutgoingOwner& owner)
    : hub_(hub),
      local_(std::move(local)),
      remote_(std::move(remote)),
      purpose_(purpose),
      owner_(&owner) {}

OutgoingStream::~OutgoingStream() = default;

void OutgoingStream::disown() {
    owner_ = nullptr;
    stop_guests(Outcome::retry("the stream was given up"));
    timer_.cancel();
    total_.cancel();
    discovery_.reset();
    connector_.reset();
    if (stream_ == nullptr) return;
    stream_->close();
    stream_->silence();
}

void OutgoingStream::expect_progress(std::chrono::seconds within) {
    hub_.shard.timers().arm(timer_, millis(within), *this, one_step);
}

void OutgoingStream::start() {
    hub_.shard.timers().arm(total_, millis(hub_.limits().link_connect_seconds), *this,
                            whole_attempt);
    look_for(domain_to_ascii(remote_));
}

void OutgoingStream::look_for(const std::string& domain) {
    state_ = State::resolving;
    const Limits& limits = hub_.limits();
    discovery_ = discover(
        domain, hub_.resolver, hub_.shard.timers(),
        {.targets = limits.targets, .patience = millis(limits.connect_seconds), .random = {}},
        [this](Result<Targets> targets) { discovered(std::move(targets)); });
}

void OutgoingStream::discovered(Result<Targets> targets) {
    discovery_.reset();
    if (!targets) {
        stop(targets.error());
        return;
    }
    targets_ = std::move(targets->list);
    connect_to(targets_);
}

void OutgoingStream::connect_to(std::vector<ConnectTarget> targets) {
    state_ = State::connecting;
    const Limits& limits = hub_.limits();
    ConnectorLimits bounds;
    bounds.attempt = millis(limits.connect_seconds);
    bounds.total = millis(limits.link_connect_seconds);
    bounds.addresses_per_family = limits.addresses_per_target;
    if (const auto& source = hub_.config->s2s.bind) {
        (source->is_v4() ? bounds.source_v4 : bounds.source_v6) = *source;
    }
    connector_ = std::make_unique<Connector>(hub_.network, hub_.resolver, hub_.shard.timers(),
                                             hub_.clock(), std::move(targets), bounds,
                                             [this](Result<ConnectedTarget> connected_target) {
                                                 connected(std::move(connected_target));
                                             });
}

void OutgoingStream::connected(Result<ConnectedTarget> connected_target) {
    if (!connected_target) {
        stop(connected_target.error());
        return;
    }
    begin(std::move(*connected_target));
}

std::unique_ptr<TlsEngine> OutgoingStream::make_engine() const {
    const auto snapshot = hub_.tls;
    const DomainTls* tls = snapshot->find(local_);
    if (tls == nullptr) return nullptr;
    return std::make_unique<TlsEngine>(tls->connecting.get(), TlsEngine::Role::client, snapshot,
                                       domain_to_ascii(remote_));
}

void OutgoingStream::begin(ConnectedTarget connected_target) {
    target_ = connected_target.target;
    target_text_ = to_string(target_);
    state_ = State::negotiating;
    secure_ = starttls_sent_ = sasl_sent_ = dialback_sent_ = authenticated_ = proven_ = false;
    challenged_ = false;
    end_ = {};
    sasl_refusal_.clear();
    auto channel = std::make_unique<StreamChannel>(hub_.shard, std::move(connected_target.socket));
    StreamChannel& raw = *channel;
    stream_ = std::make_unique<XmppStream>(hub_.shard, std::move(channel), ns::server,
                                           static_cast<StreamHandler&>(*this));
    // Whom we connect to is as unknown as who connects to us: the same limits until it is proven.
    stream_->set_limits(hub_.shared_limits(), hub_.limits().stanza_bytes_unauthenticated);
    expect_progress(hub_.limits().connect_seconds);
    if (!target_.direct_tls) {
        send_header();
        return;
    }
    auto engine = make_engine();
    if (engine == nullptr) {
        stop(Outcome::policy(fmt::format("{} is no longer served here", local_)));
        return;
    }
    raw.start_tls(std::move(engine), TransportKind::direct_tls);
}

void OutgoingStream::send_header() {
    featured_ = false;
    stream_->send_header({.to = remote_, .from = local_, .dialback = true});
}

void OutgoingStream::on_stream_secured() {
    secure_ = true;
    expect_progress(hub_.limits().connect_seconds);
    if (judge_certificate()) send_header();
}

bool OutgoingStream::judge_certificate() {
    const Outcome proof = certificate_proves(stream_->channel().tls(), remote_);
    proven_ = proof.ok();
    if (proven_) return true;
    CAUSEWAY_LOG(info, "s2s.certificate", {"remote", remote_}, {"target", target_text_},
                 {"cause", proof.why()});
    if (hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        fail_target(Outcome::policy(fmt::format("{} cannot be trusted: {}", remote_, proof.why())));
        return false;
    }
    return true;
}

void OutgoingStream::on_stream_opened(const StreamHeader& header) {
    stream_id_ = header.id;
    expect_progress(hub_.limits().connect_seconds);
    if (header.version.empty()) {
        fail_target(
            Outcome::refused(fmt::format("{} speaks no XMPP 1.0, and so cannot encrypt", remote_)));
    }
}

void OutgoingStream::on_element(Element& element, Arena& arena) {
    if (element.ns == ns::stream) {
        if (element.name == "features") {
            on_features(element);
        } else if (element.name == "error") {
            on_stream_error(element, arena);
        }
        return;
    }
    if (element.ns == ns::tls && starttls_sent_ && !secure_) {
        on_tls(element);
    } else if (element.ns == ns::sasl && sasl_sent_ && !authenticated_) {
        on_sasl(element);
    } else if (element.ns == ns::dialback && element.name == "result" &&
               (dialback_sent_ || !guests_.empty())) {
        on_dialback(element);
    } else if (element.ns == ns::dialback && owner_ != nullptr && state_ == State::established) {
        owner_->on_peer_element(*this, element, arena);
    } else {
        // Stanzas come on the peer's own stream: here nobody has proven anything.
        end_ = Outcome::refused("it sent what does not belong on this stream");
        stream_->fail(stream_error::not_authorized, "send that on a stream of your own");
    }
}

void OutgoingStream::on_features(const Element& features) {
    if (std::exchange(featured_, true) || state_ != State::negotiating) {
        fail_target(Outcome::refused(fmt::format("{} sent its features twice", remote_)));
        return;
    }
    expect_progress(hub_.limits().connect_seconds);
    if (!secure_) {
        if (features.child(ns::tls, "starttls") == nullptr) {
            fail_target(Outcome::policy(fmt::format("{} offers no TLS", remote_)));
            return;
        }
        starttls_sent_ = true;
        stream_->send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        return;
    }
    const Element* dialback = features.child(ns::dialback_feature, "dialback");
    dialback_errors_ =
        dialback != nullptr && dialback->child(ns::dialback_feature, "errors") != nullptr;
    if (purpose_ == Purpose::verification || authenticated_) {
        ready();
        return;
    }
    sasl_offered_ = false;
    if (const Element* mechanisms = features.child(ns::sasl, "mechanisms")) {
        Arena scratch;
        for (const Element* m = mechanisms->first_element(); m != nullptr; m = m->next_element()) {
            sasl_offered_ = sasl_offered_ || m->text(scratch) == "EXTERNAL";
        }
    }
    choose_authentication();
}

void OutgoingStream::choose_authentication() {
    if (sasl_offered_ && !sasl_sent_ && !external_failed_) {
        sasl_sent_ = true;
        stream_->send(
            fmt::format("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
                        "mechanism='EXTERNAL'>{}</auth>",
                        base64_encode(local_)));
        return;
    }
    if (hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        fail_target(Outcome::refused(
            !sasl_refusal_.empty()
                ? fmt::format("{} did not accept our certificate: {}", remote_, sasl_refusal_)
                : fmt::format("{} does not accept certificates from us", remote_)));
        return;
    }
    start_dialback();
}

void OutgoingStream::send_dialback_key(const std::string& local) {
    std::string out = "<db:result";
    append_attribute(out, "from", local);
    append_attribute(out, "to", remote_);
    out += '>';
    out += dialback_key(hub_.shared.secret, remote_, local, stream_id_);
    out += "</db:result>";
    stream_->send(out);
}

void OutgoingStream::start_dialback() {
    dialback_sent_ = true;
    send_dialback_key(local_);
    // The peer now looks us up and connects back, which may take it some targets, too.
    expect_progress(hub_.limits().link_connect_seconds);
}

void OutgoingStream::on_tls(const Element& element) {
    if (element.name != "proceed") {
        fail_target(Outcome::retry("it could not start TLS"));
        return;
    }
    auto engine = make_engine();
    if (engine == nullptr) {
        stop(Outcome::policy(fmt::format("{} is no longer served here", local_)));
        return;
    }
    expect_progress(hub_.limits().connect_seconds);
    stream_->start_tls({}, std::move(engine));
}

void OutgoingStream::on_sasl(const Element& element) {
    expect_progress(hub_.limits().connect_seconds);
    if (element.name == "success") {
        authenticated_ = true;
        authentication_ = "external";
        stream_->restart();
        send_header();
        return;
    }
    if (element.name == "challenge" && !std::exchange(challenged_, true)) {
        // XEP-0178 §3: an empty challenge asks for the identity once more.
        stream_->send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</response>");
        return;
    }
    const Element* condition = element.first_element();
    sasl_refusal_ = condition == nullptr ? "it gave no reason" : std::string(condition->name);
    choose_authentication();
}

void OutgoingStream::on_dialback(const Element& element) {
    if (state_ == State::established) {
        guest_answered(element);
        return;
    }
    if (domain_of(element.attribute("from")) != remote_ ||
        domain_of(element.attribute("to")) != local_) {
        return;
    }
    const std::string_view type = element.attribute("type");
    if (type == "valid") {
        authenticated_ = true;
        authentication_ = "dialback";
        ready();
        return;
    }
    const Element* error = element.child(ns::client, "error");
    const Element* condition = error == nullptr ? nullptr : error->first_element();
    const std::string why =
        type == "invalid"
            ? fmt::format("{} says that our dialback key is invalid", remote_)
            : fmt::format("{} could not verify us by dialback: {}", remote_,
                          condition == nullptr ? "it gave no reason" : condition->name);
    // Another try does not change what the peer's rules say of us, nor that it is not that domain.
    const bool lasting = condition != nullptr &&
                         (condition->name == "policy-violation" ||
                          condition->name == "not-allowed" || condition->name == "not-authorized" ||
                          condition->name == "forbidden" || condition->name == "item-not-found");
    fail_target(type == "invalid" || lasting ? Outcome::refused(why) : Outcome::retry(why));
}

void OutgoingStream::on_stream_error(const Element& element, Arena& arena) {
    std::string_view condition = "no condition";
    std::string text, other_host;
    for (const Element* child = element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child->ns != ns::stream_errors) continue;
        if (child->name == "text") {
            text = fmt::format(" ({})", child->text(arena));
        } else {
            condition = child->name;
            if (condition == see_other_host) other_host = child->text(arena);
        }
    }
    if (!other_host.empty() && state_ == State::negotiating && !std::exchange(redirected_, true) &&
        follow(other_host)) {
        return;
    }
    peer_failed_ = true;
    end_ = Outcome(cause_of(condition),
                   fmt::format("{} ended the stream: {}{}", remote_, condition, text));
    stream_->close();
}

/// RFC 6120 §4.9.3.19: the peer's server is elsewhere. What is asked of it there is the same: its
/// certificate has to be for the remote domain, not for that host. False: that is no address.
bool OutgoingStream::follow(std::string_view other_host) {
    std::string_view host = other_host;
    std::uint16_t port = 0;
    if (const std::size_t colon = other_host.rfind(':');
        colon != std::string_view::npos && other_host.find(']', colon) == std::string_view::npos) {
        host = other_host.substr(0, colon);
        const char* const end = other_host.data() + other_host.size();
        const auto read = std::from_chars(other_host.data() + colon + 1, end, port);
        if (read.ec != std::errc{} || read.ptr != end || port == 0) return false;
    }
    std::string ascii = domain_to_ascii(domain_of(host));
    if (ascii.empty()) return false;
    CAUSEWAY_LOG(info, "s2s.see_other_host", {"remote", remote_}, {"target", target_text_},
                 {"host", other_host});
    leave_target();
    if (port == 0) {
        look_for(ascii);
        return true;
    }
    if (ascii.front() == '[') ascii = ascii.substr(1, ascii.size() - 2);
    targets_ = {{.host = std::move(ascii), .port = port}};
    connect_to(targets_);
    return true;
}

void OutgoingStream::leave_target() {
    timer_.cancel();
    discovery_.reset();
    connector_.reset();
    stream_->close();
    stream_->silence();
    hub_.shard.condemn(std::make_unique<Abandoned>(std::move(stream_)));
}

void OutgoingStream::ready() {
    if (purpose_ == Purpose::verification) {
        expect_progress(hub_.limits().connect_seconds);
    } else {
        timer_.cancel();
    }
    total_.cancel();
    state_ = State::established;
    connector_.reset();
    stream_->set_limits(hub_.shared_limits(), purpose_ == Purpose::verification
                                                  ? hub_.limits().stanza_bytes_unauthenticated
                                                  : hub_.limits().stanza_bytes_server);
    CAUSEWAY_LOG(info, "s2s.ready", {"local", local_}, {"remote", remote_},
                 {"authentication", authentication_}, {"target", target_text_});
    if (owner_ != nullptr) owner_->on_ready(*this);
}

void OutgoingStream::fail_target(const Outcome& why) {
    end_ = why;
    stream_->close();
    // A certificate or an offer that does not do may be another machine's fault: the next target
    // may be right. Without one, this is the reason.
    if (connector_ == nullptr || state_ != State::negotiating) {
        stop(why);
        return;
    }
    timer_.cancel();
    stream_->silence();
    hub_.shard.condemn(std::make_unique<Abandoned>(std::move(stream_)));
    state_ = State::connecting;
    last_failure_ = why;
    connector_->next(why);
}

void OutgoingStream::stop(const Outcome& why) {
    if (state_ == State::stopped) return;
    const bool established = state_ == State::established;
    state_ = State::stopped;
    timer_.cancel();
    total_.cancel();
    discovery_.reset();
    if (stream_ != nullptr) stream_->close();
    // A verdict on us or on a certificate outweighs that the other targets did not answer.
    const Outcome& verdict =
        !established && !why.ok() && !last_failure_.ok() && last_failure_.cause() != Cause::retry
            ? last_failure_
            : why;
    if (!verdict) {
        CAUSEWAY_LOG(info, "s2s.failed", {"local", local_}, {"remote", remote_},
                     {"kind", to_string(verdict.cause())}, {"cause", verdict.why()});
    }
    stop_guests(verdict);
    if (OutgoingOwner* owner = std::exchange(owner_, nullptr)) owner->on_stopped(*this, verdict);
}

void OutgoingStream::close() {
    if (stream_ != nullptr && state_ == State::established) {
        stream_->close();
    } else {
        stop(Outcome::retry("the attempt was given up"));
    }
}

void OutgoingStream::on_timer(std::uint32_t which) {
    if (which == whole_attempt) {
        const std::string_view at = state_ == State::resolving ? "DNS did not answer"
                                    : state_ == State::connecting
                                        ? "nobody answered"
                                        : "the other server did not finish";
        stop(Outcome::retry(
            fmt::format("{} within {} s", at, hub_.limits().link_connect_seconds.count())));
        return;
    }
    if (state_ == State::negotiating) {
        fail_target(Outcome::retry(fmt::format("{} did not answer in time ({})", remote_,
                                               dialback_sent_   ? "dialback"
                                               : sasl_sent_     ? "authentication"
                                               : secure_        ? "stream header or features"
                                               : starttls_sent_ ? "STARTTLS"
                                                                : "stream header or TLS")));
    } else if (state_ == State::established) {
        stop(Outcome::retry("it did not answer in time"));
    }
}

void OutgoingStream::on_stream_drained() {
    if (owner_ == nullptr || state_ != State::established) return;
    owner_->on_stream_writable(*this);
    // Whoever is called may leave.
    const std::vector<Guest> guests = guests_;
    for (const Guest& guest : guests) {
        if (guest.proven) guest.owner->on_stream_writable(*this);
    }
}

void OutgoingStream::on_stream_closed(const Outcome& why) {
    if (state_ == State::stopped) return;
    if (state_ == State::negotiating && sasl_sent_ && !authenticated_ && !external_failed_ &&
        hub_.config->s2s.authentication != Config::PeerAuthentication::certificate) {
        // It offers EXTERNAL, and does not go on once that has failed: dialback is left.
        external_failed_ = true;
        leave_target();
        connect_to({std::ranges::find(targets_, target_), targets_.end()});
        return;
    }
    if (state_ == State::negotiating && connector_ != nullptr) {
        const bool refused = !sasl_refusal_.empty() && !dialback_sent_;
        const Outcome reason =
            !end_.ok() ? end_
            : refused  ? Outcome::refused(fmt::format("{} did not accept our certificate: {}",
                                                      remote_, sasl_refusal_))
                       : Outcome::retry(why ? std::string("it closed the stream") : why.why());
        fail_target(reason);  // another target may be another machine, and know us
        return;
    }
    stop(!end_.ok() ? end_ : why);
}

}  // namespace causeway
