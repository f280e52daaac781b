#include "s2s/incoming_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/serial_number.h"
#include "gateway/config/peer_options.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/system_network.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"
#include "gateway/xmpp/domain.h"
#include "s2s/confirmations.h"
#include "s2s/dialback_key.h"
#include "s2s/peer_identity.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

// A pair has two under way at most, if its server is one of ours.
constexpr std::size_t waiting_ping_limit = 64;
constexpr std::size_t waiting_pings_per_pair = 4;

/// The domain of an address whose other parts may be invalid (RFC 7622 §3.1).
std::string domain_part(std::string_view address) {
    address = address.substr(0, address.find('/'));
    if (const auto at = address.find('@'); at != std::string_view::npos) {
        address.remove_prefix(at + 1);
    }
    return domain_of(address);
}

}  // namespace

IncomingStream::IncomingStream(Hub& hub, ServerTable& table, std::unique_ptr<Channel> channel)
    : Negotiation(hub, StreamSide::server),
      table_(table),
      network_(network_prefix(channel->remote())),
      stream_(hub.shard, std::move(channel), ns::server, static_cast<StreamHandler&>(*this)),
      since_(hub.clock().wall()) {
    const Limits& limits = hub.limits();
    stream_.set_limits(hub.shared_limits(), limits.stanza_bytes_unauthenticated);
    const auto patience = std::chrono::duration_cast<Duration>(limits.handshake_seconds);
    until_ = hub.clock().now() + patience;
    hub.shard.timers().arm(timer_, patience, *this);
}

IncomingStream::IncomingStream(Hub& hub, ServerTable& table, std::unique_ptr<Channel> channel,
                               const MovingServer& moving)
    : IncomingStream(hub, table, std::move(channel)) {
    id_ = moving.id;
    peer_domain_ = moving.peer_domain;
    domain_ = moving.domain;
    since_ = moving.since;
    until_ = moving.until;
    gain(stream_bits::secure);
    if (!moving.opened.context.empty()) {
        stream_.go_on(moving.opened);
        recall_offer();
    }
    // The move is no reason to wait longer.
    const Duration left = until_ - hub.clock().now();
    hub.shard.timers().arm(timer_, std::max(left, Duration::zero()), *this);
}

void IncomingStream::go_on(MovingServer moving) {
    if (moving.proof == MovingServer::Proof::given) {
        gain(stream_bits::authenticated);
        proven(moving.pair, "external");
    } else {
        dialback_result(moving.pair, std::move(moving.key));
    }
}

/// What the peer sends from here on is read on the home shard of its domain.
void IncomingStream::move_home(Hub& home, MovingServer moving) {
    stream_.hold();
    timer_.cancel();
    moving.id = id_;
    moving.peer_domain = peer_domain_;
    moving.domain = domain_;
    moving.since = since_;
    moving.until = until_;
    // Behind the element that is being handled; std::function must be copyable.
    const auto carried = std::make_shared<MovingServer>(std::move(moving));
    hub_.shard.post([this, alive = handle(), &home, carried] {
        if (alive.expired() || !stream_.usable()) return;
        carried->opened = stream_.opened();
        table_.move(*this, home, std::move(*carried));
    });
}

IncomingStream::~IncomingStream() {
    for (std::size_t left = verifying_.size(); left > 0; --left) {
        table_.admission().verified(network_);
    }
}

void IncomingStream::on_stream_secured() { gain(stream_bits::secure); }

void IncomingStream::on_stream_opened(const StreamHeader& header) {
    peer_domain_ = domain_of(header.from);
    if (!header.from.empty() && peer_domain_.empty()) {
        stream_.fail(stream_error::invalid_from, "the from of a server's stream is its domain");
        return;
    }
    if (!settle_domain(header)) return;
    id_ = random_token();
    stream_.send_header({.to = peer_domain_, .from = domain_, .id = id_, .dialback = true});
    offer_features();
}

