#include "s2s/remote_pair.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/net/system_network.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

enum : std::uint32_t { attempt_due, idle_check, guest_late, ping_late, unhurried_over };
constexpr std::size_t memory_limit = 1000;
constexpr std::size_t memory_bytes_limit = 4U << 20U;
constexpr Duration ping_patience{20'000};
// Where nobody waits for the answer, one question for many messages.
constexpr Duration unhurried{100};
constexpr std::size_t ping_after = 500;
// Messages that nobody is owed an acknowledgement for, written to a peer that is slow to answer:
// those beyond are not sent again if its stream breaks.
constexpr std::size_t unconfirmed_limit = 10'000;
// How it is proven on a stream that another of our domains opened.
constexpr std::string_view guest_authentication = "dialback";

Duration millis(std::chrono::seconds seconds) {
    return std::chrono::duration_cast<Duration>(seconds);
}

/// Names a ping; nobody can guess it, and no other one has it.
std::uint64_t random_number() { return 1 + random_below(~std::uint64_t{1}); }

bool durable(const Packet& packet) {
    return packet.storable() ||
           (packet.kind() == StanzaKind::presence && is_subscription(packet.type()));
}

}  // namespace

std::string RemotePair::queue_owner(std::string_view remote, std::string_view local) {
    return fmt::format("{} {}", remote, local);
}

RemotePair::RemotePair(Hub& hub, ServerTable& table, std::string local, std::string remote)
    : hub_(hub), table_(table), local_(std::move(local)), remote_(std::move(remote)) {
    since_ = hub_.clock().wall();
}

RemotePair::~RemotePair() {
    Flushable::unlink();
    leave_stream();
}

StoreKey RemotePair::store_key() const {
    const auto kept = millis(hub_.limits().remote_queue_seconds);
    return {store_name, queue_owner(remote_, local_), hub_.shared.lifetimes.after(kept)};
}

bool RemotePair::may_try_now() const {
    return hub_.clock().now() - last_attempt_ >= millis(hub_.limits().remote_retry_min_seconds);
}

// ---- towards the peer ----

void RemotePair::send(PacketRef packet, AcknowledgementTicket ticket) {
    last_used_ = hub_.clock().now();
    const bool keep = durable(*packet);
    // A stream that is ending takes nothing any more; the next one is opened for this.
    if (state_ == State::up && !stream_->stream().usable()) abandon_stream();
    if (state_ == State::up && !(stored_ && keep)) {
        if (!keep) hub_.settle(ticket);
        const bool owed = keep && ticket.owed();
        write(packet, owed ? hub_.ledger.hold(packet, ticket, store_key()) : 0, keep);
        return;
    }
    if (state_ == State::idle && !verdict_.ok() && !may_try_now()) {
        // Asked a moment ago: the answer is still the same.
        bounce(*packet, verdict_, ticket);
        return;
    }
    if (state_ == State::waiting && may_try_now()) connect();
    if (keep && (stored_ || state_ == State::waiting)) {
        spool(packet, ticket);
    } else if (state_ == State::waiting) {
        // In a pause between attempts: what is not kept is answered at once.
        bounce(*packet, Outcome::retry(last_error_), ticket);
    } else {
        hold_in_memory(packet, ticket, keep);
    }
    if (state_ == State::idle) connect();
}

void RemotePair::hold_in_memory(const PacketRef& packet, AcknowledgementTicket ticket, bool keep) {
    if (memory_.size() >= memory_limit || memory_bytes_ >= memory_bytes_limit) {
        if (keep) {
            spool_memory();
            spool(packet, ticket);
        } else {
            bounce(*packet, Outcome::policy("too much is waiting for that domain"), ticket);
        }
        return;
    }
    if (!keep) hub_.settle(ticket);
    memory_bytes_ += packet->bytes().size();
    memory_.push_back({packet, keep ? hub_.ledger.hold(packet, ticket, store_key()) : 0});
}

void RemotePair::write(const PacketRef& packet, HoldId hold, bool keep) {
    Channel& channel = stream_->stream().channel();
    if (channel.queued() > hub_.limits().server_queue_hard_bytes) {
        // A peer that does not read: new stanzas are refused before memory is spent on them.
        if (hold != 0) {
            store_again(hold);
        } else {
            bounce(*packet, Outcome::policy("the other server does not take what is sent to it"));
        }
        return;
    }
    if (hold != 0 || (keep && unconfirmed_.size() < unconfirmed_limit)) {
        // A ping in front tells the peer to follow what comes behind it.
        if (hold != 0 && pings_answered_ && !std::exchange(followed_, true)) {
            ping(random_number(), true);
        }
        // Nobody waits for news of a message without a hold: a reference to it will do.
        unconfirmed_.push_back({hold, hold == 0 ? packet : nullptr});
        owed_ = owed_ || hold != 0;
        hub_.shard.mark_dirty(*this);
    }
    stream_->stream().send(packet->bytes());
}

