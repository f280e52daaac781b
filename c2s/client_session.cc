#include "c2s/client_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "c2s/client_table.h"
#include "c2s/ended_sessions.h"
#include "c2s/session_trace.h"
#include "gateway/base/log.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// What is said whatever the rules of the account: leave, and answers.
bool needs_no_rules(StanzaType type) {
    return type == StanzaType::unavailable || type == StanzaType::result ||
           type == StanzaType::error;
}

/// Whether its sender gets an error when no session has it (XEP-0198 §5): a room has to notice that
/// an occupant is gone, and the sender of a request waits for an answer. A message that is stored
/// is not lost; a headline and a presence are no loss.
bool expects_word(const Packet& packet) {
    if (packet.kind() != StanzaKind::message) return packet.kind() == StanzaKind::iq;
    if (packet.type() == StanzaType::groupchat) return true;
    return (packet.type() == StanzaType::chat || packet.type() == StanzaType::normal) &&
           packet.bytes().find("<body>") != std::string_view::npos;
}

}  // namespace

ClientSession::ClientSession(Hub& hub, ClientTable& table, Jid full)
    : Resource(hub, std::move(full)),
      hub_(hub),
      table_(table),
      account_(hub.accounts->get(jid().bare())),
      since_(hub.clock().wall()) {
    account_.attach(*this);
}

ClientSession::~ClientSession() { Flushable::unlink(); }

// ---- life ----

void ClientSession::attach(ClientStream& stream) {
    stream_ = &stream;
    watch_silence();
}

/// From any state to any other, except out of those that end it. Each state has the timer to
/// itself.
void ClientSession::enter(State next) {
    if (state_ == next || state_ == State::ended) return;
    if (state_ == State::overfull && next != State::ended) return;
    state_ = next;
    timer_.cancel();
    const Limits& limits = hub_.limits();
    const auto arm = [&](auto after) {
        hub_.shard.timers().arm(timer_, std::chrono::duration_cast<Duration>(after), *this,
                                state_timer);
    };
    switch (next) {
        case State::flowing:
        case State::ended: break;
        case State::full:
            progress_.taken_at = progress_.acknowledged_at = hub_.clock().now();
            arm(limits.queue_soft_seconds);
            break;
        case State::detached: arm(limits.resume_seconds); break;
        case State::resuming: arm(resume_patience); break;
        case State::overfull: hub_.shard.mark_dirty(*this); break;
    }
}

void ClientSession::on_timer(std::uint32_t which) {
    if (which == silence_timer) {
        silent();
        return;
    }
    switch (state_) {
        case State::full: look_for_progress(); break;
        case State::detached: end("it was not resumed in time"); break;
        case State::resuming: give_up_resumption(); break;
        case State::flowing:
        case State::overfull:
        case State::ended: break;
    }
}

void ClientSession::flush() {
    if (state_ == State::overfull) {
        // What matters goes to the store, where the next login finds it.
        evict(stream_error::resource_constraint, cause_);
        return;
    }
    if (record_ != nullptr && record_->came != SessionRecord::Came::nothing) note_shown();
    if (state_ == State::resuming) {
        go_on_resuming();
        return;
    }
    if (management_ == nullptr || stream_ == nullptr || !management_->should_ask()) return;
    management_->asked();
    emit(XmlBuilder().empty("r", ns::stream_management).take());
}

void ClientSession::evict(std::string_view condition, std::string_view text) {
    if (state_ == State::ended) return;
    for (ClientStream* stream :
         {std::exchange(stream_, nullptr), std::exchange(resuming_, nullptr)}) {
        if (stream == nullptr) continue;
        stream->leave_session();
        stream->stream().fail(condition, text);
    }
    end(text.empty() ? condition : text);
}

void ClientSession::stream_lost(ClientStream& stream, bool orderly) {
    if (&stream == resuming_) {
        resuming_ = nullptr;
        enter(State::detached);
        return;
    }
    const std::string cause = stream.stream().failure();
    stream_ = nullptr;
    if (record_ != nullptr) record_->drop_output();
    if (state_ >= State::overfull) return;
    if (orderly || !resumable() ||
        table_.detached_of(account_) > hub_.limits().resumable_per_account) {
        end(cause);
        return;
    }
    management_->interrupted();
    session_trace::interrupted(hub_, jid(), *management_);
    for (const auto& sent : management_->unacknowledged()) hub_.ledger.store(sent.hold);
    hub_.shared.features.announce({.event = LifeEvent::session_hibernates,
                                   .hub = hub_,
                                   .account = &account_,
                                   .session = this});
    enter(State::detached);
}

