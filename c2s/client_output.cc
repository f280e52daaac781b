// What goes from a session to its client: what is sent, what waits, and when it is too much.
#include <algorithm>

#include "c2s/client_session.h"
#include "c2s/client_table.h"
#include "c2s/session_trace.h"

namespace causeway {
namespace {

/// It answers something that the client asked: an answer is sent whatever its size.
bool is_answer(const Packet& packet) {
    return packet.kind() == StanzaKind::iq &&
           (packet.type() == StanzaType::result || packet.type() == StanzaType::error);
}

}  // namespace

void ClientSession::write(const PacketRef& packet, HoldId hold) {
    send(packet, packet->bytes(), hold);
}

void ClientSession::write_as(const PacketRef& packet, const Jid& to) {
    if (management_ != nullptr || full()) {
        write(packet->readdressed(to), 0);
        return;
    }
    std::string bytes = hub_.shard.buffers().take_string();
    packet->append_to(bytes, to);
    send(packet, bytes, 0);
    hub_.shard.buffers().give_back(std::move(bytes));
}

void ClientSession::send(const PacketRef& packet, std::string_view bytes, HoldId hold) {
    if (hold == 0 && full() && HeldPresence::can_wait(*packet)) {
        hold_back(packet);
        return;
    }
    if (held_ != nullptr && !packet->from().empty()) {
        for (const PacketRef& earlier : held_->take_from(packet->from())) {
            transmit(earlier, earlier->bytes(), 0);
        }
    }
    transmit(packet, bytes, hold);
}

void ClientSession::hold_back(PacketRef packet) {
    if (held_ == nullptr) held_ = std::make_unique<HeldPresence>();
    held_->put(std::move(packet));
    if (spent(false)) overflow("more is waiting for the client than may");
}

void ClientSession::transmit(const PacketRef& packet, std::string_view bytes, HoldId hold) {
    if (state_ >= State::overfull) {
        hub_.ledger.release(hold);
        return;
    }
    bool answer = is_answer(*packet);
    PacketRef refusal;
    if (answer && spent(true)) {
        // The client asks for more before it has taken what it asked for: the session goes on.
        std::string inner;
        append_error(inner, {.condition = StanzaCondition::resource_constraint,
                             .text = "Read what you asked for before, then ask again."});
        refusal = Packet::make(StanzaKind::iq, StanzaType::error, packet->from(), packet->to(),
                               packet->id(), inner);
        bytes = refusal->bytes();
        answer = false;
    }
    // One stanza always fits, however large it became.
    if (!answer && spent(false)) {
        hub_.ledger.release(hold);
        overflow("more is waiting for the client than may");
        return;
    }
    if (management_ != nullptr) {
        management_->sent(
            {refusal == nullptr ? packet : refusal, hold, answer, hub_.clock().wall()});
        if (record_ != nullptr) note_sent(*packet, hold);
        // First on the list, so that our <r/> leaves in the same record.
        if (stream_ != nullptr) hub_.shard.mark_dirty(*this);
    } else if (hold != 0) {
        in_transit_.push_back(hold);
    }
    if (stream_ == nullptr) {
        session_trace::no_connection(hub_, jid(), *packet);
        hub_.ledger.store(hold);
        return;
    }
    if (answer && management_ == nullptr) progress_.answers += bytes.size();
    progress_.written += bytes.size();
    emit(bytes);
    after_output();
}

void ClientSession::has_copy(std::uint64_t number, HoldId hold) {
    if (management_ != nullptr) {
        if (!management_->hold_for_copy(number, hold)) {
            hub_.ledger.confirm(hold);
        } else if (stream_ != nullptr) {
            hub_.shard.mark_dirty(*this);  // the client may have to be asked
        }
    } else if (queued() != 0) {
        in_transit_.push_back(hold);
    } else {
        hub_.ledger.written(hold);
    }
}

std::size_t ClientSession::queued() const {
    if (stream_ == nullptr) return 0;
    return stream_->stream().channel().queued() + (record_ == nullptr ? 0 : record_->output_bytes);
}

bool ClientSession::full() const {
    const Limits& limits = hub_.limits();
    return (management_ != nullptr &&
            (management_->unacknowledged().size() >= limits.unacked_stanzas ||
             management_->bytes() >= limits.unacked_bytes)) ||
           queued() >= limits.client_queue_soft_bytes;
}

bool ClientSession::spent(bool answer) const {
    const std::size_t most = hub_.limits().client_queue_hard_bytes;
    const std::size_t not_taken = queued();
    std::size_t answers = std::min(progress_.answers, not_taken);
    std::size_t others = not_taken - answers;
    if (management_ != nullptr) {
        // What has not been taken is not acknowledged either.
        answers = management_->answer_bytes();
        others = management_->bytes() - answers;
    }
    if (answer) return answers >= most;
    return others + (held_ == nullptr ? 0 : held_->bytes()) >= most;
}

bool ClientSession::crowded() const {
    const Limits& limits = hub_.limits();
    if (management_ != nullptr &&
        (management_->unacknowledged().size() >= limits.unacked_stanzas / 2 ||
         management_->bytes() >= limits.unacked_bytes / 2)) {
        return true;
    }
    return queued() >= limits.client_queue_soft_bytes / 2;
}

void ClientSession::after_output() {
    if (state_ == State::flowing && full()) enter(State::full);
    // A client that does not read is not read: what it asks for would only add to what waits.
    if (queued() >= hub_.limits().client_queue_soft_bytes) {
        stream_->stream().pause(XmppStream::Pause::output);
    }
}

/// Called when the client acknowledged something or the system took everything.
void ClientSession::room_made() {
    while (held_ != nullptr && !full()) {
        const PacketRef next = held_->take_oldest();
        if (next == nullptr) {
            held_.reset();
            break;
        }
        transmit(next, next->bytes(), 0);
    }
    if (state_ == State::full && !full()) enter(State::flowing);
    if (crowded()) return;
    account_.inbox().room_again();
    hub_.shared.features.announce(
        {.event = LifeEvent::session_has_room, .hub = hub_, .account = &account_, .session = this});
}

void ClientSession::look_for_progress() {
    const std::size_t left = queued();
    const std::uint64_t taken =
        progress_.written - std::min<std::uint64_t>(progress_.written, left);
    const TimePoint now = hub_.clock().now();
    if (taken > progress_.taken) progress_.taken_at = now;
    progress_.taken = taken;
    if (!full()) {
        enter(State::flowing);
        return;
    }
    const Limits& limits = hub_.limits();
    if (left >= limits.client_queue_soft_bytes) {
        if (now - progress_.taken_at >= limits.queue_soft_seconds) {
            overflow("the client reads nothing");
            return;
        }
    } else if (now - progress_.acknowledged_at >= limits.unacked_seconds) {
        overflow("the client acknowledges nothing");
        return;
    }
    hub_.shard.timers().arm(timer_, std::chrono::duration_cast<Duration>(limits.queue_soft_seconds),
                            *this, state_timer);
}

void ClientSession::overflow(std::string_view cause) {
    // Ended when the turn is over: the caller may be in the middle of all resources.
    cause_ = cause;
    enter(State::overfull);
}

void ClientSession::stream_drained() {
    if (stream_ == nullptr) return;
    progress_.taken = progress_.written;
    if (state_ == State::full) progress_.taken_at = hub_.clock().now();
    progress_.answers = 0;
    stream_->stream().resume(XmppStream::Pause::output);
    for (const HoldId hold : std::exchange(in_transit_, {})) hub_.ledger.written(hold);
    room_made();
}

}  // namespace causeway
