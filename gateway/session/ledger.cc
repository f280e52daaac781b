#include "gateway/session/ledger.h"

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/hub.h"

namespace causeway {

Ledger::Ledger(Hub& hub) : hub_(hub) {}

Ledger::~Ledger() { Flushable::unlink(); }

std::uint64_t Ledger::number_of(const Packet& packet) const {
    return packet.stanza_id() != 0 ? packet.stanza_id() : hub_.shared.ids.next_id();
}

HoldId Ledger::hold(PacketRef packet, AcknowledgementTicket ticket, StoreKey store_key) {
    const HoldId id = next_++;
    const std::uint64_t number = number_of(*packet);
    Entry& entry = entries_
                       .emplace(id, Entry{.packet = std::move(packet),
                                          .ticket = ticket,
                                          .others = {},
                                          .store_key = std::move(store_key),
                                          .since = hub_.clock().now(),
                                          .number = number,
                                          .kept = {}})
                       .first->second;
    if (entry.packet->archived()) {
        send_unlisted(id, entry);
    } else if (ticket.owed() || entry.packet->lasting_error()) {
        wait(id, entry);
    }
    return id;
}

void Ledger::wait(HoldId id, const Entry& entry) {
    std::size_t which = 0;
    Duration length = AcknowledgementPace::shortest;
    const Duration wanted = pace_.wait_for(entry.store_key.owner);
    for (; length < wanted; length *= 2) ++which;
    waiting_[which].push_back({.until = entry.since + length, .id = id});
    if (!timer_.armed() || entry.since + length < timer_at_) arm_wait_timer();
}

/// For the message whose wait is over first.
void Ledger::arm_wait_timer() {
    timer_.cancel();
    for (const auto& queue : waiting_) {
        if (queue.empty() || (timer_.armed() && timer_at_ <= queue.front().until)) continue;
        timer_at_ = queue.front().until;
        const Duration left = timer_at_ - hub_.clock().now();
        hub_.shard.timers().arm(timer_, std::max(left, Duration::zero()), *this, wait_over);
    }
}

void Ledger::end_waits() {
    const TimePoint now = hub_.clock().now();
    for (auto& queue : waiting_) {
        // What has had its outcome is dropped on the way, also ahead of its time.
        for (; !queue.empty(); queue.pop_front()) {
            const auto found = entries_.find(queue.front().id);
            if (found == entries_.end() || found->second.state != LedgerState::waiting) {
                continue;
            }
            if (queue.front().until > now) break;
            pace_.silent(found->second.store_key.owner, age(found->second));
            happened(found->first, found->second, LedgerEvent::store);
        }
    }
    arm_wait_timer();
}

Duration Ledger::age(const Entry& entry) const { return hub_.clock().now() - entry.since; }

HoldId Ledger::adopt(PacketRef packet, StoreKey store_key, std::uint64_t row) {
    const HoldId id = next_++;
    rows_.emplace(row, id);
    entries_.emplace(id, Entry{.packet = std::move(packet),
                               .ticket = {},
                               .others = {},
                               .store_key = std::move(store_key),
                               .row = row,
                               .state = LedgerState::listed,
                               .kept = {}});
    return id;
}

HoldId Ledger::keep(PacketRef packet, AcknowledgementTicket ticket, StoreKey store_key, Kept kept) {
    const HoldId id = next_++;
    const std::uint64_t number = number_of(*packet);
    Entry& entry = entries_
                       .emplace(id, Entry{.packet = std::move(packet),
                                          .ticket = ticket,
                                          .others = {},
                                          .store_key = std::move(store_key),
                                          .number = number,
                                          .kept = std::move(kept)})
                       .first->second;
    // Or a crash, however much later, would list it again when it has long been delivered.
    if (entry.packet->archived()) move_mark_soon();
    happened(id, entry, LedgerEvent::release);
    return id;
}

void Ledger::happened(HoldId id, Entry& entry, LedgerEvent event, const Outcome& why) {
    const LedgerState before = entry.state;
    const LedgerStep step = next(before, event, entry.packet->archived());
    entry.state = step.state;
    const bool failed = event == LedgerEvent::failed || event == LedgerEvent::given_up;
    if (failed && !in_store(before)) {
        note_undone(entry);
    } else if (event != LedgerEvent::stored && (step.settles || is_end(step.state))) {
        unnote(entry);  // only a commit makes a note durable
    }
    if (step.settles) settle(entry);
    if (step.state == before) return;
    if (is_archives_alone(entry)) entry.state = LedgerState::over;
    if (is_end(entry.state)) {
        end(id, why);
    } else if (is_due(entry.state)) {
        // What is kept stands behind nothing that is tried again (see stands_behind()).
        const bool was_behind = is_kept(entry.state) && !retry_.behind.empty();
        if (!is_due(before) || was_behind) make_due(id, entry);
    } else if (is_to_try_again(entry.state)) {
        try_again_later(id, entry);
    }
}

void Ledger::make_due(HoldId id, Entry& entry) {
    // It is read back in the order in which it came.
    if (!in_store(entry.state)) {
        entry.row = entry.number;
        rows_.emplace(entry.row, id);
    }
    due_.push_back(id);
    hub_.shard.mark_dirty(*this);
}

void Ledger::try_again_later(HoldId id, const Entry& entry) {
    if (!in_store(entry.state)) rows_.erase(entry.row);
    if (entry.state == LedgerState::waiting) retry_.owners.insert(entry.store_key.owner);
    retry_.messages.push_back(id);
    arm_retry_timer();
}

void Ledger::arm_retry_timer() {
    if (!retry_.timer.armed()) {
        hub_.shard.timers().arm(retry_.timer, retry_after, *this, retry_due);
    }
}

void Ledger::try_messages_again() {
    retry_.owners.clear();
    for (const HoldId id : std::exchange(retry_.messages, {})) {
        const auto found = entries_.find(id);
        if (found != entries_.end()) happened(id, found->second, LedgerEvent::store);
    }
    for (const HoldId id : std::exchange(retry_.behind, {})) {
        due_.push_back(id);
        hub_.shard.mark_dirty(*this);
    }
}

void Ledger::end(HoldId id, const Outcome& why) {
    const auto found = entries_.find(id);
    Entry ended = std::move(found->second);
    entries_.erase(found);
    if (ended.state == LedgerState::erased) {
        erase_row(ended);
    } else {
        rows_.erase(ended.row);
    }
    // A row that a commit may have made although it failed must not be delivered any more.
    if (ended.doubtful_row != 0 && ended.state != LedgerState::kept) {
        erase(ended.store_key, ended.doubtful_row);
    }
    Result<std::uint64_t> row = Outcome::absent("its recipient has it");
    switch (ended.state) {
        case LedgerState::kept: row = ended.row; break;
        case LedgerState::refused:
            hub_.seen.forget(ended.packet->repeat_keys());
            // Its sender hears that it was not stored, so it must not be delivered either, nor
            // shown.
            erase(ended.store_key, ended.row);
            erasures_.due.back().archived = ended.packet->archived();
            hub_.routing->bounce(*ended.packet,
                                 {.condition = StanzaCondition::resource_constraint,
                                  .text = "The message could not be stored: try again later."});
            settle(ended);
            row = why;
            break;
        case LedgerState::lost:
            CAUSEWAY_LOG(error, "archive.not_stored", {"owner", ended.store_key.owner},
                         {"cause", why.why()});
            break;
        default: break;
    }
    if (ended.kept) ended.kept(row);
}

bool Ledger::arriving(std::uint64_t row) const {
    const auto known = rows_.find(row);
    if (known == rows_.end()) return false;
    const auto found = entries_.find(known->second);
    return found != entries_.end() && is_kept(found->second.state);
}

void Ledger::share(HoldId id) {
    if (const auto found = entries_.find(id); found != entries_.end()) ++found->second.holders;
}

std::uint64_t Ledger::row(HoldId id) const {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return 0;
    const Entry& entry = found->second;
    if (entry.packet->archived() || entry.state == LedgerState::listed) return entry.row;
    // It gets that row if its recipient does not say soon that it has it.
    return entry.packet->lasting_error() ? entry.number : 0;
}

PacketRef Ledger::packet(HoldId id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second.packet;
}

void Ledger::join(HoldId id, AcknowledgementTicket ticket) {
    const auto found = entries_.find(id);
    // A message that is gone, or stored, has had its outcome.
    if (found == entries_.end() || in_store(found->second.state)) {
        hub_.settle(ticket);
        return;
    }
    if (!ticket.owed()) return;
    Entry& entry = found->second;
    if (entry.ticket.owed()) {
        entry.others.push_back(ticket);
        return;
    }
    entry.ticket = ticket;
    happened(id, entry, LedgerEvent::store);
}

void Ledger::settle(Entry& entry) {
    hub_.settle(std::exchange(entry.ticket, AcknowledgementTicket{}));
    for (const AcknowledgementTicket other : std::exchange(entry.others, {})) hub_.settle(other);
}

void Ledger::confirm(HoldId id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    // A row that was adopted waits for other reasons than the recipient.
    if (entry.since != TimePoint{}) pace_.acknowledged(entry.store_key.owner, age(entry));
    happened(id, entry, LedgerEvent::confirm);
}

void Ledger::written(HoldId id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    entry.since = {};  // the system took the bytes; the recipient says nothing
    happened(id, entry, entry.ticket.owed() ? LedgerEvent::written : LedgerEvent::confirm);
}

void Ledger::store(HoldId id) {
    const auto found = entries_.find(id);
    if (found != entries_.end() && found->second.state == LedgerState::waiting) {
        happened(id, found->second, LedgerEvent::store);
    }
}

void Ledger::commit_now() { hub_.shard.mark_dirty(*this); }

void Ledger::commit_soon() {
    if (!erasures_.timer.armed()) {
        hub_.shard.timers().arm(erasures_.timer, erase_within, *this, erase_due);
    }
}

void Ledger::release(HoldId id) { release_to(id, {}); }

void Ledger::release_to(HoldId id, Kept kept) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) {
        if (kept) kept(Outcome::absent("another recipient had it"));
        return;
    }
    Entry& entry = found->second;
    if (--entry.holders > 0) {
        if (kept) kept(Outcome::absent("another recipient has it"));
        return;
    }
    if (recipient_has(entry.state)) {
        if (kept) kept(Outcome::absent("another recipient has it"));
        return;
    }
    entry.kept = std::move(kept);
    happened(id, entry, LedgerEvent::release);
}