/// `cause`: why we ended it; empty if the client did.
void ClientSession::end(std::string_view cause) {
    if (state_ == State::ended) return;
    if (!cause.empty()) {
        CAUSEWAY_LOG(info, "c2s.ended", {"jid", jid().full()}, {"cause", cause},
                     {"unacknowledged", unacked()});
    }
    if (!cause.empty() && resumable()) {
        hub_.slots.make(ended_sessions_slot)
            .remember(jid().bare(), management_->token(), management_->handled());
    }
    enter(State::ended);
    account_.begin_question();  // it takes back what is left
    account_.detach(*this);
    hub_.ticket_holders.erase(holder_id_);
    if (std::exchange(record_, nullptr) != nullptr) {
        hub_.stream_records.forget(holder_id_, std::string(jid().bare()));
    }
    held_.reset();
    // What the client never acknowledged goes to the store, and from there to another resource.
    std::vector<HoldId> holds = std::exchange(in_transit_, {});
    if (management_ != nullptr) {
        for (const StreamManagement::Sent& left : management_->take_unacknowledged()) {
            if (left.hold != 0) {
                session_trace::given_back(hub_, jid(), *left.packet);
                holds.push_back(left.hold);
            } else if (expects_word(*left.packet)) {
                hub_.routing->bounce(
                    *left.packet,
                    {.condition = StanzaCondition::recipient_unavailable, .text = {}});
            }
        }
    }
    account_.inbox().take_back(holds);
    account_.end_question();
    table_.remove(*this);
}

// ---- from the client ----

void ClientSession::refuse(const Element& element, StanzaKind kind, StanzaCondition condition,
                           std::string text) {
    std::string inner;
    const StanzaError error{.condition = condition, .text = std::move(text)};
    append_error(inner, error);
    session_trace::refused(hub_, jid(), element, kind, error);
    deliver(Packet::make(kind, StanzaType::error, account_.jid().domain_jid(), jid(),
                         element.attribute("id"), inner),
            0);
}

void ClientSession::skipped_in(const Element& start) {
    const auto kind = stanza_kind(start);
    if (!kind) {
        stream_->stream().fail(stream_error::policy_violation,
                               "an element that is no stanza is larger than what is allowed here");
        return;
    }
    CAUSEWAY_LOG(info, "c2s.skipped", {"jid", jid().full()}, {"kind", start.name});
    const AcknowledgementTicket ticket = take_ticket(*kind);
    const std::string_view type = start.attribute("type");
    if (type == "error" || type == "result") {
        if (*kind == StanzaKind::iq) {
            answer_instead(start, ticket);
            return;
        }
    } else {
        std::string inner;
        const StanzaError error{.condition = StanzaCondition::policy_violation,
                                .text = "The stanza was larger than what is allowed here.",
                                .type = "modify"};
        append_error(inner, error);
        session_trace::refused(hub_, jid(), start, *kind, error);
        const auto to = Jid::parse(start.attribute("to"));
        deliver(Packet::make(*kind, StanzaType::error, to ? *to : account_.jid(), jid(),
                             start.attribute("id"), inner),
                0);
    }
    if (ticket.owed()) settled(ticket.number);
}

/// Whoever asked hears that there is an answer that is too large (RFC 6120 §8.2.3).
void ClientSession::answer_instead(const Element& start, AcknowledgementTicket ticket) {
    const std::string_view address = start.attribute("to");
    const auto to = Jid::parse(address.empty() ? account_.jid().full() : address);
    if (!to) {
        hub_.settle(ticket);
        return;
    }
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::policy_violation,
                         .text = "The answer was larger than what is allowed here.",
                         .type = "modify"});
    const PacketRef error =
        Packet::make(StanzaKind::iq, StanzaType::error, jid(), *to, start.attribute("id"), inner);
    (void)Packet::visit_bytes(error->bytes(), [&](Stanza& stanza) { hand_on(stanza, ticket); });
}