void RemotePair::ping(std::uint64_t number, bool owed) {
    stream_->stream().send(fmt::format(
        "<iq to='{}' from='{}{}{}' id='{}{}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        remote_, local_, owed ? "" : "/", owed ? std::string_view{} : ServerTable::unowed_resource,
        ServerTable::ping_prefix, number));
}

void RemotePair::flush() {
    if (state_ != State::up || unconfirmed_.empty() || ping_ != 0 || !pings_answered_) return;
    const Duration since = hub_.clock().now() - last_ask_;
    if (!owed_ && unconfirmed_.size() < ping_after && since < unhurried) {
        if (!unhurried_timer_.armed()) {
            hub_.shard.timers().arm(unhurried_timer_, unhurried - since, *this, unhurried_over);
        }
        return;
    }
    ask();
}

void RemotePair::ask() {
    unhurried_timer_.cancel();
    const bool owed = std::exchange(owed_, false);
    followed_ = owed;
    last_ask_ = hub_.clock().now();
    ping_ = random_number();
    ping_covers_ = unconfirmed_.size();
    ping(ping_, owed);
    hub_.shard.timers().arm(ping_timer_, ping_patience, *this, ping_late);
}

void RemotePair::ping_answered(std::uint64_t number) {
    if (number == 0) return;
    answers_ = true;
    if (number != ping_) return;
    ping_ = 0;
    ping_timer_.cancel();
    confirm(ping_covers_);
    if (!unconfirmed_.empty()) hub_.shard.mark_dirty(*this);
    if (stored_) drain();
}

void RemotePair::confirm(std::size_t count) {
    for (; count > 0 && !unconfirmed_.empty(); --count) {
        if (const HoldId hold = unconfirmed_.front().hold; hold != 0) hub_.ledger.confirm(hold);
        unconfirmed_.pop_front();
        attempts_ = 0;
        if (careful_ > 0) --careful_;
    }
}

void RemotePair::on_stream_writable(OutgoingStream&) {
    if (!pings_answered_) confirm(unconfirmed_.size());
    if (stored_) drain();
}

// ---- the stream ----

void RemotePair::connect() {
    state_ = State::connecting;
    verdict_ = {};
    since_ = hub_.clock().wall();
    last_attempt_ = hub_.clock().now();
    next_retry_ = 0;
    timer_.cancel();
    if (OutgoingStream* open = alone_ ? nullptr : table_.stream_for(*this)) {
        stream_ = open;
        stream_->add_guest(local_, *this);
        hub_.shard.timers().arm(timer_, millis(hub_.limits().link_connect_seconds), *this,
                                guest_late);
        return;
    }
    own_stream_ =
        std::make_unique<OutgoingStream>(hub_, local_, remote_, OutgoingStream::Purpose::stanzas,
                                         static_cast<OutgoingOwner&>(*this));
    stream_ = own_stream_.get();
    stream_->start();
}

void RemotePair::leave_stream() {
    OutgoingStream* left = std::exchange(stream_, nullptr);
    if (own_stream_ != nullptr) {
        own_stream_->disown();
        hub_.shard.condemn(std::move(own_stream_));
    } else if (left != nullptr) {
        left->remove_guest(*this);
    }
}

void RemotePair::abandon_stream() {
    state_ = State::idle;
    give_back_unconfirmed();
    leave_stream();
    timer_.cancel();
    since_ = hub_.clock().wall();
}

void RemotePair::on_ready(OutgoingStream&) {
    state_ = State::up;
    table_.reached(*this);
    since_ = hub_.clock().wall();
    last_used_ = hub_.clock().now();
    pings_answered_ = true;
    followed_ = false;
    last_error_.clear();
    hub_.shard.timers().arm(timer_, millis(hub_.limits().link_idle_seconds), *this, idle_check);
    memory_bytes_ = 0;
    for (const Waiting& waiting : std::exchange(memory_, {})) {
        write(waiting.packet, waiting.hold, waiting.hold != 0);
    }
    if (stored_) drain();
}