Outcome IncomingStream::peer_proves(std::string_view claimed) const {
    if (claimed.empty()) return Outcome::policy("the stream does not say who it is from");
    // No certificate proves a domain of ours: no other server speaks for it.
    if (hub_.serves(claimed)) {
        return Outcome::policy(fmt::format("{} is served here", claimed));
    }
    return certificate_proves(stream_.channel().tls(), claimed);
}

void IncomingStream::authenticated(const Jid& identity, std::string_view,
                                   std::string_view success) {
    gain(stream_bits::authenticated);
    stream_.send(success);
    stream_.restart();
    const Pair pair{std::string(identity.domain()), domain_};
    Hub& home = hub_.home_of(pair.remote);
    // What is being verified here would not come along.
    if (link_ == nullptr && verifying_.empty() && &home != &hub_) {
        move_home(home, {.pair = pair});
    } else {
        proven(pair, "external");
    }
}

void IncomingStream::proven(const Pair& pair, std::string_view how) {
    const bool first = pairs_.empty();
    pairs_.emplace(pair, how);
    if (managed() && pairs_.size() > 1) {
        receipts_->forget();
        // What is owed for the pair that joins is not announced: it may follow from its first
        // stanza on, although no sender of the first pair waits at the moment.
        following_ = true;
    }
    stream_.set_limits(hub_.shared_limits(), hub_.limits().stanza_bytes_server,
                       XmppStream::Larger::is_skipped);
    stream_.set_rate(hub_.limits().server_read_bytes_per_second,
                     hub_.limits().server_read_burst_bytes);
    if (first) {
        table_.proven(*this, pair.remote);
        timer_.cancel();
        stream_.channel().expect_life(
            std::chrono::seconds(link_silence_seconds.integer(*hub_.config)));
    }
    touch();
    // The reason why we could not reach that domain may be gone.
    Hub& home = hub_.home_of(pair.remote);
    hub_.at(home, [&home, remote = pair.remote] {
        static_cast<ServerTable&>(*home.remote).heard_from(remote);
    });
    CAUSEWAY_LOG(info, "s2s.accepted", {"local", pair.local}, {"remote", pair.remote},
                 {"authentication", how}, {"address", to_string(stream_.channel().remote())});
}

void IncomingStream::bind(std::string_view, std::string_view) {
    stream_.fail(stream_error::unsupported_stanza_type, "servers do not bind resources");
}

void IncomingStream::on_element(Element& element, Arena& arena) {
    if (element.ns == ns::client) {
        if (resuming_ != Resuming::no) {
            stream_.fail(stream_error::policy_violation, "wait until the stream is resumed");
            return;
        }
        stanza_in(element, arena);
        if (receipts_ != nullptr && stream_.usable()) receipts_->stanza_ends();
        return;
    }
    if (dispatch(element.ns, element, arena)) return;
    if (element.ns == ns::stream && element.name == "error") {
        const Element* condition = element.first_element();
        CAUSEWAY_LOG(info, "s2s.peer_error", {"remote", peer_domain_},
                     {"condition", condition == nullptr ? "none" : condition->name});
        stream_.close();
    } else if (pairs_.empty()) {
        stream_.fail(stream_error::not_authorized, "authenticate first");
    } else {
        stream_.fail(stream_error::unsupported_stanza_type, "that is no stanza");
    }
}

// ---- stanzas ----

