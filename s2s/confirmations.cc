#include "s2s/confirmations.h"

#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/random.h"

namespace causeway {
namespace {

constexpr Duration patience{20'000};
// If no sender waits for an acknowledgement, one question for many messages.
constexpr Duration interval{100};
constexpr std::size_t many = 500;
// If nothing was written that has to be confirmed: how soon it is noticed that the peer is gone.
constexpr Duration in_passing{10'000};
// Messages without a hold, written to a peer that is slow to answer: those beyond are not sent
// again if its stream breaks.
constexpr std::size_t without_hold_limit = 10'000;
// A peer that acknowledges is told that nobody is owed anything once that has been so for so long.
constexpr Duration unowed_after{1000};

}  // namespace

Confirmations::Confirmations(Hub& hub, const std::string& local, const std::string& remote,
                             Owner& owner)
    : hub_(hub),
      local_(Jid::trusted({}, local)),
      remote_(Jid::trusted({}, remote)),
      owner_(owner) {}

Confirmations::~Confirmations() { Flushable::unlink(); }

void Confirmations::begin(By by) {
    if (by == By::acknowledgements) {
        peer_ = Peer::acknowledges;
        following_ = Following::yes;
    } else {
        if (peer_ != Peer::answers) peer_ = Peer::unknown;
        following_ = Following::no;
    }
    last_owed_ = {};
}

void Confirmations::interrupt() {
    begin_following_.drop();
    ping_.drop();
    later_.cancel();
    urgency_ = Urgency::whenever;
}

void Confirmations::interrupt_and_hold(const std::function<HoldId(const PacketRef&)>& make) {
    interrupt();
    for (Written& written : written_) {
        if (written.hold == 0) written.hold = make(written.packet);
    }
}

std::deque<Confirmations::Written> Confirmations::end() {
    interrupt();
    return std::exchange(written_, {});
}

void Confirmations::written(const PacketRef& packet, HoldId hold) {
    if (hold == 0 && written_.size() >= without_hold_limit) return;
    if (peer_ == Peer::acknowledges) {
        tell_whether_owed(hold);
        written_.push_back({hold, packet});
        return;
    }
    if (hold != 0 && peer_ != Peer::cannot_answer && following_ == Following::no) {
        begin_following_ = question(Urgency::at_once, [this](const IqAnswer& answer) {
            if (answer.kind != IqAnswer::Kind::nothing) peer_ = Peer::answers;
        });
        if (!begin_following_.id().empty()) following_ = Following::yes;
    }
    written_.push_back({hold, packet});
    if (hold != 0) urgency_ = Urgency::at_once;
    hub_.shard.mark_dirty(*this);
}

/// An acknowledgement is a promise, and another Causeway would store for it what nobody is owed: it
/// is told by a ping where that begins and ends.
void Confirmations::tell_whether_owed(HoldId hold) {
    const TimePoint now = hub_.clock().now();
    if (hold != 0) {
        last_owed_ = now;
        if (following_ == Following::yes) return;
    } else if (following_ == Following::no ||
               (last_owed_ != TimePoint{} && now - last_owed_ < unowed_after)) {
        return;
    }
    following_ = hold != 0 ? Following::yes : Following::no;
    begin_following_ =
        question(hold != 0 ? Urgency::at_once : Urgency::whenever, [](const IqAnswer&) {});
    // Too many questions are open: it is told all the same, and its answer is passed over.
    if (begin_following_.id().empty() && hold != 0) owner_.send_ping(local_, random_token());
}

Question Confirmations::question(Urgency urgency, Asking::Done done) {
    const Jid from = urgency == Urgency::at_once ? local_ : local_.with_resource(unowed_resource);
    Question asked = hub_.asking->expect(from, remote_, patience, std::move(done));
    if (!asked.id().empty()) owner_.send_ping(from, asked.id());
    return asked;
}

void Confirmations::flush() {
    if (written_.empty() || !ping_.id().empty() || peer_ >= Peer::cannot_answer) return;
    const Duration since = hub_.clock().now() - last_ask_;
    if (urgency_ == Urgency::whenever && written_.size() < many && since < interval) {
        hub_.shard.timers().arm(later_, interval - since, *this);
        return;
    }
    ask();
}

void Confirmations::written_in_passing() {
    if (peer_ != Peer::answers || !ping_.id().empty() || later_.armed()) return;
    hub_.shard.timers().arm(later_, in_passing, *this);
}

void Confirmations::look_whether_there() {
    if (peer_ == Peer::answers && ping_.id().empty()) ask();
}

void Confirmations::on_timer(std::uint32_t) {
    const bool due = written_.empty() ? peer_ == Peer::answers : peer_ < Peer::cannot_answer;
    if (due && ping_.id().empty()) ask();
}

void Confirmations::ask() {
    later_.cancel();
    last_ask_ = hub_.clock().now();
    const Urgency urgency = std::exchange(urgency_, Urgency::whenever);
    ping_ = question(urgency, [this, covers = written_.size()](const IqAnswer& answer) {
        told(answer, covers);
    });
    if (!ping_.id().empty()) {
        following_ = urgency == Urgency::at_once ? Following::yes : Following::no;
        return;
    }
    // Too many questions are open: after a while there is room, and it is the same that is asked.
    urgency_ = urgency;
    hub_.shard.timers().arm(later_, interval, *this);
}

void Confirmations::told(const IqAnswer& answer, std::size_t covers) {
    ping_.drop();
    if (answer.kind != IqAnswer::Kind::nothing) {
        peer_ = Peer::answers;
        for (std::size_t i = 0; i < covers && i < written_.size(); ++i) note_confirmed(written_[i]);
        confirm(covers);
        if (!written_.empty()) hub_.shard.mark_dirty(*this);
        owner_.confirmed(covers);
    } else if (peer_ == Peer::answers) {
        // The connection is broken, or the peer hangs.
        CAUSEWAY_LOG(info, "s2s.silent", {"remote", remote_.domain()});
        owner_.peer_is_silent();
    } else {
        CAUSEWAY_LOG(info, "s2s.ping_unanswered", {"remote", remote_.domain()});
        peer_ = Peer::cannot_answer;
        for (const Written& written : written_) note_confirmed(written);
        owner_.peer_cannot_answer();
    }
}

void Confirmations::note_confirmed(const Written& written) {
    const bool silent = peer_ == Peer::cannot_answer;
    hub_.trace.note(*written.packet,
                    {.stage = TraceStage::to_server,
                     .verdict = silent ? TraceVerdict::written : TraceVerdict::confirmed,
                     .where = remote_.domain(),
                     .reason = silent ? "that server answers no pings" : ""});
}

std::size_t Confirmations::acknowledged(std::span<const StreamManagement::Sent> done) {
    std::size_t count = 0;
    for (const StreamManagement::Sent& sent : done) {
        if (written_.empty() || written_.front().packet != sent.packet) continue;
        note_confirmed(written_.front());
        confirm(1);
        ++count;
    }
    return count;
}

void Confirmations::arrived(const Written& written) {
    note_confirmed(written);
    hub_.ledger.confirm(written.hold);
}

void Confirmations::confirm(std::size_t count) {
    for (; count > 0 && !written_.empty(); --count) {
        if (const HoldId hold = written_.front().hold; hold != 0) hub_.ledger.confirm(hold);
        written_.pop_front();
    }
}

}  // namespace causeway