void Ledger::on_timer(std::uint32_t which) {
    if (which == wait_over) {
        end_waits();
        return;
    }
    if (which == erase_due) {
        erase_now();
        return;
    }
    if (which == list_due) {
        list_archived();
        return;
    }
    try_archives_again();
    try_extras_again();
    try_messages_again();
}

void Ledger::flush() { commit_due(); }

void Ledger::commit_due() {
    erasures_.timer.cancel();
    Part part = std::exchange(recorded_, {});
    take_extras(part);
    part.batch.reserve(part.batch.size() + due_.size());
    part.messages.reserve(due_.size());
    for (const HoldId id : std::exchange(due_, {})) {
        const auto found = entries_.find(id);
        if (found == entries_.end() || !is_due(found->second.state)) continue;
        if (stands_behind(found->second)) {
            retry_.behind.push_back(id);
            continue;
        }
        add_due(part, id, found->second);
        if (part.batch.bytes() >= batch_bytes) commit_part(std::exchange(part, {}));
    }
    commit_part(std::move(part));
}

bool Ledger::stands_behind(const Entry& entry) const {
    return !retry_.owners.empty() && retry_.owners.contains(entry.store_key.owner) &&
           !in_store(entry.state) && !is_kept(entry.state);
}

void Ledger::add_due(Part& part, HoldId id, Entry& entry) {
    append(part.batch, entry);
    part.waited_for = part.waited_for || is_waited_for(entry);
    if (!in_store(entry.state)) note_done(entry);
    part.messages.push_back(id);
    happened(id, entry, LedgerEvent::commit);  // and the entry may be gone
}

