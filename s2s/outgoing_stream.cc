#include "s2s/outgoing_stream.h"

#include <fmt/format.h>

#include "gateway/base/log.h"
#include "gateway/config/peer_options.h"
#include "gateway/net/stream_channel.h"
#include "gateway/net/system_network.h"
#include "gateway/stream/bidirectional.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/domain.h"
#include "s2s/connector_limits.h"
#include "s2s/dialback_key.h"
#include "s2s/peer_identity.h"

namespace causeway {
namespace {

Duration millis(std::chrono::seconds seconds) {
    return std::chrono::duration_cast<Duration>(seconds);
}

}  // namespace

OutgoingStream::OutgoingStream(Hub& hub, std::string local, std::string remote, Purpose purpose,
                               OutgoingOwner& owner)
    : Negotiation(hub, StreamSide::server, StreamRole::initiating),
      Carrier(hub),
      remote_(std::move(remote)),
      owner_(&owner) {
    domain_ = std::move(local);
    if (purpose == Purpose::verification) gain(stream_bits::only_asks);
}

OutgoingStream::~OutgoingStream() = default;

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
    outcomes_ = outcomes();
    connector_ = std::make_unique<Connector>(
        hub_.network, hub_.resolver, hub_.shard.timers(), hub_.clock(), std::move(targets),
        connector_limits(hub_), [this](Result<ConnectedTarget> connected) {
            if (connected) {
                begin(std::move(*connected));
            } else {
                stop(connected.error());
            }
        });
}

void OutgoingStream::begin(ConnectedTarget connected_target) {
    target_ = connected_target.target;
    state_ = State::opening;
    begin_anew(stream_bits::only_asks | stream_bits::external_refused);
    end_ = {};
    ending_ = End::otherwise;
    from_peer_.reset();
    auto channel = std::make_unique<StreamChannel>(hub_.shard, std::move(connected_target.socket));
    StreamChannel& raw = *channel;
    stream_ = std::make_unique<XmppStream>(hub_.shard, std::move(channel), ns::server,
                                           static_cast<StreamHandler&>(*this));
    // Whom we connect to is as unknown as who connects to us: the same limits until it is proven.
    stream_->set_limits(hub_.shared_limits(), hub_.limits().stanza_bytes_unauthenticated);
    expect_progress(hub_.limits().connect_seconds);
    if (target_.direct_tls) {
        begin_direct_tls(raw);
    } else {
        send_header();
    }
}

void OutgoingStream::begin_direct_tls(StreamChannel& channel) {
    const auto snapshot = hub_.tls;
    const DomainTls* tls = snapshot->find(domain_);
    if (tls == nullptr) {
        stop(Outcome::policy(fmt::format("{} is no longer served here", domain_)));
        return;
    }
    channel.start_tls(std::make_unique<TlsEngine>(tls->connecting.get(), TlsEngine::Role::client,
                                                  snapshot, domain_to_ascii(remote_)),
                      TransportKind::direct_tls);
}

void OutgoingStream::send_header() {
    state_ = State::opening;
    stream_->send_header({.to = remote_, .from = domain_, .dialback = true});
}

void OutgoingStream::on_stream_secured() {
    gain(stream_bits::secure);
    expect_progress(hub_.limits().connect_seconds);
    if (const Outcome proof = peer_proves(remote_); !proof) {
        CAUSEWAY_LOG(info, "s2s.certificate", {"remote", remote_}, {"target", target()},
                     {"cause", proof.why()});
        if (hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
            fail_target(
                Outcome::policy(fmt::format("{} cannot be trusted: {}", remote_, proof.why())));
            return;
        }
    }
    send_header();
}

Outcome OutgoingStream::peer_proves(std::string_view claimed) const {
    return certificate_proves(stream_->channel().tls(), claimed);
}

void OutgoingStream::on_stream_opened(const StreamHeader& header) {
    stream_id_ = header.id;
    state_ = State::features;
    expect_progress(hub_.limits().connect_seconds);
    if (header.version.empty()) {
        fail_target(
            Outcome::refused(fmt::format("{} speaks no XMPP 1.0, and so cannot encrypt", remote_)));
    }
}

void OutgoingStream::on_element(Element& element, Arena& arena) {
    if (take_from_peer(element, arena)) return;
    if (!stream_->usable()) {
        // The peer's last word, for which it is heard.
        if (managed() && element.is(ns::stream_management, "a")) peer_acknowledges(element);
        return;
    }
    if (element.ns == ns::stream) {
        if (element.name == "features") {
            on_features(element);
        } else if (element.name == "error") {
            on_stream_error(element, arena);
        }
        return;
    }
    if (state_ == State::negotiating) {
        expect_progress(hub_.limits().connect_seconds);
        if (dispatch(element.ns, element, arena)) return;
    } else if (element.ns == ns::stream_management && state_ == State::established) {
        manage(element);
        return;
    } else if (state_ == State::established && element.ns == ns::dialback) {
        if (element.name == "result" && !sharers_.empty()) {
            sharer_answered(element);
            return;
        }
        if (owner_ != nullptr) {
            owner_->on_peer_element(*this, element, arena);
            return;
        }
    }
    // Stanzas come on the peer's own stream: here nobody has proven anything.
    end_ = Outcome::refused("it sent what does not belong on this stream");
    stream_->fail(stream_error::not_authorized, "send that on a stream of your own");
}

