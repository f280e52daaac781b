#include "s2s/peer_stanzas.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/serial_number.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/domain.h"
#include "s2s/confirmations.h"
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

void PeerStanzas::prove(const Pair& pair, std::string_view how) {
    pairs_.emplace(pair, how);
    if (managed() && pairs_.size() > 1) {
        receipts_->forget();
        // What is owed for the pair that joins is not announced: it may follow from its first
        // stanza on, although no sender of the first pair waits at the moment.
        following_ = true;
    }
    XmppStream& stream = stream_.stream();
    stream.set_limits(hub_.shared_limits(), hub_.limits().stanza_bytes_server,
                      XmppStream::Larger::is_skipped);
    stream.set_rate(hub_.limits().server_read_bytes_per_second,
                    hub_.limits().server_read_burst_bytes);
}

void PeerStanzas::take(Element& element, Arena& arena) {
    stanza_in(element, arena);
    if (receipts_ != nullptr && stream_.stream().usable()) receipts_->stanza_ends();
}

void PeerStanzas::stanza_in(Element& element, Arena& arena) {
    if (pairs_.empty()) {
        stream_.stream().fail(stream_error::not_authorized, "authenticate first");
        return;
    }
    const auto kind = stanza_kind(element);
    if (!kind) {
        stream_.stream().fail(stream_error::unsupported_stanza_type,
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
        refuse_forged(element, *kind, *from, *to);
        return;
    }
    stream_.stanza_came();
    Routing& router = *hub_.routing;
    const auto type = stanza_type(*kind, element);
    Stanza stanza{element,          arena,         *kind, type.value_or(StanzaType::error),
                  std::move(*from), std::move(*to)};
    if (!type) {
        hub_.trace.note(stanza, {TraceStage::from_server, TraceVerdict::refused,
                                 stream_.peer_domain(), "its type is not known"});
        std::string inner;
        append_error(
            inner, {.condition = StanzaCondition::bad_request, .text = "That type is not known."});
        router.route(
            Packet::make(*kind, StanzaType::error, stanza.to, stanza.from, stanza.id(), inner));
        return;
    }
    if (stanza.kind == StanzaKind::iq && answer_ping(stanza)) return;
    if (!note_answer(stanza)) return;
    if (receipts_ != nullptr && receipts_->repeats(stanza)) {
        hub_.trace.note(stanza, {TraceStage::from_server, TraceVerdict::dropped,
                                 stream_.peer_domain(), "it came before the restart, and is safe"});
        return;
    }
    AcknowledgementTicket ticket;
    if (following_ && (stanza.kind == StanzaKind::message || is_subscription(stanza.type))) {
        ticket = receipts_->follow();
        if (receipts_->open() >= hub_.limits().stanzas_in_progress)
            stream_.stream().pause(XmppStream::Pause::progress);
    }
    router.from_server(stanza, ticket);
}

void PeerStanzas::refuse_forged(const Element& element, StanzaKind kind, const Jid& from,
                                const Jid& to) {
    const bool known = std::ranges::any_of(
        pairs_, [&](const auto& entry) { return entry.first.remote == from.domain(); });
    if (known && !hub_.serves(to.domain())) {
        stream_.stream().fail(stream_error::host_unknown, "that domain is not served here");
    } else {
        hub_.trace.note(TraceSubject{.kind = kind,
                                     .type = StanzaType::normal,
                                     .from = from,
                                     .to = to,
                                     .id = element.attribute("id")},
                        {TraceStage::from_server, TraceVerdict::dropped, stream_.peer_domain(),
                         "its sender's domain was not proven on that stream, which was ended"});
        CAUSEWAY_LOG(warn, "s2s.forged", {"from", from.full()}, {"to", to.full()},
                     {"remote", stream_.peer_domain()});
        stream_.stream().fail(stream_error::invalid_from,
                              "that domain was not proven on this stream");
    }
}

/// One address that our rules do not know, such as that of a newer Unicode, is no reason to end a
/// stream that many share, as long as its domains are those that were proven.
void PeerStanzas::misaddressed(const Element& element, StanzaKind kind, const Jid* from) {
    const std::string remote = domain_part(element.attribute("from"));
    const std::string local = domain_part(element.attribute("to"));
    if (!pairs_.contains({remote, local})) {
        stream_.stream().fail(stream_error::improper_addressing,
                              "a stanza needs a valid from and to");
        return;
    }
    stream_.stanza_came();
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
void PeerStanzas::skipped(const Element& start) {
    const auto kind = stanza_kind(start);
    if (!kind) {
        stream_.stream().fail(stream_error::policy_violation,
                              "an element that is no stanza is larger than what is allowed here");
        return;
    }
    stream_.stanza_came();
    const std::string_view type = start.attribute("type");
    const auto from = Jid::parse(start.attribute("from"));
    const auto to = Jid::parse(start.attribute("to"));
    const bool proven =
        from && to && pairs_.contains({std::string(from->domain()), std::string(to->domain())});
    CAUSEWAY_LOG(info, "s2s.skipped", {"remote", stream_.peer_domain()},
                 {"from", proven ? from->full() : std::string_view{}},
                 {"to", proven ? to->full() : std::string_view{}});
    if (proven) {
        hub_.trace.note(TraceSubject{.kind = *kind,
                                     .type = StanzaType::normal,
                                     .from = *from,
                                     .to = *to,
                                     .id = start.attribute("id")},
                        {TraceStage::from_server, TraceVerdict::refused, stream_.peer_domain(),
                         "it is larger than what is allowed here"});
    }
    if (receipts_ != nullptr) receipts_->stanza_ends();
    if (!proven || *kind == StanzaKind::presence) return;
    if (type == "error" || type == "result") {
        if (*kind == StanzaKind::iq) answer_instead(start, *from, *to);
        return;
    }
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::policy_violation,
                         .text = "The stanza was larger than what is allowed here.",
                         .type = "modify"});
    hub_.routing->route(
        Packet::make(*kind, StanzaType::error, *to, *from, start.attribute("id"), inner));
}