void IncomingStream::stanza_in(Element& element, Arena& arena) {
    if (pairs_.empty()) {
        stream_.fail(stream_error::not_authorized, "authenticate first");
        return;
    }
    const auto kind = stanza_kind(element);
    if (!kind) {
        stream_.fail(stream_error::unsupported_stanza_type,
                     "a stanza is a message, a presence or an iq");
        return;
    }
    // RFC 6120 §8.1: between servers both addresses are required.
    auto from = Jid::parse(element.attribute("from"));
    auto to = Jid::parse(element.attribute("to"));
    if (!from || !to) {
        misaddressed(element, *kind, from.ok() ? &*from : nullptr);
        return;
    }
    if (!pairs_.contains({std::string(from->domain()), std::string(to->domain())})) {
        const bool known = std::ranges::any_of(
            pairs_, [&](const auto& entry) { return entry.first.remote == from->domain(); });
        if (known && !hub_.serves(to->domain())) {
            stream_.fail(stream_error::host_unknown, "that domain is not served here");
        } else {
            hub_.trace.note(TraceSubject{.kind = *kind,
                                         .type = StanzaType::normal,
                                         .from = *from,
                                         .to = *to,
                                         .id = element.attribute("id")},
                            {TraceStage::from_server, TraceVerdict::dropped, peer_domain_,
                             "its sender's domain was not proven on that stream, which was ended"});
            CAUSEWAY_LOG(warn, "s2s.forged", {"from", from->full()}, {"to", to->full()},
                         {"remote", peer_domain_});
            stream_.fail(stream_error::invalid_from, "that domain was not proven on this stream");
        }
        return;
    }
    touch();
    Routing& router = *hub_.routing;
    const auto type = stanza_type(*kind, element);
    Stanza stanza{element,          arena,         *kind, type.value_or(StanzaType::error),
                  std::move(*from), std::move(*to)};
    if (!type) {
        hub_.trace.note(stanza, {TraceStage::from_server, TraceVerdict::refused, peer_domain_,
                                 "its type is not known"});
        std::string inner;
        append_error(
            inner, {.condition = StanzaCondition::bad_request, .text = "That type is not known."});
        router.route(
            Packet::make(*kind, StanzaType::error, stanza.to, stanza.from, stanza.id(), inner));
        return;
    }
    if (stanza.kind == StanzaKind::iq && answer_ping(stanza)) return;
    if (receipts_ != nullptr && receipts_->repeats(stanza)) {
        hub_.trace.note(stanza, {TraceStage::from_server, TraceVerdict::dropped, peer_domain_,
                                 "it came before the restart, and is safe"});
        return;
    }
    AcknowledgementTicket ticket;
    if (following_ && (stanza.kind == StanzaKind::message || is_subscription(stanza.type))) {
        ticket = receipts_->follow();
        if (receipts_->open() >= hub_.limits().stanzas_in_progress)
            stream_.pause(XmppStream::Pause::progress);
    }
    router.from_server(stanza, ticket);
}

/// One address that our rules do not know, such as that of a newer Unicode, is no reason to end a
/// stream that many share, as long as its domains are those that were proven.
void IncomingStream::misaddressed(const Element& element, StanzaKind kind, const Jid* from) {
    const std::string remote = domain_part(element.attribute("from"));
    const std::string local = domain_part(element.attribute("to"));
    if (!pairs_.contains({remote, local})) {
        stream_.fail(stream_error::improper_addressing, "a stanza needs a valid from and to");
        return;
    }
    touch();
    CAUSEWAY_LOG(info, "s2s.misaddressed", {"from", element.attribute("from")},
                 {"to", element.attribute("to")});
    const std::string_view type = element.attribute("type");
    if (from == nullptr || kind == StanzaKind::presence || type == "error" || type == "result") {
        return;
    }
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::jid_malformed, .text = {}});
    hub_.routing->route(Packet::make(kind, StanzaType::error, Jid::trusted({}, local), *from,
                                     element.attribute("id"), inner));
}