void Ledger::commit(Part part, bool notes) {
    const StreamRecords::Round round = notes ? hub_.stream_records.write(part.batch) : 0;
    if (!part.waited_for && !notes) part.batch.let_wait();
    commit(std::exchange(part.batch, {}),
           [this, round, messages = std::move(part.messages), senders = std::move(part.senders),
            extras = std::move(part.extras)](const Outcome& outcome, Batch& batch) mutable {
               committed({.batch = std::move(batch),
                          .messages = std::move(messages),
                          .senders = std::move(senders),
                          .extras = std::move(extras)},
                         outcome);
               if (round != 0) hub_.stream_records.written(round, outcome);
           });
}

/// Somebody is to hear, or the next session to see, that it is stored.
bool Ledger::is_waited_for(const Entry& entry) {
    return entry.ticket.owed() || !entry.others.empty() || entry.kept || makes_row(entry.state);
}

/// The store does the rest (see archive_again()).
bool Ledger::is_archives_alone(const Entry& entry) {
    return entry.state == LedgerState::had_archiving && !is_waited_for(entry);
}

/// The batch that makes the message safe says so in the records of the streams that sent it.
void Ledger::note_done(Entry& entry) {
    hub_.stream_records.done(entry.ticket, *entry.packet);
    for (AcknowledgementTicket& other : entry.others) {
        hub_.stream_records.done(other, *entry.packet);
    }
}

