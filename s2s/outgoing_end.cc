// OutgoingStream, the end: of one target, after which the next is tried, and of the stream.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/stream/abandoned.h"
#include "s2s/outgoing_stream.h"

namespace causeway {

/// Without a further call: the connection of this target is left to end by itself.
void OutgoingStream::leave_stream() {
    // What of the peer's is not safe yet has nobody left to be told.
    if (from_peer_ != nullptr) (void)from_peer_->release();
    safe_timer_.cancel();
    stream_->close();
    stream_->silence();
    hub_.shard.condemn(std::make_unique<Abandoned>(std::move(stream_)));
}

/// The peer offers EXTERNAL and does not go on once it has failed: on a new stream dialback is
/// left. False if that was not the reason, or if policy wants a certificate.
bool OutgoingStream::without_external() {
    if (!negotiating() || !has(stream_bits::external_tried) || has(stream_bits::authenticated) ||
        hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        return false;
    }
    gain(stream_bits::external_refused);
    leave_stream();
    connect_to({std::ranges::find(targets_, target_), targets_.end()});
    return true;
}

void OutgoingStream::fail_target(const Outcome& why) {
    end_ = why;
    // A certificate or an offer that does not do may be another machine's fault: the next target
    // may be right. Without one, this is the reason.
    if (connector_ == nullptr || !negotiating()) {
        stop(why);
        return;
    }
    leave_stream();
    state_ = State::connecting;
    last_failure_ = why;
    connector_->next(why);
}

void OutgoingStream::stop(const Outcome& why) {
    if (state_ == State::stopped) return;
    const bool established = std::exchange(state_, State::stopped) == State::established;
    if (stream_ != nullptr) stream_->close();
    ended(established, why);
}

/// The connection breaks, without a farewell, when the owner lets go of this.
void OutgoingStream::break_off(const Outcome& why) {
    if (state_ == State::stopped) return;
    ended(std::exchange(state_, State::stopped) == State::established, why);
}

void OutgoingStream::ended(bool established, const Outcome& why) {
    timer_.cancel();
    safe_timer_.cancel();
    total_.cancel();
    note_failure(why, established);
    // A verdict on us or on a certificate outweighs that the other targets did not answer.
    const Outcome& verdict =
        !established && !why.ok() && !last_failure_.ok() && last_failure_.cause() != Cause::retry
            ? last_failure_
            : why;
    if (!verdict) {
        CAUSEWAY_LOG(info, "s2s.failed", {"local", domain_}, {"remote", remote_},
                     {"kind", to_string(verdict.cause())}, {"cause", verdict.why()});
    }
    stop_sharers(verdict);
    if (OutgoingOwner* owner = std::exchange(owner_, nullptr)) owner->on_stopped(*this, verdict);
    // What nobody goes on with is over.
    if (from_peer_ != nullptr) (void)from_peer_->release();
    received_.reset();
}

XmppStream::Rest OutgoingStream::rest() const {
    if (awaits_acknowledgement()) return XmppStream::Rest::is_heard;
    return from_peer_ == nullptr ? XmppStream::Rest::is_lost : from_peer_->rest();
}

void OutgoingStream::close() {
    if (stream_ == nullptr || state_ != State::established) {
        stop(Outcome::retry("the attempt was given up"));
    } else if (from_peer_ == nullptr || !stream_->takes_output() || !from_peer_->finish()) {
        finished();
    }
}

void OutgoingStream::finished() {
    if (from_peer_ != nullptr) from_peer_->say_what_is_safe();
    if (ending_ == End::peer_error) {
        stream_->close();
        return;
    }
    ask_about_the_rest();
    stream_->close(rest());
}

void OutgoingStream::on_stream_closed(const Outcome& why) {
    if (state_ == State::stopped || without_external()) return;
    if (!negotiating() || connector_ == nullptr) {
        stop(!end_.ok() ? end_ : why);
        return;
    }
    // Another target may be another machine, and know us. A connection that broke says nothing of
    // our certificate.
    const bool refused =
        why.ok() && has(stream_bits::external_tried) && !has(stream_bits::authenticated);
    fail_target(!end_.ok() ? end_
                : refused
                    ? Outcome::refused(fmt::format("{} did not accept our certificate", remote_))
                    : Outcome::retry(why ? std::string("it closed the stream") : why.why()));
}

// ---- what became of the targets ----

std::vector<TargetOutcome> OutgoingStream::outcomes() const {
    std::vector<TargetOutcome> all = outcomes_;
    const auto known = [&](const ConnectTarget& target) {
        return std::ranges::find(all, target, &TargetOutcome::target);
    };
    if (connector_ != nullptr) {
        for (const TargetOutcome& latest : connector_->outcomes()) {
            if (const auto found = known(latest.target); found == all.end()) {
                all.push_back(latest);
            } else if (!latest.addresses.empty() || !latest.last_error.empty()) {
                *found = latest;
            }
        }
    }
    return all;
}

/// Of the target that had the connection, or of those that did not answer in time.
void OutgoingStream::note_failure(const Outcome& why, bool established) {
    outcomes_ = outcomes();
    if (why.ok()) return;
    const bool connected = stream_ != nullptr;
    for (TargetOutcome& one : outcomes_) {
        if (connected ? one.target == target_
                      : !established && !one.addresses.empty() && one.last_error.empty()) {
            one.failed(why);
        }
    }
}

// ---- the owner goes ----

/// For those who share it: one that was being closed in good order is no loss for them either.
Outcome OutgoingStream::why_given_up() const {
    if (!end_.ok()) return end_;
    const bool closing = stream_ != nullptr && stream_->is_ending();
    return closing && stream_->failure().empty() ? Outcome{} : Outcome::retry("it was given up");
}

bool OutgoingStream::end_for(OutgoingOwner& heir) {
    if (state_ != State::established || from_peer_ == nullptr) return false;
    // The peer has ended its side, and is to hear what of it is safe before we end ours.
    const bool last_word_is_due =
        stream_->state() == XmppStream::State::ended ||
        (ending_ == End::peer_error && from_peer_->managed() && stream_->usable());
    if (!last_word_is_due && from_peer_->rest() == XmppStream::Rest::is_lost) return false;
    const Outcome why = why_given_up();
    if (!last_word_is_due) {
        close();
        if (stream_->state() != XmppStream::State::hearing) return false;
    }
    owner_ = &heir;
    stop_sharers(why);
    return true;
}

void OutgoingStream::disown() {
    owner_ = nullptr;
    stop_sharers(why_given_up());
    timer_.cancel();
    total_.cancel();
    discovery_.reset();
    connector_.reset();
    if (from_peer_ != nullptr) (void)from_peer_->release();
    received_.reset();
    if (stream_ == nullptr) return;
    stream_->close();
    stream_->silence();
}

}  // namespace causeway
