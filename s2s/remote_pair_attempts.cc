// RemotePair, its attempts: what a failed one means for what waits, and when the next one is due.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/random.h"
#include "s2s/remote_pair.h"
#include "s2s/server_link.h"

namespace causeway {
namespace {

Duration millis(std::chrono::seconds seconds) {
    return std::chrono::duration_cast<Duration>(seconds);
}

// A stream that lasted so long was no failure.
constexpr Duration steady{60'000};
// A stream that ended less than that before is the last that was there.
constexpr Duration lately{60'000};

}  // namespace

void RemotePair::stream_broke(const Outcome& why, bool by_peer_error) {
    if (!why.ok()) note_error(why);
    if (by_peer_error && !why.ok() && !written_.empty() && suspects_.broke(written_.size())) {
        const PacketRef packet = written_.front().packet;
        bounce(*packet, Outcome::refused(why.why()));
        note(*packet, TraceVerdict::refused,
             fmt::format("{}; that happened {} times with this message on its way", why.why(),
                         Suspects::most_breaks));
        confirm(1);
    }
    // A stream that can be resumed soon may leave nothing to be stored. But what is in the store
    // was to follow, and has to find it there.
    if (interruption_ == nullptr || by_peer_error || !stored_.empty() || link_.closing()) {
        // Behind it stands what came while the peer's last word was due.
        if (!written_.empty() && !memory_.empty()) {
            store_memory();
        } else {
            give_back_unconfirmed();
        }
    } else {
        written_.interrupt_and_hold(
            [&](const PacketRef& packet) { return hub_.ledger.hold(packet, {}, stored_.key()); });
    }
    // Presence alone is no reason to open again what was closed in good order.
    if (interruption_ != nullptr && !interruption_->of_our_stream() && !link_.closing()) {
        if (peers_stream_is_open()) {
            connect();
        } else {
            expect_peer();
        }
    } else if (something_waits() || (!why.ok() && stream_wanted())) {
        reach_again(!by_peer_error);
    } else {
        give_back_unconfirmed();  // what was said in passing is over
    }
}

/// It worked a moment ago: once at once, then with pauses that grow until something is confirmed.
void RemotePair::reach_again(bool at_once) {
    if (hub_.clock().now() - attempts_.last >= steady) {
        attempts_.count = 0;
        attempts_.next_at_once = true;
    }
    if (at_once && !link_.closing() && std::exchange(attempts_.next_at_once, false)) {
        connect();
        return;
    }
    store_memory();  // what came while the peer's last word was due
    wait_for_next_attempt();
    bounce_memory(true, Outcome::retry("the stream was closed"));
    if (!memory_.empty()) attempt_soon();
    ++attempts_.count;
}

/// Accounts here and there may see each other's presence. What else is sent there says nothing
/// about that: the accounts may be long gone.
bool RemotePair::presence_wanted() const {
    return attempts_.presence_at != TimePoint{} &&
           hub_.clock().now() - attempts_.presence_at < millis(hub_.limits().remote_queue_seconds);
}

/// The domain exists: it was within reach, or its server refused us. That it was there before our
/// restart, as a rule, is not known any more; what has no server is not looked for again and again.
bool RemotePair::may_take_us_again() const {
    return link_.was_there() || verdict_.cause() != Cause::absent;
}

/// Or the peer has something for us and no other way to us than our stream.
bool RemotePair::stream_wanted() const {
    return presence_wanted() ||
           (attempts_.peer_used_at != TimePoint{} &&
            hub_.clock().now() - attempts_.peer_used_at < millis(hub_.limits().link_idle_seconds));
}

void RemotePair::look_whether_there() {
    if (state_ == State::up && stream_->managed()) {
        stream_->look_whether_there();
    } else if (state_ == State::up) {
        written_.look_whether_there();
    } else if (state_ == State::idle && verdict_.ok() && presence_wanted()) {
        if (may_try_now()) {
            connect();
        } else {
            wait_for_next_attempt();
        }
    }
}

// ---- failure ----

std::optional<std::string> RemotePair::why_delayed() const {
    // What was given up gets its error, as soon as it is erased.
    if (state_ == State::up || stored_.given_up()) return std::nullopt;
    return last_error_.why;
}

void RemotePair::note_error(const Outcome& why) { last_error_ = {why.why(), hub_.clock().wall()}; }

void RemotePair::wait_for_next_attempt() {
    become(State::waiting);
    schedule_retry();
}

void RemotePair::schedule_retry() {
    const Limits& limits = hub_.limits();
    const auto least = millis(limits.remote_retry_min_seconds).count();
    const auto most = millis(limits.remote_retry_max_seconds).count();
    const auto pause = std::min(most, least << std::min(attempts_.count, 16U));
    // Jitter, so that not all servers connect at once to a domain that comes back.
    const auto spread = static_cast<std::uint64_t>(std::max<std::int64_t>(1, pause / 4));
    const Duration after{pause - pause / 8 + static_cast<std::int64_t>(random_below(spread))};
    attempt_after(after);
}

void RemotePair::attempt_after(Duration pause) {
    attempts_.next = hub_.clock().wall() + pause.count();
    hub_.shard.timers().arm(timer_, pause, *this, attempt_due);
}

/// As soon as the least pause is over.
void RemotePair::attempt_soon() {
    const Duration since = hub_.clock().now() - attempts_.last;
    const Duration left =
        std::max(millis(hub_.limits().remote_retry_min_seconds) - since, Duration::zero());
    if (attempts_.next != 0 && attempts_.next <= hub_.clock().wall() + left.count()) return;
    attempt_after(left);
}

/// A server that was there a moment ago has been started anew, as a rule: what gets an error or a
/// result waits for the next attempt, which comes soon, and not for another one. The same question
/// to a server that was not gets the answer of a moment ago.
bool RemotePair::may_wait(const Packet& packet) const {
    const bool is_answered = packet.kind() == StanzaKind::iq ||
                             (packet.kind() == StanzaKind::presence && packet.directed());
    return is_answered && link_.lately_there() && !link_.closing();
}

/// What could not be stored and may not wait for the next attempt gets its error.
void RemotePair::bounce_memory(bool next_is_waited_for, const Outcome& why) {
    for (const Waiting& waiting : std::exchange(memory_, {})) {
        if (next_is_waited_for && may_wait(*waiting.packet)) {
            memory_.push_back(waiting);
        } else {
            bounce(*waiting.packet, why);
        }
    }
    memory_bytes_ = bytes_in_memory();
}

void RemotePair::fail_for_now(const Outcome& why) {
    become(State::waiting);
    store_memory();
    // A server that is being started anew: what came during the first attempt waits for the next
    // one, as what comes after it does.
    const TimePoint lost_at = std::exchange(attempts_.lost_at, {});
    bounce_memory(lost_at != TimePoint{} && hub_.clock().now() - lost_at < lately, why);
    if (something_waits() || presence_wanted()) {
        schedule_retry();
        if (!memory_.empty()) attempt_soon();
    } else if (stream_wanted()) {
        // What is sent now does not wait for an attempt that was for the peer's sake alone.
        become(State::idle);
        schedule_retry();
    }
    ++attempts_.count;
}

void RemotePair::give_up_following(const Outcome& why) {
    note_error(why);
    fail_for_now(why);
}

void RemotePair::fail_for_good(const Outcome& why) {
    verdict_ = why;
    give_back_unconfirmed();
    for (const Waiting& waiting : std::exchange(memory_, {})) {
        // The sender's answer is the error: nothing is to be stored any more.
        if (waiting.hold != 0) hub_.ledger.confirm(waiting.hold);
        bounce(*waiting.packet, why);
    }
    memory_bytes_ = 0;
    stored_.fail(why);
    // A certificate, say, may be renewed; those who saw each other shall see each other again.
    if (presence_wanted() && may_take_us_again() && !link_.closing()) {
        attempt_after(millis(hub_.limits().remote_retry_max_seconds));
    }
}

void RemotePair::no_answer(const Packet& request) {
    link_.no_answer(request);
    bounce(request, Outcome::retry(fmt::format("The stream to {} ended before it answered, and no "
                                               "answer has come since.",
                                               remote_)));
}

void RemotePair::asked_again(const Packet& request) { link_.asked_again(request); }

/// While the next one is on its way. What need not be sent again is forgotten if none comes.
bool RemotePair::stream_may_go_on() const {
    return interruption_ != nullptr && state_ != State::idle && state_ != State::waiting;
}

void RemotePair::bounce(const Packet& packet, const Outcome& why, AcknowledgementTicket ticket) {
    // Presence is not answered with errors: it says how things were, and they have moved on.
    // Directed presence is: a client that joins a room waits for an answer (RFC 6120 §10.4).
    if (packet.kind() == StanzaKind::presence && !is_subscription(packet.type()) &&
        !packet.directed()) {
        note(packet, TraceVerdict::dropped, why.why());
        hub_.settle(ticket);
        presence_dropped(packet);
        return;
    }
    note(packet, TraceVerdict::refused, why.why());
    StanzaError error{.condition = why.cause() == Cause::absent
                                       ? StanzaCondition::remote_server_not_found
                                       : StanzaCondition::remote_server_timeout,
                      .text = why.why()};
    if (why.cause() == Cause::refused || why.cause() == Cause::policy) error.type = "cancel";
    hub_.routing->bounce(packet, error, ticket);
}

/// What contacts there were to be told or asked is lost: when the domain is reached, they are told
/// and asked again (ServerLink::contact_made), and for that it has to be reached.
void RemotePair::presence_dropped(const Packet& presence) {
    attempts_.presence_lost = true;
    unavailable_.dropped(presence);
    if (timer_.armed() || link_.closing() || !presence_wanted()) return;
    if (state_ == State::waiting) {
        schedule_retry();
    } else if (state_ == State::idle && !verdict_.ok() && may_take_us_again()) {
        attempt_after(millis(hub_.limits().remote_retry_max_seconds));
    }
}

/// What the stream that has ended leaves to the next one. Only who opened it, or the peer, goes on
/// with it; of others that share it, what they said last counts as lost.
void RemotePair::interrupted(Carrier& stream) {
    if (own_stream_ != nullptr || stream.opened_by() == LinkResumption::By::peer) {
        interruption_ = Interruption::of(stream);
    }
    if (interruption_ != nullptr || !stream.managed()) return;
    for (const StreamManagement::Sent& sent : stream.unacknowledged()) lost(*sent.packet);
}

/// What the stream before left, and the peer does not have, comes first.
void RemotePair::go_on_after_break() {
    std::deque<Confirmations::Written> left = written_.end();
    written_.begin(stream_->managed() ? Confirmations::By::acknowledgements
                                      : Confirmations::By::pings);
    const std::unique_ptr<Interruption> before = std::exchange(interruption_, nullptr);
    // A stream that another pair opened, or that goes on with something else, says nothing of it.
    const bool same =
        before != nullptr &&
        (own_stream_ != nullptr ? before->of_our_stream()
                                : before->resumption().token == stream_->resumption().token);
    answers_.decided(same && stream_->resumption().state == LinkResumption::State::resumed);
    if (before == nullptr) return;
    // What was on its way when the stream broke is older than what was dropped since then.
    const DroppedUnavailable since = std::exchange(unavailable_, {});
    before->go_on(same ? stream_->resumption() : LinkResumption{}, std::move(left),
                  static_cast<Interruption::Visitor&>(*this),
                  [this](std::uint64_t row) { stored_.arrived(row); });
    unavailable_.add(since);
}

/// Before all that is newer.
void RemotePair::say_who_went_away() {
    for (const auto& [session, to] : unavailable_.take()) {
        write(Packet::make(StanzaKind::presence, StanzaType::unavailable, session, to, {}, {}), 0,
              false);
    }
}

// ---- time ----

void RemotePair::on_timer(std::uint32_t which) {
    if (which == attempt_due) {
        // While the server ends no stream is opened: what waits is for the next start.
        attempts_.next = 0;
        const bool given_up = state_ == State::idle && !verdict_.ok();
        const bool for_peer = state_ == State::idle && stream_wanted();
        if ((state_ == State::waiting || given_up || for_peer) && !link_.closing()) connect();
    } else if (which == joining_late) {
        leave_stream();
        if (link_.closing()) {
            fail_for_now(Outcome::retry("it did not answer in time"));
        } else {
            link_.sharing_refused();
            connect();
            link_.next_follower();
        }
    } else if (which == expecting_late) {
        peer_did_not_come();
    } else if (state_ == State::up) {
        look_whether_idle();
    }
}

void RemotePair::look_whether_idle() {
    const Duration idle = hub_.clock().now() - last_used_;
    const Duration allowed = millis(hub_.limits().link_idle_seconds);
    if (idle < allowed || !written_.empty() || is_shared()) {
        hub_.shard.timers().arm(timer_, std::max(allowed - idle, Duration{1000}), *this,
                                idle_check);
    } else if (own_stream_ != nullptr) {
        own_stream_->close();
    } else {
        abandon_stream();
        if (!stored_.empty() || !memory_.empty()) wait_for_next_attempt();
    }
}

void RemotePair::peer_is_back() {
    verdict_ = {};
    if (state_ == State::idle) become(State::idle);  // an attempt that was set is not needed
    if (state_ != State::waiting) return;
    // No attempt at once beside this one: its stream to us may break as soon as ours does.
    attempts_.count = 0;
    if (!something_waits()) {
        become(State::idle);
    } else if (link_.way_back(local_) != nullptr) {
        connect();
    } else if (may_try_now() || std::exchange(attempts_.next_at_once, false)) {
        connect();
    } else {
        // A peer that proves itself again and again does not decide how often we try.
        become(State::waiting);
        attempt_soon();
    }
}

void RemotePair::retry() {
    attempts_.count = 0;
    attempts_.next_at_once = true;
    const bool worthwhile = !stored_.empty() || presence_wanted() || !verdict_.ok();
    if (state_ == State::waiting || (state_ == State::idle && worthwhile)) connect();
}

bool RemotePair::close() {
    if (state_ == State::following || state_ == State::expecting) {
        give_up_following(Outcome::retry("the attempt was given up"));
    }
    if (own_stream_ == nullptr) return false;
    own_stream_->close();
    return true;
}

void RemotePair::resume_stored(std::size_t rows, std::size_t bytes) {
    if (!stored_.found(rows, bytes)) return;
    if (state_ == State::idle) {
        connect();
    } else {
        stored_.read();  // it may be up by now
    }
}

void RemotePair::expired(std::size_t rows, std::size_t bytes) {
    if (stored_.expired(rows, bytes) && state_ == State::waiting && written_.empty() &&
        memory_.empty() && !presence_wanted()) {
        become(State::idle);
        interruption_.reset();
    }
}

}  // namespace causeway
