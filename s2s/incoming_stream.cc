#include "s2s/incoming_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/system_network.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"
#include "gateway/xmpp/domain.h"
#include "s2s/dialback_key.h"
#include "s2s/peer_identity.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

constexpr std::size_t waiting_ping_limit = 64;

/// The domain of an address whose other parts may be invalid (RFC 7622 §3.1).
std::string domain_part(std::string_view address) {
    address = address.substr(0, address.find('/'));
    if (const auto at = address.find('@'); at != std::string_view::npos) {
        address.remove_prefix(at + 1);
    }
    return domain_of(address);
}

std::string dialback_reply(std::string_view name, const IncomingStream::Pair& pair,
                           std::string_view id, std::string_view type, std::string_view inner) {
    std::string out = fmt::format("<db:{}", name);
    append_attribute(out, "from", pair.local);
    append_attribute(out, "to", pair.remote);
    if (!id.empty()) append_attribute(out, "id", id);
    append_attribute(out, "type", type);
    if (inner.empty()) return out + "/>";
    return out + fmt::format(">{}</db:{}>", inner, name);
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
    hub.shard.timers().arm(timer_, std::chrono::duration_cast<Duration>(limits.handshake_seconds),
                           *this);
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
    // Whatever the certificate says: nobody speaks for our own domains from outside.
    if (hub_.serves(claimed)) {
        return Outcome::policy(fmt::format("{} is served here", claimed));
    }
    return certificate_proves(stream_.channel().tls(), claimed);
}

void IncomingStream::authenticated(const Jid& identity, std::string_view,
                                   std::string_view success) {
    gain(stream_bits::authenticated);
    proven({std::string(identity.domain()), domain_}, "external");
    stream_.send(success);
    stream_.restart();
}

