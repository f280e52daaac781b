// The part of Ledger that erases rows: with the next commit that is due, or by itself after a
// while, and again if that failed. The archive mark goes with the same batches.
#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/hub.h"

namespace causeway {

void Ledger::erase_row(const Entry& entry) {
    erasures_.due.push_back({.store = entry.store_key.store,
                             .owner = entry.store_key.owner,
                             .row = entry.row,
                             .known = true,
                             .counted = true});
    ++erasures_.open;
    if (erasures_.due.size() >= erase_at_once) {
        erase_now();
    } else {
        commit_soon();
    }
}

void Ledger::erase(const StoreKey& key, std::uint64_t row) {
    // Whoever reads it meanwhile is not to send it.
    const bool known = rows_.emplace(row, nothing_open).second;
    erasures_.due.push_back({.store = key.store, .owner = key.owner, .row = row, .known = known});
    commit_soon();
}

void Ledger::erase_now() {
    hub_.stream_records.hurry();
    if (erasures_.due.empty() && mark_due_ != MarkDue::now && !hub_.stream_records.pending())
        return;
    erasures_.timer.cancel();
    hub_.shard.mark_dirty(*this);
}

void Ledger::take_extras(Part& part) {
    part.extras.erased = std::exchange(erasures_.due, {});
    if (mark_due_ == MarkDue::now) {
        mark_due_ = MarkDue::no;
        part.extras.with_mark = true;
    }
    part.waited_for = part.waited_for || !part.extras.erased.empty() || part.extras.with_mark;
    for (const Erasure& one : part.extras.erased) {
        part.batch.log_erase(one.store, one.owner, one.row);
        if (one.archived) part.batch.archive_erase(one.owner, one.row);
    }
}

void Ledger::commit_part(Part part) {
    StreamRecords& records = hub_.stream_records;
    const bool any = !part.batch.empty() || part.extras.with_mark;
    const bool notes = records.urgent() || (records.pending() && any);
    if (!any && !notes) return;
    if (!part.extras.with_mark) return commit(std::move(part), notes);
    hub_.shared.archive_mark.write([&](std::uint64_t mark) {
        part.extras.mark = mark;
        part.batch.map_set(ArchiveMark::store, {}, ArchiveMark::key, std::to_string(mark));
        commit(std::move(part), notes);
    });
}

/// A row that is not erased would be delivered once more, to the next session or after a restart;
/// so would be what stands above a mark that is not moved, after a crash.
void Ledger::ended(Extras extras, const Outcome& outcome) {
    if (outcome && extras.with_mark) hub_.shared.archive_mark.stored(extras.mark);
    if (!outcome && extras.with_mark && mark_due_ == MarkDue::no) mark_due_ = MarkDue::later;
    std::size_t forgotten = 0;
    for (Erasure& one : extras.erased) {
        if (!outcome && erasures_.again.size() < erase_again_most) {
            erasures_.again.push_back(std::move(one));
            continue;
        }
        if (outcome) {
            done_rows_.add(one.row, hub_.clock().now());
        } else {
            ++forgotten;
        }
        if (one.known) rows_.erase(one.row);
        if (one.counted) --erasures_.open;
    }
    if (!erasures_.again.empty() || mark_due_ == MarkDue::later) arm_retry_timer();
    if (forgotten > 0) {
        CAUSEWAY_LOG(error, "store.not_erased", {"messages", forgotten}, {"cause", outcome.why()});
    }
}

void Ledger::try_extras_again() {
    std::ranges::move(std::exchange(erasures_.again, {}), std::back_inserter(erasures_.due));
    if (mark_due_ == MarkDue::later) mark_due_ = MarkDue::now;
    if (!erasures_.due.empty() || mark_due_ == MarkDue::now) hub_.shard.mark_dirty(*this);
}

}  // namespace causeway