void Ledger::note_undone(Entry& entry) {
    hub_.stream_records.undone(entry.ticket);
    for (AcknowledgementTicket& other : entry.others) hub_.stream_records.undone(other);
}

void Ledger::unnote(Entry& entry) {
    entry.ticket.noted = false;
    for (AcknowledgementTicket& other : entry.others) other.noted = false;
}

void Ledger::commit(Batch batch, std::function<void(const Outcome&, Batch&)> done) {
    hub_.shared.store.commit(std::move(batch), hub_.shard,
                             [this, number = commits_.begun(), done = std::move(done)](
                                 const Outcome& outcome, Batch& back) {
                                 done(outcome, back);
                                 commits_.ended(number);
                             });
}

void Ledger::when_readable(std::function<void()> task) {
    if (!due_.empty() || !recorded_.batch.empty()) commit_due();
    if (!commits_.idle()) hub_.shared.store.hurry();
    commits_.when_answered(std::move(task));
}

void Ledger::committed(Part part, const Outcome& outcome) {
    if (!outcome) CAUSEWAY_LOG(error, "store.commit_failed", {"cause", outcome.why()});
    ended(std::move(part.extras), outcome);
    if (outcome) {
        settle(part.senders);
    } else {
        archive_again({.batch = std::move(part.batch), .senders = std::move(part.senders)},
                      outcome);
    }
    for (const HoldId id : part.messages) {
        const auto found = entries_.find(id);
        if (found == entries_.end()) continue;
        Entry& entry = found->second;
        if (outcome) {
            happened(id, entry, LedgerEvent::stored);
            continue;
        }
        entry.doubtful_row = entry.row;
        const bool given_up = recipient_has(entry.state) && ++entry.attempts >= archive_attempts;
        happened(id, entry, given_up ? LedgerEvent::given_up : LedgerEvent::failed, outcome);
    }
}

}  // namespace causeway