void IncomingStream::proven(const Pair& pair, std::string_view how) {
    const bool first = pairs_.empty();
    pairs_.emplace(pair, how);
    stream_.set_limits(hub_.shared_limits(), hub_.limits().stanza_bytes_server,
                       XmppStream::Larger::is_skipped);
    stream_.set_rate(hub_.limits().server_read_bytes_per_second,
                     hub_.limits().server_read_burst_bytes);
    if (first) {
        table_.authenticated(*this);
        timer_.cancel();
    }
    touch();
    // Whatever kept us from reaching that domain may be over.
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

void IncomingStream::manage(const Element&) {
    stream_.fail(stream_error::unsupported_stanza_type, "not offered on this stream");
}

void IncomingStream::on_element(Element& element, Arena& arena) {
    if (element.ns == ns::client) {
        stanza_in(element, arena);
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

// ---- dialback (XEP-0220) ----

void IncomingStream::dialback(const Element& element, Arena& arena) {
    const Pair pair{domain_of(element.attribute("from")), domain_of(element.attribute("to"))};
    if (pair.remote.empty() || pair.local.empty()) {
        stream_.fail(stream_error::improper_addressing, "dialback is between two domains");
        return;
    }
    if (element.name == "result" && !element.has_attribute("type")) {
        dialback_result(element, pair, std::string(element.text(arena)));
    } else if (element.name == "verify" && !element.has_attribute("type")) {
        dialback_verify(element, pair, element.text(arena));
    } else {
        // An answer to a question that was not asked here (CVE-2012-3525).
        stream_.fail(stream_error::not_authorized, "nobody asked that here");
    }
}

void IncomingStream::dialback_verify(const Element& element, const Pair& pair,
                                     std::string_view key) {
    const std::string_view id = element.attribute("id");
    if (!hub_.serves(pair.local)) {
        std::string inner;
        append_error(inner, {.condition = StanzaCondition::item_not_found, .text = {}});
        stream_.send(dialback_reply("verify", pair, id, "error", inner));
        return;
    }
    const bool valid =
        equal_in_constant_time(key, dialback_key(hub_.shared.secret, pair.remote, pair.local, id));
    stream_.send(dialback_reply("verify", pair, id, valid ? "valid" : "invalid", {}));
}

void IncomingStream::dialback_result(const Element&, const Pair& pair, std::string key) {
    const auto refuse = [&](StanzaCondition condition, std::string text) {
        std::string inner;
        append_error(inner, {.condition = condition, .text = std::move(text), .type = "cancel"});
        stream_.send(dialback_reply("result", pair, {}, "error", inner));
    };
    if (!hub_.serves(pair.local)) {
        refuse(StanzaCondition::item_not_found, "That domain is not served here.");
        return;
    }
    if (hub_.serves(pair.remote)) {
        refuse(StanzaCondition::not_allowed, "That domain is served here.");
        return;
    }
    if (pairs_.contains(pair)) {
        stream_.send(dialback_reply("result", pair, {}, "valid", {}));
        return;
    }
    if (verifying_.contains(pair)) return;
    if (pairs_.size() + verifying_.size() >= hub_.limits().dialback_pairs) {
        refuse(StanzaCondition::resource_constraint, "Too many domains on one stream.");
        return;
    }
    // A certificate that proves the domain says more than a key could.
    if (peer_proves(pair.remote)) {
        verified(pair, {});
        return;
    }
    if (hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        refuse(StanzaCondition::policy_violation, "A certificate is needed here.");
        return;
    }
    if (!table_.admission().verify(network_, verifying_.size())) {
        refuse(StanzaCondition::resource_constraint, "Too many verifications at once.");
        return;
    }
    verifying_.emplace(pair,
                       std::make_unique<DialbackVerification>(
                           hub_, pair.local, pair.remote, id_, std::move(key),
                           [this, pair](const Outcome& outcome) { verified(pair, outcome); }));
}

void IncomingStream::verified(const Pair& pair, const Outcome& outcome) {
    // The pair is a reference into what is erased last.
    const Pair kept = pair;
    if (!stream_.usable()) {
        end_verification(kept);
        return;
    }
    if (outcome) {
        proven(kept, "dialback");
        stream_.send(dialback_reply("result", kept, {}, "valid", {}));
    } else if (outcome.cause() == Cause::refused) {
        CAUSEWAY_LOG(warn, "s2s.dialback_invalid", {"local", kept.local}, {"remote", kept.remote},
                     {"cause", outcome.why()});
        stream_.send(dialback_reply("result", kept, {}, "invalid", {}));
        // XEP-0220 §2.4: whoever claims another's domain is not listened to any longer.
        if (pairs_.empty()) stream_.close();
    } else {
        CAUSEWAY_LOG(info, "s2s.dialback_failed", {"local", kept.local}, {"remote", kept.remote},
                     {"cause", outcome.why()});
        std::string inner;
        append_error(inner, {.condition = outcome.cause() == Cause::absent
                                              ? StanzaCondition::remote_server_not_found
                                              : StanzaCondition::remote_server_timeout,
                             .text = outcome.why(),
                             .type = "cancel"});
        stream_.send(dialback_reply("result", kept, {}, "error", inner));
    }
    end_verification(kept);
}

void IncomingStream::end_verification(const Pair& pair) {
    const auto found = verifying_.find(pair);
    if (found == verifying_.end()) return;
    table_.admission().verified(network_);
    hub_.shard.condemn(std::move(found->second));
    verifying_.erase(found);
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
        std::string inner;
        append_error(
            inner, {.condition = StanzaCondition::bad_request, .text = "That type is not known."});
        router.route(
            Packet::make(*kind, StanzaType::error, stanza.to, stanza.from, stanza.id(), inner));
        return;
    }
    if (stanza.kind == StanzaKind::iq && answer_ping(stanza)) return;
    AcknowledgementTicket ticket;
    if (following_ && (stanza.kind == StanzaKind::message || is_subscription(stanza.type))) {
        open_.push_back(++received_);
        ticket = {.holder = holder_id_, .shard = hub_.shard.index(), .number = received_};
        if (open_.size() >= hub_.limits().stanzas_in_progress)
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
    if (!proven || *kind == StanzaKind::presence || type == "error" || type == "result") return;
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::policy_violation,
                         .text = "The stanza was larger than what is allowed here.",
                         .type = "modify"});
    hub_.routing->route(
        Packet::make(*kind, StanzaType::error, *to, *from, start.attribute("id"), inner));
}

bool IncomingStream::answer_ping(const Stanza& stanza) {
    if (stanza.from.resource() == ServerTable::unowed_resource && !stanza.from.has_local()) {
        // Nothing behind it is owed to anybody, until another ping says so; it is answered like
        // any.
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
    if (holder_id_ == 0) {
        holder_id_ = hub_.next_id();
        hub_.ticket_holders.emplace(holder_id_, static_cast<TicketHolder*>(this));
    }
    following_ = true;
    if (pings_.size() >= waiting_ping_limit) {
        stream_.fail(stream_error::policy_violation, "too many pings at once");
        return true;
    }
    pings_.push_back({received_, Packet::make(StanzaKind::iq, StanzaType::result, stanza.to,
                                              stanza.from, stanza.id(), {})});
    answer_ready_pings();
    return true;
}

void IncomingStream::settled(std::uint32_t number) {
    const auto found = std::ranges::find(open_, number);
    if (found == open_.end()) return;
    open_.erase(found);
    if (open_.size() <= hub_.limits().stanzas_in_progress / 2) {
        stream_.resume(XmppStream::Pause::progress);
    }
    answer_ready_pings();
}

void IncomingStream::answer_ready_pings() {
    while (!pings_.empty() &&
           (open_.empty() || static_cast<std::int32_t>(open_.front() - pings_.front().after) > 0)) {
        hub_.routing->route(pings_.front().answer);
        pings_.pop_front();
    }
}

// ---- time and end ----

void IncomingStream::touch() {
    hub_.shard.timers().arm(
        timer_, 2 * std::chrono::duration_cast<Duration>(hub_.limits().link_idle_seconds), *this);
}

void IncomingStream::on_timer(std::uint32_t) {
    if (pairs_.empty()) {
        stream_.fail(stream_error::connection_timeout, "it took too long to authenticate");
    } else {
        // Idle links cost both sides; the peer opens a new one when there is something to say.
        stream_.close();
    }
}

void IncomingStream::on_stream_closed(const Outcome& why) {
    CAUSEWAY_LOG(info, "s2s.closed", {"remote", peer_domain_}, {"direction", "in"},
                 {"cause", why.why()});
    if (holder_id_ != 0) hub_.ticket_holders.erase(holder_id_);
    table_.remove(*this);
}

}  // namespace causeway