void RemotePair::on_stopped(OutgoingStream& stream, const Outcome& why) {
    if (&stream != stream_) return;
    const bool was_up = state_ == State::up;
    last_stream_error_ = stream.peer_failed();
    const bool guest = own_stream_ == nullptr;
    // What it does to a stream that others use, it shall do to its own.
    if (guest && stream.peer_failed()) alone_ = true;
    if (!guest && was_up && why.ok()) alone_ = false;
    hospitable_ = hospitable_ && !stream.failed_over_guest();
    stream_ = nullptr;
    if (!guest) hub_.shard.condemn(std::move(own_stream_));
    state_ = State::idle;
    since_ = hub_.clock().wall();
    timer_.cancel();
    if (guest && !was_up && !table_.closing()) {
        refused_as_guest();
        return;
    }
    if (was_up) {
        if (!why.ok()) note_error(why);
        doubt_unconfirmed(why);
        give_back_unconfirmed();
        if (!stored_ && memory_.empty()) return;
        // It worked a moment ago: try again soon; attempts_ grows until something is confirmed.
        state_ = State::waiting;
        schedule_retry();
        ++attempts_;
        return;
    }
    note_error(why);
    if (why.ok() || why.cause() == Cause::retry) {
        fail_for_now(why.ok() ? Outcome::retry("the stream was closed") : why);
    } else {
        fail_for_good(why);
    }
}

/// Not there; that says nothing about a stream of its own.
void RemotePair::refused_as_guest() {
    alone_ = true;
    connect();
}

/// The peer ended the stream with an error: one of the messages under way may be why. They are sent
/// one at a time then, and one that ends the stream again and again gets the error itself.
void RemotePair::doubt_unconfirmed(const Outcome& why) {
    constexpr unsigned most_breaks = 3;
    if (unconfirmed_.empty() || why.ok() || !last_stream_error_) return;
    if (careful_ == 0) {
        careful_ = unconfirmed_.size();
        suspect_ = 0;
        breaks_ = 0;
        return;
    }
    if (suspect_ != broke_at_) breaks_ = 0;
    broke_at_ = suspect_;
    if (++breaks_ < most_breaks) return;
    breaks_ = 0;
    const Written& first = unconfirmed_.front();
    const PacketRef packet = first.hold != 0 ? hub_.ledger.packet(first.hold) : first.packet;
    if (packet != nullptr) bounce(*packet, Outcome::refused(why.why()));
    confirm(1);
}

void RemotePair::note_error(const Outcome& why) {
    last_error_ = why.why();
    last_error_at_ = hub_.clock().wall();
}

void RemotePair::schedule_retry() {
    const Limits& limits = hub_.limits();
    const auto least = millis(limits.remote_retry_min_seconds).count();
    const auto most = millis(limits.remote_retry_max_seconds).count();
    const auto pause = std::min(most, least << std::min(attempts_, 16U));
    // Jitter, so that a domain that comes back is not greeted by everybody at once.
    const auto spread = static_cast<std::uint64_t>(std::max<std::int64_t>(1, pause / 4));
    const Duration after{pause - pause / 8 + static_cast<std::int64_t>(random_below(spread))};
    next_retry_ = hub_.clock().wall() + after.count();
    hub_.shard.timers().arm(timer_, after, *this, attempt_due);
}

void RemotePair::fail_for_now(const Outcome& why) {
    state_ = State::waiting;
    spool_memory();
    for (const Waiting& waiting : std::exchange(memory_, {})) bounce(*waiting.packet, why);
    memory_bytes_ = 0;
    if (stored_) schedule_retry();
    ++attempts_;
}

void RemotePair::fail_for_good(const Outcome& why) {
    verdict_ = why;
    for (const Waiting& waiting : std::exchange(memory_, {})) {
        // The sender's answer is the error: nothing is to be stored any more.
        if (waiting.hold != 0) hub_.ledger.confirm(waiting.hold);
        bounce(*waiting.packet, why);
    }
    memory_bytes_ = 0;
    if (stored_) fail_stored(why);
}

void RemotePair::bounce(const Packet& packet, const Outcome& why, AcknowledgementTicket ticket) {
    // Presence is not answered with errors: it says how things were, and they have moved on. But
    // whoever joins a room, say, waits for an answer (RFC 6120 §10.4).
    if (packet.kind() == StanzaKind::presence && !is_subscription(packet.type()) &&
        !packet.directed()) {
        hub_.settle(ticket);
        return;
    }
    StanzaError error{.condition = why.cause() == Cause::absent
                                       ? StanzaCondition::remote_server_not_found
                                       : StanzaCondition::remote_server_timeout,
                      .text = why.why()};
    if (why.cause() == Cause::refused || why.cause() == Cause::policy) error.type = "cancel";
    hub_.routing->bounce(packet, error, ticket);
}

