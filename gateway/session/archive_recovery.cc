#include "gateway/session/archive_recovery.h"

#include <map>
#include <set>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/number.h"
#include "gateway/base/timer_wheel.h"
#include "gateway/session/accounts.h"
#include "gateway/session/process_starts.h"

namespace causeway {
namespace {

constexpr std::size_t rows_at_once = 500;
/// Rows of one owner that are looked at to find out what is listed already.
constexpr std::size_t listed_looked_at = 10'000;
/// After a question or a commit failed.
constexpr Duration again_after{5000};

using Rows = std::vector<std::pair<std::string, ArchiveRow>>;

/// Of the shard that does it, which outlives its questions.
class Recovery final : public SlotState, private TimerTarget {
public:
    Recovery(Hub& hub, std::uint64_t newest) : hub_(hub), newest_(newest) {}

    void begin() {
        process_starts::note(hub_, [this](const Outcome& outcome) {
            if (!outcome) return fail(outcome);
            look_for_mark();
        });
    }

private:
    void look_for_mark() {
        by_owner_.clear();
        hub_.shared.store.map_get(std::string(ArchiveMark::store), {},
                                  std::string(ArchiveMark::key), hub_.shard,
                                  [this](const Result<std::optional<std::string>>& mark) {
                                      if (!mark) return fail(mark.error());
                                      if (mark->has_value())
                                          mark_ = read_number<std::uint64_t>(**mark).value_or(0);
                                      after_ = mark_;
                                      next_rows();
                                  });
    }

    void on_timer(std::uint32_t) override { begin(); }

    /// Until it is done the mark stays where it is, so nothing is forgotten by another crash.
    void fail(const Outcome& outcome) {
        CAUSEWAY_LOG(error, "archive.recovery_failed", {"cause", outcome.why()});
        hub_.shard.timers().arm(timer_, again_after, *this);
    }

    void next_rows() {
        hub_.shared.store.archive_recent(after_, rows_at_once, hub_.shard,
                                         [this](Result<Rows> rows) {
                                             if (!rows) return fail(rows.error());
                                             sort_out(std::move(*rows));
                                         });
    }

    void sort_out(Rows rows) {
        std::erase_if(rows, [&](const auto& row) { return row.second.id > newest_; });
        if (rows.empty()) {
            finish();
            return;
        }
        looked_at_ = true;
        first_ = rows.front().second.id;
        after_ = rows.back().second.id;
        for (const auto& [owner, row] : rows) by_owner_[owner].push_back(row.id);
        next_owner();
    }

    void next_owner() {
        if (by_owner_.empty()) {
            next_rows();
            return;
        }
        hub_.shared.store.log_list(std::string(AccountInbox::store_name), by_owner_.begin()->first,
                                   first_ - 1, listed_looked_at, hub_.shard,
                                   [this](const Result<std::vector<LogRow>>& rows) {
                                       if (!rows) return fail(rows.error());
                                       list_missing(*rows);
                                   });
    }

    void list_missing(const std::vector<LogRow>& listed) {
        auto [owner, ids] = std::move(*by_owner_.begin());
        by_owner_.erase(by_owner_.begin());
        std::set<std::uint64_t> missing(ids.begin(), ids.end());
        for (const LogRow& row : listed) missing.erase(row.id);
        if (missing.empty()) {
            next_owner();
            return;
        }
        const auto kept = std::chrono::duration_cast<Duration>(hub_.limits().offline_seconds);
        Batch batch;
        for (const std::uint64_t id : missing) {
            batch.log_append(AccountInbox::store_name, owner,
                             {.id = id,
                              .at = time_of_id(id),
                              .expires = hub_.shared.lifetimes.after(kept),
                              .body = {}});
        }
        hub_.shared.store.commit(
            std::move(batch), hub_.shard,
            [this, owner = owner, count = missing.size()](const Outcome& outcome) {
                // One owner's rows are not everybody's trouble.
                if (!outcome && outcome.cause() != Cause::policy) return fail(outcome);
                if (outcome) tell(owner, count);
                next_owner();
            });
    }

    /// The mark moves to where this run begins before anything else is done with what was listed:
    /// another crash must not list it again, for meanwhile a client that resumes has said which of
    /// it it has. And where the clock was set back it moves down, for ids of this run may be below
    /// it; until then every message is listed with its own commit.
    void finish() {
        if (!looked_at_ && mark_ <= newest_) return done();
        Batch batch;
        batch.map_set(ArchiveMark::store, {}, ArchiveMark::key, std::to_string(newest_));
        hub_.shared.store.commit(std::move(batch), hub_.shard, [this](const Outcome& outcome) {
            if (!outcome) return fail(outcome);
            mark_ = newest_;
            done();
        });
    }

    void done() {
        hub_.shared.archive_mark.recovered(mark_);
        if (listed_ > 0) CAUSEWAY_LOG(info, "archive.recovered", {"messages", listed_});
    }

    void tell(const std::string& owner, std::size_t count) {
        listed_ += count;
        Hub& home = hub_.home_of(owner);
        hub_.at(home, [&home, owner] {
            if (Account* account = home.accounts->find(owner)) {
                account->inbox().recount();
                account->inbox().redeliver();
            }
        });
    }

    Hub& hub_;
    const std::uint64_t newest_;
    std::uint64_t mark_ = 0;  ///< as the store has it
    std::uint64_t after_ = 0;
    std::uint64_t first_ = 0;  ///< of the rows that are being looked at
    std::map<std::string, std::vector<std::uint64_t>> by_owner_;
    bool looked_at_ = false;  ///< whether anything stood above the mark
    std::size_t listed_ = 0;
    Timer timer_;
};
constexpr Slot<Recovery> recovery_slot{"archive-recovery"};

}  // namespace

void list_after_crash(Hub& hub, std::uint64_t newest) {
    hub.slots.make(recovery_slot, hub, newest).begin();
}

}  // namespace causeway
