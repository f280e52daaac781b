// The part of Ledger that erases rows: with the next commit that is due, or by itself after a
// while, and again if that failed. The archive mark goes with the same batches.
#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/hub.h"

namespace causeway {

void Ledger::erase_row(const Entry& entry) {
    erased_.push_back({.store = entry.store_key.store,
                       .owner = entry.store_key.owner,
                       .row = entry.row,
                       .known = true,
                       .counted = true});
    ++erasing_;
    if (erased_.size() >= erase_at_once) {
        erase_now();
    } else {
        commit_soon();
    }
}

void Ledger::erase(const StoreKey& key, std::uint64_t row) {
    // Whoever reads it meanwhile is not to send it.
    const bool known = rows_.emplace(row, nothing_open).second;
    erased_.push_back({.store = key.store, .owner = key.owner, .row = row, .known = known});
    commit_soon();
}

void Ledger::erase_now() {
    hub_.stream_records.hurry();
    if (erased_.empty() && mark_due_ != MarkDue::now && !hub_.stream_records.pending()) return;
    erase_timer_.cancel();
    hub_.shard.mark_dirty(*this);
}

Batch Ledger::take_extras(Extras& taken) {
    Batch batch;
    taken.erased = std::exchange(erased_, {});
    taken.mark = mark_due_ == MarkDue::now;
    for (const Erasure& one : taken.erased) {
        batch.log_erase(one.store, one.owner, one.row);
        if (one.archived) batch.archive_erase(one.owner, one.row);
    }
    if (taken.mark) {
        mark_due_ = MarkDue::no;
        batch.map_set(ArchiveMark::store, {}, ArchiveMark::key,
                      std::to_string(hub_.shared.archive_mark.mark()));
    }
    return batch;
}

/// A row that is not erased would be delivered once more, to the next session or after a restart;
/// so would be what stands above a mark that is not moved, after a crash.
void Ledger::ended(Extras extras, const Outcome& outcome) {
    if (!outcome && extras.mark && mark_due_ == MarkDue::no) mark_due_ = MarkDue::later;
    std::size_t forgotten = 0;
    for (Erasure& one : extras.erased) {
        if (!outcome && erased_again_.size() < erase_again_most) {
            erased_again_.push_back(std::move(one));
            continue;
        }
        if (!outcome) ++forgotten;
        if (one.known) rows_.erase(one.row);
        if (one.counted) --erasing_;
    }
    if (!erased_again_.empty() || mark_due_ == MarkDue::later) arm_retry_timer();
    if (forgotten > 0) {
        CAUSEWAY_LOG(error, "store.not_erased", {"messages", forgotten}, {"cause", outcome.why()});
    }
}

void Ledger::try_extras_again() {
    std::ranges::move(std::exchange(erased_again_, {}), std::back_inserter(erased_));
    if (mark_due_ == MarkDue::later) mark_due_ = MarkDue::now;
    if (!erased_.empty() || mark_due_ == MarkDue::now) hub_.shard.mark_dirty(*this);
}

}  // namespace causeway
