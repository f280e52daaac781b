#include "c2s/client_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "c2s/client_table.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {
enum : std::uint32_t { resume_over, soft_full_over };
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

void ClientSession::attach(ClientStream& stream) { stream_ = &stream; }

// ---- towards the client ----

void ClientSession::write(const PacketRef& packet, HoldId hold) {
    send(packet, packet->bytes(), hold);
}

void ClientSession::write_as(const PacketRef& packet, const Jid& to) {
    if (management_ != nullptr) {
        write(packet->readdressed(to), 0);
        return;
    }
    std::string bytes = hub_.shard.buffers().take_string();
    packet->append_to(bytes, to);
    send(packet, bytes, 0);
    hub_.shard.buffers().give_back(std::move(bytes));
}

void ClientSession::send(const PacketRef& packet, std::string_view bytes, HoldId hold) {
    if (ended_ || overflowed_) {
        if (hold != 0) hub_.ledger.release(hold);
        return;
    }
    if (management_ != nullptr) {
        Management& m = *management_;
        ++m.sent;
        m.unacked.push_back({packet, hold});
        m.unacked_bytes += bytes.size();
        // First on the list, so that our <r/> leaves in the same record.
        if (stream_ != nullptr) hub_.shard.mark_dirty(*this);
        // One stanza always fits, however large it became.
        if (m.unacked.size() > hub_.limits().unacked_stanzas ||
            (m.unacked.size() > 1 && m.unacked_bytes > hub_.limits().unacked_bytes)) {
            overflow();
            return;
        }
    } else if (hold != 0) {
        in_transit_.push_back(hold);
    }
    if (stream_ == nullptr) return;
    stream_->stream().send(bytes);
    check_queue();
}

void ClientSession::check_queue() {
    if (stream_ == nullptr) return;
    const std::size_t queued = stream_->stream().channel().queued();
    if (queued <= hub_.limits().client_queue_soft_bytes) return;
    if (queued > hub_.limits().client_queue_hard_bytes) {
        overflow();
    } else if (!soft_full_) {
        soft_full_ = true;
        hub_.shard.timers().arm(
            timer_, std::chrono::duration_cast<Duration>(hub_.limits().queue_soft_seconds), *this,
            soft_full_over);
    }
}

bool ClientSession::crowded() const {
    const Limits& limits = hub_.limits();
    if (management_ != nullptr && (management_->unacked.size() >= limits.unacked_stanzas / 2 ||
                                   management_->unacked_bytes >= limits.unacked_bytes / 2)) {
        return true;
    }
    return stream_ != nullptr &&
           stream_->stream().channel().queued() >= limits.client_queue_soft_bytes / 2;
}

void ClientSession::overflow() {
    // Ended when the turn is over: whoever delivers may be in the middle of all resources.
    overflowed_ = true;
    hub_.shard.mark_dirty(*this);
}

void ClientSession::evict(std::string_view condition, std::string_view text) {
    if (ended_) return;
    if (ClientStream* stream = std::exchange(stream_, nullptr)) {
        stream->leave_session();
        stream->stream().fail(condition, text);
    }
    end();
}

void ClientSession::flush() {
    if (overflowed_) {
        // The client does not read, or does not acknowledge: what matters goes to the store, where
        // the next login finds it.
        evict(stream_error::resource_constraint, "too much is waiting for this client");
        return;
    }
    if (management_ == nullptr || stream_ == nullptr) return;
    Management& m = *management_;
    if (m.asked || m.unacked.empty()) return;
    constexpr std::size_t ask_after = 20;
    const bool matters =
        std::ranges::any_of(m.unacked, [](const Unacked& u) { return u.hold != 0; });
    if (!matters && m.unacked.size() < ask_after) return;
    m.asked = true;
    stream_->stream().send("<r xmlns='urn:xmpp:sm:3'/>");
}

void ClientSession::stream_drained() {
    if (soft_full_) {
        soft_full_ = false;
        timer_.cancel();
    }
    for (const HoldId hold : std::exchange(in_transit_, {})) hub_.ledger.written(hold);
    if (!crowded()) account_.inbox().room_again();
}

