#include "gateway/session/archive_recovery.h"

#include <charconv>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/accounts.h"

namespace causeway {
namespace {

constexpr std::size_t rows_at_once = 500;

using Rows = std::vector<std::pair<std::string, ArchiveRow>>;

/// Lives as long as one of its questions is open.
class Recovery final : public std::enable_shared_from_this<Recovery> {
public:
    Recovery(Hub& hub, std::uint64_t newest) : hub_(hub), newest_(newest) {}

    void begin() {
        hub_.shared.store.map_get(
            std::string(ArchiveMark::store), {}, std::string(ArchiveMark::key), hub_.shard,
            [self = shared_from_this()](const Result<std::optional<std::string>>& mark) {
                if (!mark) return self->fail(mark.error());
                if (mark->has_value()) {
                    const std::string& text = **mark;
                    std::from_chars(text.data(), text.data() + text.size(), self->after_);
                }
                self->next_rows();
            });
    }

private:
    void fail(const Outcome& outcome) {
        CAUSEWAY_LOG(error, "archive.recovery_failed", {"cause", outcome.why()});
    }

    void next_rows() {
        hub_.shared.store.archive_recent(after_, rows_at_once, hub_.shard,
                                         [self = shared_from_this()](Result<Rows> rows) {
                                             if (!rows) return self->fail(rows.error());
                                             self->sort_out(std::move(*rows));
                                         });
    }

    void sort_out(Rows rows) {
        std::erase_if(rows, [&](const auto& row) { return row.second.id > newest_; });
        if (rows.empty()) {
            if (listed_ > 0) CAUSEWAY_LOG(info, "archive.recovered", {"messages", listed_});
            return;
        }
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
                                   first_ - 1, hub_.limits().offline_messages, hub_.shard,
                                   [self = shared_from_this()](Result<std::vector<LogRow>> rows) {
                                       if (!rows) return self->fail(rows.error());
                                       self->list_missing(*rows);
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
        hub_.shared.store.commit(std::move(batch), hub_.shard,
                                 [self = shared_from_this(), owner = owner,
                                  count = missing.size()](const Outcome& outcome) {
                                     if (!outcome) return self->fail(outcome);
                                     self->listed_ += count;
                                     Hub& home = self->hub_.home_of(owner);
                                     self->hub_.at(home, [&home, owner] {
                                         if (Account* account = home.accounts->find(owner)) {
                                             account->inbox().recount();
                                             account->inbox().redeliver();
                                         }
                                     });
                                     self->next_owner();
                                 });
    }

    Hub& hub_;
    const std::uint64_t newest_;
    std::uint64_t after_ = 0;
    std::uint64_t first_ = 0;  ///< of the rows that are being looked at
    std::map<std::string, std::vector<std::uint64_t>> by_owner_;
    std::size_t listed_ = 0;
};

}  // namespace

void list_after_crash(Hub& hub, std::uint64_t newest) {
    std::make_shared<Recovery>(hub, newest)->begin();
}

}  // namespace causeway