void OutgoingStream::on_features(const Element& features) {
    if (state_ != State::features) {
        fail_target(Outcome::refused(fmt::format("{} sent its features twice", remote_)));
        return;
    }
    expect_progress(hub_.limits().connect_seconds);
    state_ = State::negotiating;
    const Element* dialback = features.child(ns::dialback_feature, "dialback");
    if (dialback != nullptr && dialback->child(ns::dialback_feature, "errors") != nullptr) {
        gain(stream_bits::dialback_errors);
    }
    if (!begin_step(&features)) ready();
}

// ---- what the steps bring about ----

void OutgoingStream::authenticated(const Jid&, std::string_view mechanism, std::string_view) {
    gain(stream_bits::authenticated);
    authentication_ = mechanism;
    if (has(stream_bits::bidirectional)) {
        from_peer_ = std::make_unique<PeerStanzas>(hub_, static_cast<PeerStanzas::Stream&>(*this));
        from_peer_->prove({remote_, domain_}, authentication_);
    }
    if (mechanism == "dialback") {
        ready();
        return;
    }
    stream_->restart();
    send_header();
}

void OutgoingStream::external_refused(std::string_view reason) {
    gain(stream_bits::external_refused);
    end_ = Outcome::refused(fmt::format("{} did not accept our certificate: {}", remote_, reason));
    if (hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        fail_target(end_);
        return;
    }
    (void)begin_step(nullptr);
}

void OutgoingStream::send_key(const std::string& local) {
    XmlBuilder key;
    key.open("db:result")
        .attribute("from", local)
        .attribute("to", remote_)
        .text(dialback_key(hub_.shared.secret, remote_, local, stream_id_));
    stream_->send(key.take());
}

void OutgoingStream::send_dialback_key() {
    send_key(domain_);
    // The peer now looks us up and connects back, which may take it some targets.
    expect_progress(hub_.limits().link_connect_seconds);
}

void OutgoingStream::dialback(const Element& element, Arena&) {
    if (element.name != "result" || domain_of(element.attribute("from")) != remote_ ||
        domain_of(element.attribute("to")) != domain_) {
        return;
    }
    const std::string_view type = element.attribute("type");
    if (type == "valid") {
        authenticated({}, "dialback", {});
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

void OutgoingStream::ready() {
    // Where a question is asked the time for its answer runs since the features came.
    if (!has(stream_bits::only_asks)) {
        timer_.cancel();
        stream_->channel().expect_life(
            std::chrono::seconds(link_silence_seconds.integer(*hub_.config)));
    }
    total_.cancel();
    state_ = State::established;
    end_ = {};  // a certificate that was refused on the way is not why it will end
    outcomes_ = outcomes();
    connector_.reset();
    if (from_peer_ == nullptr) {
        stream_->set_limits(hub_.shared_limits(), has(stream_bits::only_asks)
                                                      ? hub_.limits().stanza_bytes_unauthenticated
                                                      : hub_.limits().stanza_bytes_server);
    }
    CAUSEWAY_LOG(info, "s2s.ready", {"local", domain_}, {"remote", remote_},
                 {"authentication", authentication_}, {"target", target()});
    if (owner_ != nullptr) owner_->on_ready(*this);
}

void OutgoingStream::on_timer(std::uint32_t which) {
    if (which == still_unsafe) {
        ask_to_resume();
    } else if (which == whole_attempt) {
        const std::string_view at = state_ == State::resolving ? "DNS did not answer"
                                    : state_ == State::connecting
                                        ? "nobody answered"
                                        : "the other server did not finish";
        stop(Outcome::retry(
            fmt::format("{} within {} s", at, hub_.limits().link_connect_seconds.count())));
    } else if (asked_for_management()) {
        no_answer_to_management();
    } else if (negotiating()) {
        fail_target(Outcome::retry(
            fmt::format("{} did not answer in time ({})", remote_,
                        state_ == State::features   ? "features"
                        : state_ == State::opening  ? "stream header or TLS"
                        : !has(stream_bits::secure) ? "STARTTLS"
                        : has(stream_bits::external_refused) || !has(stream_bits::external_tried)
                            ? "dialback"
                            : "authentication")));
    } else if (state_ == State::established) {
        stop(Outcome::retry("it did not answer in time"));
    }
}

void OutgoingStream::on_stream_drained() {
    if (owner_ != nullptr && state_ == State::established) writable();
}

void OutgoingStream::writable() {
    if (owner_ != nullptr) owner_->on_stream_writable(*this);
    Carrier::writable();
}

}  // namespace causeway