void RemotePair::on_timer(std::uint32_t which) {
    if (which == attempt_due) {
        if (state_ == State::waiting) connect();
    } else if (which == guest_late) {
        leave_stream();
        if (table_.closing()) {
            fail_for_now(Outcome::retry("it did not answer in time"));
        } else {
            refused_as_guest();
        }
    } else if (which == unhurried_over) {
        if (state_ == State::up && !unconfirmed_.empty() && ping_ == 0 && pings_answered_) ask();
    } else if (which == ping_late && answers_) {
        // It answered before: the connection, or the peer, is not what it was.
        CAUSEWAY_LOG(info, "s2s.silent", {"remote", remote_});
        if (state_ != State::up) return;
        const Outcome silent = Outcome::retry(fmt::format("{} answers no more", remote_));
        if (own_stream_ == nullptr) {
            stream_->give_up(silent);  // for all that share it; on_stopped follows
            return;
        }
        note_error(silent);
        abandon_stream();
        state_ = State::waiting;
        schedule_retry();
    } else if (which == ping_late) {
        // The peer cannot answer (it may have no way back to us): what was written must do.
        CAUSEWAY_LOG(info, "s2s.ping_unanswered", {"remote", remote_});
        ping_ = 0;
        pings_answered_ = false;
        if (state_ == State::up && stream_->stream().channel().queued() == 0) {
            confirm(unconfirmed_.size());
            if (stored_) drain();
        }
    } else if (state_ == State::up) {
        const Duration idle = hub_.clock().now() - last_used_;
        const Duration allowed = millis(hub_.limits().link_idle_seconds);
        if (idle >= allowed && unconfirmed_.empty() && own_stream_ == nullptr) {
            abandon_stream();
            if (!stored_ && memory_.empty()) return;
            state_ = State::waiting;
            schedule_retry();
        } else if (idle >= allowed && unconfirmed_.empty() && !stream_->has_guests()) {
            stream_->close();
        } else {
            hub_.shard.timers().arm(timer_, std::max(allowed - idle, Duration{1000}), *this,
                                    idle_check);
        }
    }
}

void RemotePair::peer_is_back() {
    verdict_ = {};
    if (state_ != State::waiting) return;
    attempts_ = 0;
    if (stored_ || !memory_.empty()) {
        connect();
        return;
    }
    timer_.cancel();
    next_retry_ = 0;
    last_attempt_ = {};
    state_ = State::idle;
}

void RemotePair::retry() {
    attempts_ = 0;
    if (state_ == State::waiting || (state_ == State::idle && stored_)) connect();
}

bool RemotePair::close() {
    if (own_stream_ == nullptr) return false;
    own_stream_->close();
    return true;
}

bool RemotePair::forgettable() const {
    return stream_ == nullptr && memory_.empty() && unconfirmed_.empty() && !stored_ && !reading_ &&
           failing_ == 0 && keeping_ == 0;
}

PairReport RemotePair::report() const {
    PairReport report{.local = local_, .remote = remote_};
    switch (state_) {
        case State::idle: report.state = "idle"; break;
        case State::waiting: report.state = "waiting"; break;
        case State::up: report.state = "established"; break;
        case State::connecting: report.state = "connecting"; break;
    }
    if (stream_ != nullptr) {
        if (stream_->state() == OutgoingStream::State::resolving) report.state = "resolving";
        if (stream_->state() == OutgoingStream::State::negotiating) report.state = "negotiating";
        report.authentication =
            own_stream_ != nullptr ? stream_->authentication() : guest_authentication;
        report.target = stream_->target();
        report.targets = stream_->targets();
        if (const XmppStream* stream = stream_->stream_if_any()) {
            report.address = to_string(stream->channel().remote());
            if (const TlsEngine* tls = stream->channel().tls()) {
                report.tls_version = tls->version();
                report.tls_cipher = tls->cipher();
            }
        }
    }
    report.last_error = last_error_;
    report.last_error_at = last_error_at_;
    report.since = since_;
    report.next_retry = next_retry_;
    report.in_memory = memory_.size();
    report.attempts = attempts_;
    return report;
}

}  // namespace causeway