// ---- the stream comes and goes ----

void ClientSession::stream_lost(bool orderly) {
    stream_ = nullptr;
    soft_full_ = false;
    timer_.cancel();
    if (ended_) return;
    if (orderly || !resumable() ||
        table_.detached_of(account_) > hub_.limits().resumable_per_account) {
        end();
        return;
    }
    management_->asked = false;
    management_->answer_due = false;
    hub_.shared.features.announce({.event = LifeEvent::session_hibernates,
                                   .hub = hub_,
                                   .account = &account_,
                                   .session = this});
    hub_.shard.timers().arm(timer_,
                            std::chrono::duration_cast<Duration>(hub_.limits().resume_seconds),
                            *this, resume_over);
}

void ClientSession::on_timer(std::uint32_t which) {
    if (which == resume_over) {
        end();
    } else if (stream_ != nullptr &&
               stream_->stream().channel().queued() > hub_.limits().client_queue_soft_bytes) {
        overflow();
    } else {
        soft_full_ = false;
    }
}

void ClientSession::end() {
    if (std::exchange(ended_, true)) return;
    timer_.cancel();
    account_.detach(*this);
    hub_.ticket_holders.erase(holder_id_);
    // What the client never acknowledged goes to the store, and from there to another resource.
    std::vector<HoldId> holds = std::exchange(in_transit_, {});
    if (management_ != nullptr) {
        for (const Unacked& left : std::exchange(management_->unacked, {})) {
            if (left.hold != 0) {
                holds.push_back(left.hold);
            } else if (left.packet->kind() == StanzaKind::iq) {
                hub_.routing->bounce(
                    *left.packet,
                    {.condition = StanzaCondition::recipient_unavailable, .text = {}});
            }
        }
    }
    const auto left = std::make_shared<std::size_t>(holds.size());
    for (const HoldId hold : holds) {
        hub_.ledger.release_to(
            hold, [&hub = hub_, bare = std::string(jid().bare()), left](Result<std::uint64_t>) {
                if (--*left != 0) return;
                if (Account* user = hub.accounts->find(bare)) user->inbox().redeliver();
            });
    }
    table_.remove(*this);
}

// ---- from the client ----

void ClientSession::refuse(const Element& element, StanzaKind kind, StanzaCondition condition,
                           std::string text) {
    std::string inner;
    append_error(inner, {.condition = condition, .text = std::move(text)});
    deliver(Packet::make(kind, StanzaType::error, account_.jid().domain_jid(), jid(),
                         element.attribute("id"), inner),
            0);
}

void ClientSession::stanza_in(Element& element, Arena& arena) {
    const auto kind = stanza_kind(element);
    if (!kind) {
        stream_->stream().fail(stream_error::unsupported_stanza_type,
                               "a stanza is a message, a presence or an iq");
        return;
    }
    if (const std::string_view from = element.attribute("from"); !from.empty()) {
        // RFC 6120 §8.1.2.1: nobody speaks for another.
        const auto claimed = Jid::parse(from);
        if (!claimed || (*claimed != jid() && claimed->full() != jid().bare())) {
            stream_->stream().fail(stream_error::invalid_from, "that is not your address");
            return;
        }
    }
    const auto type = stanza_type(*kind, element);
    if (!type) {
        const AcknowledgementTicket ticket = take_ticket();
        refuse(element, *kind, StanzaCondition::bad_request, "That type is not known.");
        if (ticket.owed()) settled(ticket.number);
        return;
    }
    Stanza stanza{element, arena, *kind, *type, jid(), {}};
    if (const std::string_view to = element.attribute("to"); !to.empty()) {
        auto parsed = Jid::parse(to);
        if (!parsed) {
            const AcknowledgementTicket ticket = take_ticket();
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
    hub_.routing->from_client(stanza, account_, *this, take_ticket());
}

}  // namespace causeway
