// The part of Ledger that is about archives: what senders' archives get, and the archive mark.
#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/session/hub.h"

namespace causeway {
namespace {

/// Messages that surely fit into one batch when they are listed.
constexpr std::size_t finish_at_once = 1000;

ArchiveRowView row_of(const Packet& packet, std::uint64_t id, bool incoming) {
    const Jid& other = incoming ? packet.from() : packet.to();
    return {.id = id,
            .with = other.bare(),
            .resource = other.resource(),
            .incoming = incoming,
            .body = packet.bytes()};
}

}  // namespace

/// What the commit under way has to do so that the message stands where it is wanted.
void Ledger::append(Batch& batch, const Entry& entry) const {
    const Packet& packet = *entry.packet;
    if (packet.archived() && !in_store(entry.state)) {
        batch.archive_append(
            entry.store_key.owner, row_of(packet, entry.row, true),
            entry.doubtful_row == 0 ? Batch::Attempt::first : Batch::Attempt::again);
    }
    if (!makes_row(entry.state)) return;
    if (entry.doubtful_row != 0) {
        batch.log_erase(entry.store_key.store, entry.store_key.owner, entry.doubtful_row);
    }
    batch.log_append(entry.store_key.store, entry.store_key.owner,
                     {.id = entry.row,
                      .at = packet.archived() ? time_of_id(entry.row) : hub_.clock().wall(),
                      .expires = entry.store_key.expires,
                      .body = packet.archived() ? std::string() : std::string(packet.bytes())});
}

void Ledger::record(const Packet& packet, std::string_view owner, std::uint64_t id,
                    AcknowledgementTicket ticket) {
    if (ticket.owed()) {
        hub_.expect_again(ticket);
        recorded_.senders.push_back(ticket);
        recorded_.waited_for = true;
    }
    recorded_.batch.archive_append(owner, row_of(packet, id, false));
    if (recorded_.batch.bytes() >= batch_bytes) commit_part(std::exchange(recorded_, {}));
    hub_.shard.mark_dirty(*this);
}

void Ledger::settle(const std::vector<AcknowledgementTicket>& senders) {
    for (const AcknowledgementTicket& ticket : senders) hub_.settle(ticket);
}

/// Not where a row is known only because it is to be erased.
bool Ledger::is_open(std::uint64_t row) const {
    const auto known = rows_.find(row);
    return known != rows_.end() && entries_.contains(known->second);
}

/// Together with others: a disk that fails for a while would else leave more batches than the
/// store's queue takes at once.
Ledger::ArchiveAgain& Ledger::failed_as_often(unsigned attempts) {
    const auto with_room = std::ranges::find_if(again_, [&](const ArchiveAgain& other) {
        return other.attempts == attempts && other.batch.bytes() < batch_bytes;
    });
    if (with_room != again_.end()) return *with_room;
    return again_.emplace_back(ArchiveAgain{.batch = {}, .senders = {}, .attempts = attempts});
}

/// Messages that are entries are not among them: each of those goes on from its own state.
void Ledger::archive_again(ArchiveAgain failed, const Outcome& why) {
    std::vector<const Batch::ArchiveAppend*> left;
    for (const Batch::Operation& operation : failed.batch.operations()) {
        const auto* append = std::get_if<Batch::ArchiveAppend>(&operation);
        if (append != nullptr && !is_open(append->row.id)) left.push_back(append);
    }
    if (left.empty()) return settle(failed.senders);
    std::size_t waiting = failed.batch.bytes();
    for (const ArchiveAgain& other : again_) waiting += other.batch.bytes();
    if (failed.attempts + 1 >= archive_attempts || waiting > archive_again_bytes) {
        CAUSEWAY_LOG(error, "archive.not_stored", {"messages", left.size()}, {"cause", why.why()});
        return settle(failed.senders);
    }
    ArchiveAgain& again = failed_as_often(failed.attempts + 1);
    for (const Batch::ArchiveAppend* append : left) {
        again.batch.archive_append(append->owner, append->row, Batch::Attempt::again);
    }
    std::ranges::move(failed.senders, std::back_inserter(again.senders));
    arm_retry_timer();
}

void Ledger::try_archives_again() {
    for (ArchiveAgain& again : std::exchange(again_, {})) {
        if (again.senders.empty()) again.batch.let_wait();
        commit(std::exchange(again.batch, {}), [this, senders = std::move(again.senders),
                                                attempts = again.attempts](const Outcome& outcome,
                                                                           Batch& batch) mutable {
            if (outcome) return settle(senders);
            archive_again(
                {.batch = std::move(batch), .senders = std::move(senders), .attempts = attempts},
                outcome);
        });
    }
}

void Ledger::forget_archive(std::string_view owner) {
    for (ArchiveAgain& again : again_) {
        const Batch all = std::exchange(again.batch, {});
        for (const Batch::Operation& operation : all.operations()) {
            const auto& append = std::get<Batch::ArchiveAppend>(operation);
            if (append.owner == owner) continue;
            again.batch.archive_append(append.owner, append.row, append.attempt);
        }
    }
}

/// A message that is on its way is not listed yet, if the mark lets it.
void Ledger::send_unlisted(HoldId id, Entry& entry) {
    const std::uint64_t row = entry.packet->stanza_id();
    unlisted_.add({.since = entry.since, .hold = id, .row = row});
    const bool admitted =
        hub_.shared.archive_mark.admit(hub_.shard.index(), row, unlisted_.lowest());
    happened(id, entry, admitted ? LedgerEvent::archive : LedgerEvent::store);
    move_mark_soon();
}

void Ledger::move_mark_soon() {
    if (!list_timer_.armed()) {
        hub_.shard.timers().arm(list_timer_, list_after, *this, list_due);
    }
}

/// Lists what has been on its way for a while, and moves the mark up to what is left.
void Ledger::list_archived() {
    const TimePoint now = hub_.clock().now();
    unlisted_.forget([&](const UnlistedMessages::Message& message) {
        const auto found = entries_.find(message.hold);
        if (found == entries_.end()) return true;
        Entry& entry = found->second;
        if (entry.state == LedgerState::listed || recipient_has(entry.state)) return true;
        if (message.since + list_after <= now) happened(message.hold, entry, LedgerEvent::list);
        return false;
    });
    move_mark();
    if (!unlisted_.empty()) move_mark_soon();
}

void Ledger::move_mark() {
    const auto mark = hub_.shared.archive_mark.advance(hub_.shard.index(), unlisted_.lowest(),
                                                       hub_.shared.ids.next_id());
    if (!mark) return;
    mark_due_ = MarkDue::now;
    hub_.shard.mark_dirty(*this);
}

void Ledger::finish() {
    try_archives_again();
    try_extras_again();
    try_messages_again();
    for (auto& [id, entry] : entries_) {
        // Neither ends the entry.
        happened(id, entry, LedgerEvent::list);
        if (entry.state != LedgerState::waiting) happened(id, entry, LedgerEvent::store);
    }
    // What is listed by this very batch, or by one that is under way, is past; nothing else is.
    unlisted_.forget([&](const UnlistedMessages::Message& message) {
        const auto found = entries_.find(message.hold);
        if (found == entries_.end()) return true;
        const LedgerState state = found->second.state;
        return state == LedgerState::listed || makes_row(state) || recipient_has(state);
    });
    // More than one batch may fail in part: then the next start looks at what stands above.
    if (due_.size() <= finish_at_once) move_mark();
    commit_due();
}

}  // namespace causeway