/// Whoever asked hears that there is an answer that is too large (RFC 6120 §8.2.3).
void PeerStanzas::answer_instead(const Element& start, const Jid& from, const Jid& to) {
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::policy_violation,
                         .text = "The answer was larger than what is allowed here.",
                         .type = "modify"});
    const PacketRef error =
        Packet::make(StanzaKind::iq, StanzaType::error, from, to, start.attribute("id"), inner);
    (void)Packet::visit_bytes(error->bytes(), [&](Stanza& stanza) {
        if (note_answer(stanza)) hub_.routing->from_server(stanza, {});
    });
}

/// For those that wait for it; a stream may bring what domains of other shards say. False: who
/// asked has had an error, as if it had come (RFC 6120 §8.2.3: one answer), and has it no more.
bool PeerStanzas::note_answer(const Stanza& stanza) {
    const bool answer = stanza.kind == StanzaKind::iq && stanza.to.has_resource() &&
                        (stanza.type == StanzaType::result || stanza.type == StanzaType::error);
    if (!answer) return true;
    Hub& home = hub_.home_of(stanza.from.domain());
    bool in_time = false;
    if (&home == &hub_) {
        in_time =
            static_cast<ServerTable&>(*home.remote).answered(stanza.from, stanza.to, stanza.id());
    } else {
        in_time = !static_cast<ServerTable&>(*hub_.remote)
                       .answer_is_late(stanza.from, stanza.to, stanza.id());
        hub_.at(home, [&home, from = stanza.from, to = stanza.to, id = std::string(stanza.id())] {
            static_cast<ServerTable&>(*home.remote).answered(from, to, id);
        });
    }
    if (!in_time) {
        hub_.trace.note(stanza,
                        {TraceStage::from_server, TraceVerdict::dropped, stream_.peer_domain(),
                         "it came so late that who asked had an error instead"});
    }
    return in_time;
}

bool PeerStanzas::answer_ping(const Stanza& stanza) {
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
        stream_.stream().fail(stream_error::policy_violation, "too many pings at once");
        return true;
    }
    pings_.push_back(
        {receipts_->received(), Packet::make(StanzaKind::iq, StanzaType::result, stanza.to,
                                             stanza.from, stanza.id(), {})});
    answer_ready_pings();
    return true;
}

void PeerStanzas::on_safe() {
    if (receipts_->open() <= hub_.limits().stanzas_in_progress / 2) {
        stream_.stream().resume(XmppStream::Pause::progress);
    }
    answer_ready_pings();
    if (!finishing_) {
        stream_.on_safe();
    } else if (receipts_->open() == 0) {
        patience_.cancel();
        stream_.finished();
    }
}

void PeerStanzas::answer_ready_pings() {
    while (!pings_.empty() && serial_distance(receipts_->handled(), pings_.front().after) >= 0) {
        const PacketRef answer = std::move(pings_.front().answer);
        pings_.pop_front();
        // Where the stream is being closed, the pair leaves it for this, and nothing is counted or
        // waits any more.
        hub_.routing->route(answer);
    }
}

// ---- what is safe ----

bool PeerStanzas::begin_management() {
    if (receipts_ != nullptr && (receipts_->open() != 0 || !pings_.empty())) return false;
    take_receipts(std::make_unique<Receipts>(hub_));
    receipts_->begin_management();
    following_ = true;
    return true;
}

void PeerStanzas::take_receipts(std::unique_ptr<Receipts> receipts) {
    receipts_ = std::move(receipts);
    receipts_->belongs_to(static_cast<Receipts::Stream*>(this));
}

void PeerStanzas::go_on(std::unique_ptr<Receipts> receipts) {
    pings_.clear();  // they count by what is replaced
    take_receipts(std::move(receipts));
}

std::unique_ptr<Receipts> PeerStanzas::release() {
    pings_.clear();
    following_ = false;
    patience_.cancel();
    return std::exchange(receipts_, nullptr);
}

void PeerStanzas::send_h(std::uint32_t h) {
    told_ = h;
    stream_.stream().send(
        XmlBuilder().open("a", ns::stream_management).attribute("h", fmt::format("{}", h)).take());
}

void PeerStanzas::answer_request() {
    if (!managed()) return;
    if (const auto h = receipts_->take_answer()) send_h(*h);
}

bool PeerStanzas::finish() {
    if (!managed()) return false;
    finishing_ = true;
    if (receipts_->open() == 0) return false;
    if (!patience_.armed()) hub_.shard.timers().arm(patience_, last_word_within, *this);
    return true;
}

bool PeerStanzas::finish_for_peer() {
    if (finish()) return true;
    if (managed() && receipts_->handled() != told_.value_or(0)) say_what_is_safe();
    return false;
}

void PeerStanzas::on_timer(std::uint32_t) { stream_.finished(); }

void PeerStanzas::say_what_is_safe() {
    if (managed() && stream_.stream().takes_output()) send_h(receipts_->handled());
}

}  // namespace causeway
