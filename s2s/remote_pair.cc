#include "s2s/remote_pair.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/net/system_network.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "s2s/server_link.h"

namespace causeway {
namespace {

constexpr std::size_t memory_limit = 1000;
constexpr std::size_t memory_bytes_limit = 4U << 20U;
// Stored messages that are under way without an answer, beside those that are live.
constexpr std::size_t under_way = 100;

Duration millis(std::chrono::seconds seconds) {
    return std::chrono::duration_cast<Duration>(seconds);
}

/// What shows that accounts here and there see each other's presence.
bool keeps_in_touch(const Packet& packet) {
    return packet.kind() == StanzaKind::presence && !packet.directed() &&
           (packet.type() == StanzaType::available || packet.type() == StanzaType::probe);
}

bool durable(const Packet& packet) {
    return packet.storable() ||
           (packet.kind() == StanzaKind::presence && is_subscription(packet.type()));
}

}  // namespace

RemotePair::RemotePair(Hub& hub, ServerLink& link, std::string local, std::string remote,
                       std::string asked_by)
    : hub_(hub),
      link_(link),
      local_(std::move(local)),
      remote_(std::move(remote)),
      asked_by_(std::move(asked_by)),
      stored_(hub, local_, remote_, static_cast<StoredQueue::Owner&>(*this)),
      written_(hub, local_, remote_, static_cast<Confirmations::Owner&>(*this)),
      answers_(hub, static_cast<AwaitedAnswers::Owner&>(*this)),
      last_used_(hub.clock().now()),
      since_(hub.clock().wall()) {}

RemotePair::~RemotePair() { leave_stream(); }

/// The one place where the state changes.
void RemotePair::become(State state) {
    if (state_ == State::up) {
        attempts_.lost_at = hub_.clock().now();
        answers_.stream_ended();
    }
    state_ = state;
    since_ = hub_.clock().wall();
    timer_.cancel();
    attempts_.next = 0;
}

bool RemotePair::may_try_now() const {
    return hub_.clock().now() - attempts_.last >= millis(hub_.limits().remote_retry_min_seconds);
}

// ---- towards the peer ----

void RemotePair::send(PacketRef packet, AcknowledgementTicket ticket) {
    last_used_ = hub_.clock().now();
    const bool keep = durable(*packet);
    if (keeps_in_touch(*packet)) attempts_.presence_at = last_used_;
    unavailable_.said(*packet);
    // A stream that is ending takes nothing any more; the next one is opened for this.
    if (state_ == State::up && !stream_->takes() && !last_word_is_due()) {
        abandon_stream();
    }
    if (established() && (stored_.empty() || !keep)) {
        if (!keep) hub_.settle(ticket);
        const bool owed = keep && ticket.owed();
        write(packet, owed ? hub_.ledger.hold(packet, ticket, stored_.key()) : 0, keep);
        return;
    }
    if (state_ == State::idle && !verdict_.ok() && !may_try_now()) {
        // Asked a moment ago: the answer is still the same.
        bounce(*packet, verdict_, ticket);
        return;
    }
    if (state_ == State::waiting && may_try_now()) {
        connect();
        // On a stream of the peer, which was there.
        if (state_ == State::up) {
            send(std::move(packet), ticket);
            return;
        }
    }
    if (keep && (!stored_.empty() || state_ == State::waiting)) {
        store(packet, ticket);
    } else if (state_ == State::waiting && !may_wait(*packet)) {
        // In a pause between attempts: what is not kept is answered at once.
        bounce(*packet, Outcome::retry(last_error_.why), ticket);
    } else {
        hold_in_memory(packet, ticket, keep);
        if (state_ == State::waiting) attempt_soon();
    }
    if (state_ == State::idle) connect();
}

/// The peer may say what it has of what was sent, before it has ended its side: that is not sent
/// again, and what comes meanwhile goes behind it.
bool RemotePair::last_word_is_due() const {
    return !written_.empty() && stream_->awaits_acknowledgement() &&
           stream_->stream().state() == XmppStream::State::hearing;
}

void RemotePair::hold_in_memory(const PacketRef& packet, AcknowledgementTicket ticket, bool keep) {
    if (memory_.size() >= memory_limit || memory_bytes_ >= memory_bytes_limit) {
        if (keep) {
            store_memory();
            store(packet, ticket);
        } else {
            bounce(*packet, Outcome::policy("too much is waiting for that domain"), ticket);
        }
        return;
    }
    if (!keep) hub_.settle(ticket);
    memory_bytes_ += packet->bytes().size();
    note(*packet, TraceVerdict::waiting,
         state_ == State::waiting ? "a stream to it is opened in a moment"
                                  : "a stream to it is being opened");
    memory_.push_back({packet, keep ? hub_.ledger.hold(packet, ticket, stored_.key()) : 0});
}

void RemotePair::store(const PacketRef& packet, AcknowledgementTicket ticket,
                       const Interruption::Arrived& stored_as) {
    if (const Outcome kept = stored_.keep(packet, ticket, stored_as); !kept) {
        bounce(*packet, kept, ticket);
        return;
    }
    note(*packet, TraceVerdict::kept, last_error_.why);
    if (state_ == State::waiting && !timer_.armed()) schedule_retry();
}

/// What can be kept goes to the store; the rest goes on waiting.
void RemotePair::store_memory() {
    give_back_unconfirmed();  // which came before
    for (const Waiting& waiting : std::exchange(memory_, {})) {
        if (waiting.hold == 0) {
            memory_.push_back(waiting);
        } else {
            note(*waiting.packet, TraceVerdict::kept, last_error_.why);
            stored_.give_back(waiting.hold);
        }
    }
    memory_bytes_ = bytes_in_memory();
}

std::size_t RemotePair::bytes_in_memory() const {
    std::size_t bytes = 0;
    for (const Waiting& waiting : memory_) bytes += waiting.packet->bytes().size();
    return bytes;
}

void RemotePair::write(const PacketRef& packet, HoldId hold, bool keep) {
    if (stream_->congested()) {
        // A peer that does not read, or does not acknowledge: no memory is spent on what is new.
        if (hold != 0) {
            note(*packet, TraceVerdict::kept, "the other server does not take what is sent to it");
            stored_.give_back(hold);
            stored_.restart();  // it may have been read from there already
        } else if (keep) {
            store(packet, {});
        } else {
            bounce(*packet, Outcome::policy("the other server does not take what is sent to it"));
        }
        return;
    }
    if (keep || hold != 0) {
        written_.written(packet, hold);
    } else {
        written_.written_in_passing();
        answers_.written(packet);
    }
    note(*packet, TraceVerdict::written,
         written_.peer_cannot_answer() ? "that server answers no pings" : "");
    stream_->send(packet, hold,
                  keep || hold != 0 ? LinkAcknowledgements::Worth::kept
                                    : LinkAcknowledgements::Worth::passing);
}

bool RemotePair::takes_stored() const {
    // A stream that is ending takes nothing any more; on_stopped tries again. The answer to a ping,
    // or room, brings us back.
    if (!established()) return false;
    if (written_.size() > under_way) return false;
    if (suspects_.resend_one_at_a_time() && !written_.empty()) return false;
    if (stream_->congested()) return false;
    return stream_->stream().channel().queued() <= hub_.limits().server_queue_soft_bytes;
}

void RemotePair::write_stored(const PacketRef& packet, HoldId hold, std::uint64_t row) {
    last_used_ = hub_.clock().now();
    suspects_.sent(row);
    write(packet, hold, true);
}

// ---- what has arrived ----

void RemotePair::send_ping(const Jid& from, const std::string& id) {
    stream_->send(Packet::make(StanzaKind::iq, StanzaType::get, from, Jid::trusted({}, remote_), id,
                               XmlBuilder().empty("ping", ns::ping).take()),
                  0, LinkAcknowledgements::Worth::passing);
}

void RemotePair::on_acknowledged(Carrier&, std::span<const StreamManagement::Sent> done) {
    if (const std::size_t count = written_.acknowledged(done); count > 0) confirmed(count);
}

void RemotePair::confirmed(std::size_t count) {
    if (count > 0) {
        attempts_.count = 0;
        attempts_.next_at_once = true;
    }
    suspects_.confirmed(count);
    stored_.read();
}

void RemotePair::peer_is_silent() {
    const Outcome silent = Outcome::retry(fmt::format("{} answers no more", remote_));
    if (own_stream_ == nullptr) {
        stream_->fail(silent);  // for all that share it; on_stopped follows
        return;
    }
    note_error(silent);
    own_stream_broke();
    abandon_stream();
    link_.stream_broke();
    reach_again(true);
}

/// For messages that are known to be handled without an answer of the peer.
void RemotePair::confirm(std::size_t count) {
    written_.confirm(count);
    confirmed(count);
}

/// The peer may have no way back to us: what the system took counts as arrived.
void RemotePair::peer_cannot_answer() {
    if (stream_->stream().channel().queued() == 0) confirm(written_.size());
}

void RemotePair::on_stream_writable(Carrier&) {
    if (written_.peer_cannot_answer()) {
        confirm(written_.size());
    } else {
        stored_.read();
    }
}

// ---- the stream ----

void RemotePair::connect() {
    verdict_ = {};
    stored_.try_again();
    // A stream of ours is resumed first: what the peer has of it is not sent twice.
    const bool to_resume = interruption_ != nullptr && interruption_->of_our_stream();
    if (to_resume || !go_on_peers_stream()) open_stream();
}

void RemotePair::open_stream() {
    if (link_.comes_later(*this)) {
        become(State::following);
        return;
    }
    attempts_.last = hub_.clock().now();
    if (OutgoingStream* open = interruption_ ? nullptr : link_.stream_to_share(*this)) {
        become(State::joining);
        stream_ = open;
        open->share(local_, *this);
        hub_.shard.timers().arm(timer_, millis(hub_.limits().link_connect_seconds), *this,
                                joining_late);
        return;
    }
    if (const Outcome room = link_.room_for_stream(); !room) {
        note_error(room);
        fail_for_now(room);
        return;
    }
    become(State::connecting);
    own_stream_ =
        std::make_unique<OutgoingStream>(hub_, local_, remote_, OutgoingStream::Purpose::stanzas,
                                         static_cast<OutgoingOwner&>(*this));
    own_stream_->is_counted_by(link_.opened());
    stream_ = own_stream_.get();
    if (interruption_ != nullptr && interruption_->of_our_stream()) {
        own_stream_->resume(interruption_->resumption(), interruption_->take_received());
    }
    own_stream_->start();
}

void RemotePair::leave_stream() {
    Carrier* left = std::exchange(stream_, nullptr);
    if (own_stream_ != nullptr) {
        own_stream_->disown();
        hub_.shard.condemn(std::move(own_stream_));
    } else if (left != nullptr) {
        left->unshare(*this);
    }
}

void RemotePair::abandon_stream() {
    become(State::idle);
    if (stream_->end() == Carrier::End::peer_error || !stream_->stream().failure().empty()) {
        own_stream_broke();
        interrupted(*stream_);
    }
    give_back_unconfirmed();
    if (own_stream_ != nullptr) {
        targets_ = own_stream_->outcomes();
        if (link_.let_end(own_stream_)) stream_ = nullptr;
    }
    leave_stream();
}

void RemotePair::on_ready(Carrier& stream) {
    become(State::up);
    if (own_stream_ == nullptr && stream.opened_by() == LinkResumption::By::us) link_.shared_one();
    link_.reached(std::exchange(asked_by_, {}));
    last_used_ = hub_.clock().now();
    last_error_.why.clear();
    hub_.shard.timers().arm(timer_, millis(hub_.limits().link_idle_seconds), *this, idle_check);
    go_on_after_break();
    say_who_went_away();
    memory_bytes_ = 0;
    for (const Waiting& waiting : std::exchange(memory_, {})) {
        write(waiting.packet, waiting.hold, waiting.hold != 0);
    }
    stored_.read();
    link_.contact_made(take_presence_lost());
    link_.next_follower();
}

void RemotePair::has(const Confirmations::Written& written) {
    written_.arrived(written);
    attempts_.count = 0;
    attempts_.next_at_once = true;
}

void RemotePair::send_again(const Confirmations::Written& written) {
    note(*written.packet, TraceVerdict::returned, "the stream ended before it was confirmed");
    write(written.packet, written.hold, true);
}

void RemotePair::on_stopped(Carrier& stream, const Outcome& why) {
    if (&stream != stream_) return;
    const State before = state_;
    const bool own = own_stream_ != nullptr;
    const bool by_peer_error = stream.end() != Carrier::End::otherwise;
    const bool of_peer = stream.opened_by() == LinkResumption::By::peer;
    if (!of_peer) link_.stream_ended(stream, own, before == State::up && why.ok());
    if (before == State::up && !why.ok()) {
        own_stream_broke();
        interrupted(stream);
    } else if (own && interruption_ != nullptr && interruption_->of_our_stream()) {
        interruption_->received(own_stream_->release_received());
    }
    if (stream.resumption().state == LinkResumption::State::absurd) {
        give_back_unconfirmed();
        interruption_.reset();
    }
    stream_ = nullptr;
    if (own) {
        targets_ = own_stream_->outcomes();
        hub_.shard.condemn(std::move(own_stream_));
    }
    become(State::idle);
    if (before == State::joining && !link_.closing()) {
        // Not there; that says nothing about a stream of its own.
        link_.sharing_refused();
        connect();
        link_.next_follower();
    } else if (before == State::up) {
        // What that means for the contact with the domain, a stream of the peer says itself.
        stream_broke(why, by_peer_error);
        if (!why.ok() && !of_peer) link_.stream_broke();
    } else {
        note_error(why);
        link_.attempt_failed();
        if (!link_.closing() && peers_stream_is_open() && go_on_peers_stream()) {
            return link_.next_follower();
        }
        if (why.ok() || why.cause() == Cause::retry) {
            const Outcome cause = why.ok() ? Outcome::retry("the stream was closed") : why;
            fail_for_now(cause);
            if (own) link_.followers_fail(cause);
        } else {
            fail_for_good(why);
            link_.next_follower();
        }
    }
}

void RemotePair::give_back_unconfirmed() {
    answers_.decided(false);  // what need not be sent again will not be
    const std::deque<Confirmations::Written> left = written_.end();
    const std::vector<Interruption::Arrived> stored_as =
        interruption_ == nullptr ? std::vector<Interruption::Arrived>(left.size())
                                 : interruption_->give_back(left);
    if (left.empty()) return;
    for (std::size_t i = 0; i < left.size(); ++i) {
        if (left[i].hold != 0) {
            if (const PacketRef packet = hub_.ledger.packet(left[i].hold)) {
                note(*packet, TraceVerdict::returned, "the stream ended before it was confirmed");
            }
            stored_.give_back(left[i].hold, stored_as[i]);
        } else {
            store(left[i].packet, {}, stored_as[i]);
        }
    }
    stored_.restart();
}

bool RemotePair::forgettable() const {
    return stream_ == nullptr && memory_.empty() && written_.empty() && stored_.idle() &&
           !answers_.needed();
}

}  // namespace causeway