void ClientSession::stanza_in(Element& element, Arena& arena) {
    const auto kind = stanza_kind(element);
    if (!kind) {
        stream_->stream().fail(stream_error::unsupported_stanza_type,
                               "a stanza is a message, a presence or an iq");
        return;
    }
    if (answers_ping(element, *kind)) return;
    if (const std::string_view from = element.attribute("from"); !from.empty()) {
        // RFC 6120 §8.1.2.1: nobody speaks for another.
        const auto claimed = Jid::parse(from);
        if (!claimed || (*claimed != jid() && claimed->full() != jid().bare())) {
            session_trace::not_its_address(hub_, jid(), element, *kind);
            stream_->stream().fail(stream_error::invalid_from, "that is not your address");
            return;
        }
    }
    const auto type = stanza_type(*kind, element);
    if (!type) {
        const AcknowledgementTicket ticket = take_ticket(*kind);
        refuse(element, *kind, StanzaCondition::bad_request, "That type is not known.");
        if (ticket.owed()) settled(ticket.number);
        return;
    }
    Stanza stanza{element, arena, *kind, *type, jid(), {}};
    if (const std::string_view to = element.attribute("to"); !to.empty()) {
        auto parsed = Jid::parse(to);
        if (!parsed) {
            const AcknowledgementTicket ticket = take_ticket(*kind);
            if (*type != StanzaType::error && *type != StanzaType::result) {
                refuse(element, *kind, StanzaCondition::jid_malformed, parsed.error().why());
            }
            if (ticket.owed()) settled(ticket.number);
            return;
        }
        stanza.to = std::move(*parsed);
    }
    // RFC 6121 §4.6: a contact hears if presence that was addressed to it cannot be delivered.
    stanza.directed =
        *kind == StanzaKind::presence && *type == StanzaType::available && !stanza.to.empty();
    const AcknowledgementTicket ticket = take_ticket(*kind);
    if (record_ != nullptr && *kind == StanzaKind::presence) {
        const auto came =
            stanza.to.empty() ? SessionRecord::Came::undirected : SessionRecord::Came::directed;
        record_->came = std::max(record_->came, came);
        hub_.shard.mark_dirty(*this);
    }
    if (record_ != nullptr && repeats(stanza, ticket.number)) {
        settled(ticket.number);
        return;
    }
    hand_on(stanza, ticket);
}

/// What the account's rules say of a stanza is known once the account is read. Until then the
/// stanza waits, and all that the client sent behind it, in the stream.
void ClientSession::hand_on(Stanza& stanza, AcknowledgementTicket ticket) {
    if (account_.loaded()) {
        hub_.routing->from_client(stanza, account_, *this, ticket);
        return;
    }
    stream_->stream().hold();
    account_.when_loaded([account = &account_, packet = Packet::from_stanza(stanza), ticket,
                          stream = stream_, alive = stream_->handle()](const Outcome& loaded) {
        // It may have been resumed over another stream meanwhile.
        auto* session =
            static_cast<ClientSession*>(account->sessions().find(packet->from().resource()));
        if (session == nullptr) {
            account->hub().settle(ticket);
        } else if (!loaded && !account->known() && !needs_no_rules(packet->type())) {
            session->refuse_unread(*packet, ticket);
        } else {
            session->hand_on_late(packet, ticket);
        }
        if (!alive.expired()) stream->stream().let_go();
    });
}

void ClientSession::hand_on_late(const PacketRef& packet, AcknowledgementTicket ticket) {
    const Outcome visited = Packet::visit_bytes(packet->bytes(), [&](Stanza& stanza) {
        stanza.directed = packet->directed();
        hub_.routing->from_client(stanza, account_, *this, ticket);
    });
    if (!visited) refuse_unread(*packet, ticket);
}

/// Straight to the client: through the account no message would come.
void ClientSession::refuse_unread(const Packet& packet, AcknowledgementTicket ticket) {
    const StanzaError error{.condition = StanzaCondition::internal_server_error,
                            .text = "The account cannot be read at the moment.",
                            .type = "wait"};
    hub_.trace.note(packet, {TraceStage::from_client, TraceVerdict::refused, {}, error.text});
    std::string inner;
    append_error(inner, error);
    deliver(
        Packet::make(packet.kind(), StanzaType::error,
                     packet.to().empty() ? account_.jid() : packet.to(), jid(), packet.id(), inner),
        0);
    hub_.settle(ticket);
}

}  // namespace causeway
