// The part of Ledger that is about archives: what senders' archives get, and the archive mark.
#include <algorithm>
#include <utility>

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

void Ledger::record(PacketRef packet, std::string_view owner, std::uint64_t id,
                    AcknowledgementTicket ticket) {
    if (ticket.owed()) hub_.expect_again(ticket);
    copies_.add(
        {.packet = std::move(packet), .owner = std::string(owner), .id = id, .ticket = ticket});
    if (copies_.bytes >= batch_bytes) commit_copies();
    hub_.shard.mark_dirty(*this);
}

void Ledger::commit_copies() {
    while (!copies_.all.empty()) {
        Batch batch;
        batch.reserve(copies_.all.size());
        bool somebody_waits = false;
        auto rest = copies_.all.begin();
        for (; rest != copies_.all.end() && batch.bytes() < batch_bytes; ++rest) {
            batch.archive_append(
                rest->owner, row_of(*rest->packet, rest->id, false),
                rest->attempts == 0 ? Batch::Attempt::first : Batch::Attempt::again);
            somebody_waits = somebody_waits || rest->ticket.owed();
        }
        if (!somebody_waits) batch.let_wait();
        Copies now = std::exchange(copies_, {});
        for (auto copy = rest; copy != now.all.end(); ++copy) copies_.add(std::move(*copy));
        now.all.erase(rest, now.all.end());
        commit(std::move(batch), [this, copies = std::move(now)](const Outcome& outcome) mutable {
            copied(std::move(copies), outcome);
        });
    }
}

void Ledger::copied(Copies copies, const Outcome& outcome) {
    std::size_t given_up = 0;
    for (Copy& copy : copies.all) {
        const bool again = !outcome && ++copy.attempts < archive_attempts &&
                           copies_again_.bytes < copies_again_bytes;
        if (again) {
            copies_again_.add(std::move(copy));
            continue;
        }
        if (!outcome) ++given_up;
        hub_.settle(copy.ticket);
    }
    if (!copies_again_.all.empty()) arm_retry_timer();
    if (given_up > 0) {
        CAUSEWAY_LOG(error, "archive.sent_not_stored", {"messages", given_up},
                     {"cause", outcome.why()});
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
    for (Copy& copy : std::exchange(copies_again_, {}).all) copies_.add(std::move(copy));
    try_extras_again();
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