/// A stanza of one user that is larger than what is allowed is no reason to end a stream that many
/// share.
void IncomingStream::on_skipped(const Element& start) {
    const auto kind = stanza_kind(start);
    if (!kind) {
        stream_.fail(stream_error::policy_violation,
                     "an element that is no stanza is larger than what is allowed here");
        return;
    }
    touch();
    const std::string_view type = start.attribute("type");
    const auto from = Jid::parse(start.attribute("from"));
    const auto to = Jid::parse(start.attribute("to"));
    const bool proven =
        from && to && pairs_.contains({std::string(from->domain()), std::string(to->domain())});
    CAUSEWAY_LOG(info, "s2s.skipped", {"remote", peer_domain_},
                 {"from", proven ? from->full() : std::string_view{}},
                 {"to", proven ? to->full() : std::string_view{}});
    if (proven) {
        hub_.trace.note(TraceSubject{.kind = *kind,
                                     .type = StanzaType::normal,
                                     .from = *from,
                                     .to = *to,
                                     .id = start.attribute("id")},
                        {TraceStage::from_server, TraceVerdict::refused, peer_domain_,
                         "it is larger than what is allowed here"});
    }
    if (receipts_ != nullptr) receipts_->stanza_ends();
    if (!proven || *kind == StanzaKind::presence || type == "error" || type == "result") return;
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::policy_violation,
                         .text = "The stanza was larger than what is allowed here.",
                         .type = "modify"});
    hub_.routing->route(
        Packet::make(*kind, StanzaType::error, *to, *from, start.attribute("id"), inner));
}

bool IncomingStream::answer_ping(const Stanza& stanza) {
    if (stanza.from.resource() == Confirmations::unowed_resource && !stanza.from.has_local()) {
        // No sender waits for the messages behind it, until another ping says so. It is answered
        // like any iq.
        following_ = following_ && pairs_.size() > 1;
        return false;
    }
    if (stanza.type != StanzaType::get || stanza.from.has_local() || stanza.from.has_resource() ||
        stanza.to.has_local() || stanza.to.has_resource() || stanza.id().empty()) {
        return false;
    }
    const Element* payload = stanza.payload();
    if (payload == nullptr || !payload->is(ns::ping, "ping") ||
        stanza.element.element_count() != 1) {
        return false;
    }
    if (receipts_ == nullptr) take_receipts(std::make_unique<Receipts>(hub_));
    following_ = true;
    if (pings_.size() >= std::max(waiting_ping_limit, waiting_pings_per_pair * pairs_.size())) {
        stream_.fail(stream_error::policy_violation, "too many pings at once");
        return true;
    }
    pings_.push_back(
        {receipts_->received(), Packet::make(StanzaKind::iq, StanzaType::result, stanza.to,
                                             stanza.from, stanza.id(), {})});
    answer_ready_pings();
    return true;
}

void IncomingStream::on_safe() {
    if (receipts_->open() <= hub_.limits().stanzas_in_progress / 2) {
        stream_.resume(XmppStream::Pause::progress);
    }
    answer_ready_pings();
    if (resuming_ == Resuming::until_safe) finish_resumption();
    answer_request();
}

void IncomingStream::answer_ready_pings() {
    while (!pings_.empty() && serial_distance(receipts_->handled(), pings_.front().after) >= 0) {
        hub_.routing->route(pings_.front().answer);
        pings_.pop_front();
    }
}

// ---- time and end ----

void IncomingStream::touch() {
    hub_.shard.timers().arm(
        timer_, 2 * std::chrono::duration_cast<Duration>(hub_.limits().link_idle_seconds), *this);
}

void IncomingStream::on_timer(std::uint32_t which) {
    if (which == final_late) {
        give_up_resumption();
    } else if (pairs_.empty()) {
        stream_.fail(stream_error::connection_timeout, "it took too long to authenticate");
    } else {
        // Idle links cost both sides; the peer opens a new one when there is something to say.
        say_goodbye();
        stream_.close();
    }
}

void IncomingStream::on_stream_closed(const Outcome& why) {
    CAUSEWAY_LOG(info, "s2s.closed", {"remote", peer_domain_}, {"direction", "in"},
                 {"cause", why.why()});
    leave_receipts(!why.ok());
    // One that we ended for a fault of the peer says nothing of whether it is there.
    table_.remove(*this, !why.ok() && stream_.failure().empty());
}

}  // namespace causeway
