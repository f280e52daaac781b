#include "gateway/store/memory.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "gateway/store/ids.h"

namespace causeway {
namespace {

void post(Executor& home, const Committed& committed, Batch batch, Outcome outcome) {
    if (!committed) return;
    home.post([committed, outcome = std::move(outcome),
               back = std::make_shared<Batch>(std::move(batch))]() mutable {
        committed(std::move(outcome), *back);
    });
}

/// Erases every row of (store, owner); the tables are ordered by them first.
template <class Table, class Least>
void clear_owner(Table& table, const std::string& store, const std::string& owner, Least least) {
    auto at = table.lower_bound({store, owner, least});
    while (at != table.end() && std::get<0>(at->first) == store &&
           std::get<1>(at->first) == owner) {
        at = table.erase(at);
    }
}

}  // namespace

void MemoryStore::fail_next_commits(std::size_t count, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    failing_commits_ = count;
    commit_failure_ = std::move(outcome);
}

void MemoryStore::doubt_next_commits(std::size_t count) {
    const std::lock_guard lock(mutex_);
    doubtful_commits_ = count;
}

void MemoryStore::fail_next_reads(std::size_t count, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    failing_reads_ = count;
    read_failure_ = std::move(outcome);
}

void MemoryStore::spare_next_reads(unsigned count) {
    const std::lock_guard lock(mutex_);
    spared_reads_ = count;
}

void MemoryStore::hold_commits() {
    const std::lock_guard lock(mutex_);
    commit_pace_ = Pace::held;
}

void MemoryStore::release_commits() {
    const std::lock_guard lock(mutex_);
    release();
}

void MemoryStore::hold_answers() {
    const std::lock_guard lock(mutex_);
    answer_pace_ = Pace::held;
}

void MemoryStore::release_answers() {
    const std::lock_guard lock(mutex_);
    answer_pace_ = Pace::at_once;
    for (auto& [home, answer] : std::exchange(held_answers_, {})) home->post(std::move(answer));
}

void MemoryStore::refuse_commits(bool refuse) {
    const std::lock_guard lock(mutex_);
    if (state_ != State::stopped) state_ = refuse ? State::refusing : State::open;
}

void MemoryStore::lose_held_commits(std::size_t applied) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < std::min(applied, held_.size()); ++i) (void)apply(held_[i].batch);
    held_.clear();
    held_bytes_ = 0;
    held_answers_.clear();
    commit_pace_ = answer_pace_ = Pace::at_once;
}

void MemoryStore::begin_process(UnixMillis now) {
    const std::lock_guard lock(mutex_);
    tables_.highest_id = std::max(tables_.highest_id, id_distance(Duration{now + 2}));
}

std::uint64_t MemoryStore::id_floor() const {
    const std::lock_guard lock(mutex_);
    return tables_.highest_id;
}

std::size_t MemoryStore::held_commits() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
}

std::uint64_t MemoryStore::commits() const {
    const std::lock_guard lock(mutex_);
    return commits_;
}

void MemoryStore::stop() {
    const std::lock_guard lock(mutex_);
    release();
    state_ = State::stopped;
}

StoreHealth MemoryStore::health() const {
    const std::lock_guard lock(mutex_);
    return health_;
}

void MemoryStore::commit(Batch batch, Executor& home, Committed committed) {
    Outcome outcome = check_batch(batch, limits_);
    const std::lock_guard lock(mutex_);
    if (outcome && state_ != State::open) outcome = Outcome::retry("the store stops");
    if (outcome && commit_pace_ == Pace::held &&
        (held_.size() >= limits_.queued_batches ||
         batch.bytes() > limits_.queued_bytes - held_bytes_)) {
        outcome = Outcome::retry("the store's queue is full");
    }
    if (!outcome) return post(home, committed, std::move(batch), std::move(outcome));
    Held one{std::move(batch), &home, std::move(committed)};
    if (commit_pace_ == Pace::at_once) return finish(std::move(one));
    held_bytes_ += one.batch.bytes();
    held_.push_back(std::move(one));
}

void MemoryStore::finish(Held held) {
    Outcome outcome = apply(held.batch);
    if (outcome && doubtful_commits_ > 0) {
        --doubtful_commits_;
        outcome = Outcome::retry("the disk does not say whether it has it");
    }
    post(*held.home, held.committed, std::move(held.batch), std::move(outcome));
}

void MemoryStore::release() {
    commit_pace_ = Pace::at_once;
    held_bytes_ = 0;
    for (Held& one : std::exchange(held_, {})) finish(std::move(one));
}

Outcome MemoryStore::apply(const Batch& batch) {
    if (failing_commits_ > 0) {
        --failing_commits_;
        health_.failure = commit_failure_.why();
        ++health_.failed;
        return commit_failure_;
    }
    if (Outcome outcome = check_appends(batch); !outcome) return outcome;
    health_.failure.clear();
    for (const Batch::Operation& operation : batch.operations()) apply(operation);
    ++commits_;
    return {};
}

/// Only an append can fail: this finds out before anything is changed, with the batch's own earlier
/// operations in mind.
Outcome MemoryStore::check_appends(const Batch& batch) const {
    std::map<LogKey, bool> present;
    std::set<std::pair<std::string, std::string>> cleared;
    std::map<std::uint64_t, std::string> archived;  // by id: whose
    for (const Batch::Operation& operation : batch.operations()) {
        if (const auto* clear = std::get_if<Batch::LogClear>(&operation)) {
            clear_owner(present, clear->store, clear->owner, std::uint64_t{0});
            cleared.emplace(clear->store, clear->owner);
        } else if (const auto* erase = std::get_if<Batch::LogErase>(&operation)) {
            present[{erase->store, erase->owner, erase->id}] = false;
        } else if (const auto* append = std::get_if<Batch::LogAppend>(&operation)) {
            const LogKey key{append->store, append->owner, append->row.id};
            const bool stored =
                tables_.logs.contains(key) && !cleared.contains({append->store, append->owner});
            bool& exists = present.emplace(key, stored).first->second;
            if (exists) return Outcome::policy("a row with that id exists");
            exists = true;
        } else if (const auto* archive = std::get_if<Batch::ArchiveAppend>(&operation)) {
            const std::uint64_t id = archive->row.id;
            const std::string owner(archive->owner);
            const bool again = archive->attempt == Batch::Attempt::again;
            if (again && tables_.archive.body(owner, id) != nullptr) continue;
            const auto [earlier, first] = archived.emplace(id, owner);
            if (again && !first && earlier->second == owner) continue;
            if (!first || tables_.archive.contains(id)) {
                return Outcome::policy("an archived message with that id exists");
            }
        }
    }
    return {};
}

void MemoryStore::apply(const Batch::Operation& operation) {
    if (const auto* set = std::get_if<Batch::MapSet>(&operation)) {
        tables_.maps.insert_or_assign({set->store, set->owner, set->key}, set->value);
    } else if (const auto* map_erase = std::get_if<Batch::MapErase>(&operation)) {
        tables_.maps.erase({map_erase->store, map_erase->owner, map_erase->key});
    } else if (const auto* map_clear = std::get_if<Batch::MapClear>(&operation)) {
        clear_owner(tables_.maps, map_clear->store, map_clear->owner, std::string());
    } else if (const auto* log_erase = std::get_if<Batch::LogErase>(&operation)) {
        tables_.logs.erase({log_erase->store, log_erase->owner, log_erase->id});
    } else if (const auto* log_clear = std::get_if<Batch::LogClear>(&operation)) {
        clear_owner(tables_.logs, log_clear->store, log_clear->owner, std::uint64_t{0});
    } else if (const auto* append = std::get_if<Batch::LogAppend>(&operation)) {
        tables_.highest_id = std::max(tables_.highest_id, append->row.id);
        tables_.logs.emplace(LogKey{append->store, append->owner, append->row.id}, append->row);
    } else if (const auto* archived = std::get_if<Batch::ArchiveAppend>(&operation)) {
        tables_.highest_id = std::max(tables_.highest_id, archived->row.id);
        tables_.archive.append(std::string(archived->owner), archived->row);
    } else if (const auto* replace = std::get_if<Batch::ArchiveReplace>(&operation)) {
        tables_.archive.replace(replace->owner, replace->id, replace->body);
    } else if (const auto* archive_erase = std::get_if<Batch::ArchiveErase>(&operation)) {
        tables_.archive.erase(archive_erase->owner, archive_erase->id);
    } else if (const auto* trim = std::get_if<Batch::ArchiveTrim>(&operation)) {
        for (const auto& [id, body] : tables_.archive.trim(trim->owner, trim->before, trim->rows)) {
            for (auto& [key, row] : tables_.logs) {
                const bool stands_for_it = std::get<1>(key) == trim->owner && row.id == id;
                if (stands_for_it && row.body.empty()) row.body = body;
            }
        }
    } else if (const auto* archive_clear = std::get_if<Batch::ArchiveClear>(&operation)) {
        tables_.archive.clear(archive_clear->owner);
    } else if (const auto* sweep = std::get_if<Batch::ArchiveSweep>(&operation)) {
        tables_.archive.sweep(sweep->rows);
    }
}

template <class T, class Query>
void MemoryStore::answer_with(Executor& home, Answer<T> answer, Query query) {
    const std::lock_guard lock(mutex_);
    Result<T> result = [&]() -> Result<T> {
        if (state_ == State::stopped) return Outcome::retry("the store stops");
        if (failing_reads_ == 0) return query(tables_);
        if (spared_reads_ != 0) {
            --spared_reads_;
            return query(tables_);
        }
        --failing_reads_;
        return read_failure_;
    }();
    auto tell = [answer = std::move(answer), result = std::move(result)]() mutable {
        answer(std::move(result));
    };
    if (answer_pace_ == Pace::held) {
        held_answers_.emplace_back(&home, std::move(tell));
    } else {
        home.post(std::move(tell));
    }
}

void MemoryStore::map_get(std::string store, std::string owner, std::string key, Executor& home,
                          Answer<std::optional<std::string>> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        const auto at = tables.maps.find({store, owner, key});
        return at == tables.maps.end() ? std::nullopt : std::optional(at->second);
    });
}

void MemoryStore::map_list(std::string store, std::string owner, Executor& home,
                           Answer<std::vector<MapEntry>> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        std::vector<MapEntry> entries;
        for (auto at = tables.maps.lower_bound({store, owner, ""}); at != tables.maps.end(); ++at) {
            const auto& [at_store, at_owner, key] = at->first;
            if (at_store != store || at_owner != owner) break;
            entries.push_back({owner, key, at->second});
        }
        return entries;
    });
}

void MemoryStore::map_scan(std::string store, std::string after_owner, std::string after_key,
                           std::size_t limit, Executor& home,
                           Answer<std::vector<MapEntry>> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        std::vector<MapEntry> entries;
        auto at = tables.maps.upper_bound({store, after_owner, after_key});
        for (; at != tables.maps.end() && entries.size() < limit; ++at) {
            const auto& [at_store, owner, key] = at->first;
            if (at_store != store) break;
            entries.push_back({owner, key, at->second});
        }
        return entries;
    });
}

void MemoryStore::map_holders(std::string store, std::string key, std::size_t limit, Executor& home,
                              Answer<std::vector<MapEntry>> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        std::vector<MapEntry> entries;
        auto at = tables.maps.lower_bound({store, "", ""});
        for (; at != tables.maps.end() && entries.size() < limit; ++at) {
            const auto& [at_store, owner, at_key] = at->first;
            if (at_store != store) break;
            if (at_key == key) entries.push_back({owner, at_key, at->second});
        }
        return entries;
    });
}

void MemoryStore::log_list(std::string store, std::string owner, std::uint64_t after,
                           std::size_t limit, Executor& home, Answer<std::vector<LogRow>> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        std::vector<LogRow> rows;
        auto at = tables.logs.upper_bound({store, owner, after});
        for (; at != tables.logs.end() && rows.size() < limit; ++at) {
            const auto& [at_store, at_owner, id] = at->first;
            if (at_store != store || at_owner != owner) break;
            rows.push_back(tables.whole(at->first, at->second));
        }
        return rows;
    });
}

void MemoryStore::log_totals(std::string store, std::size_t limit, Executor& home,
                             Answer<std::vector<LogTotals>> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        std::vector<LogTotals> totals;
        auto at = tables.logs.lower_bound({store, "", 0});
        for (; at != tables.logs.end() && std::get<0>(at->first) == store; ++at) {
            const auto& [owner, row] = std::pair(std::get<1>(at->first), at->second);
            if (totals.empty() || totals.back().owner != owner) {
                if (totals.size() == limit) break;
                totals.push_back({owner, 0, 0, row.at});
            }
            LogTotals& total = totals.back();
            ++total.rows;
            total.bytes += row.body.size();
            total.oldest = std::min(total.oldest, row.at);
        }
        return totals;
    });
}

void MemoryStore::log_expired(std::string store, UnixMillis now, std::size_t limit, Executor& home,
                              Answer<std::vector<std::pair<std::string, LogRow>>> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        std::vector<std::pair<std::string, LogRow>> rows;
        auto at = tables.logs.lower_bound({store, "", 0});
        for (; at != tables.logs.end() && std::get<0>(at->first) == store; ++at) {
            const LogRow& row = at->second;
            if (row.expires <= 0 || row.expires > now) continue;
            rows.emplace_back(std::get<1>(at->first), tables.whole(at->first, row));
        }
        // Stable: rows that expire together stay in the order of owner and id.
        std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
            return a.second.expires < b.second.expires;
        });
        rows.resize(std::min(rows.size(), limit));
        return rows;
    });
}

LogRow MemoryStore::Tables::whole(const LogKey& key, const LogRow& row) const {
    LogRow whole = row;
    if (!whole.body.empty()) return whole;
    if (const std::string* body = archive.body(std::get<1>(key), row.id)) whole.body = *body;
    return whole;
}

void MemoryStore::archive_page(ArchiveQuery query, Executor& home, Answer<ArchivePage> answer) {
    answer_with(home, std::move(answer),
                [&](const Tables& tables) { return tables.archive.page(query); });
}

void MemoryStore::archive_totals(std::string after_owner, std::size_t limit, Executor& home,
                                 Answer<std::vector<ArchiveTotals>> answer) {
    answer_with(home, std::move(answer),
                [&](const Tables& tables) { return tables.archive.totals(after_owner, limit); });
}

void MemoryStore::archive_unswept(Executor& home, Answer<std::uint64_t> answer) {
    answer_with(home, std::move(answer),
                [](const Tables& tables) { return tables.archive.unswept(); });
}

void MemoryStore::archive_total(std::string owner, Executor& home, Answer<ArchiveTotals> answer) {
    answer_with(home, std::move(answer),
                [&](const Tables& tables) { return tables.archive.total(owner); });
}

void MemoryStore::archive_recent(std::uint64_t after, std::size_t limit, Executor& home,
                                 Answer<MemoryArchive::Recent> answer) {
    answer_with(home, std::move(answer),
                [&](const Tables& tables) { return tables.archive.recent(after, limit); });
}

void MemoryStore::backup(std::string /*path*/, Executor& home, StoreJob /*job*/,
                         Answer<StoreBackup> answer) {
    home.post([answer = std::move(answer)] {
        answer(Outcome::refused("this store is in memory alone: there is nothing to back up"));
    });
}

void MemoryStore::check(StoreCheck what, Executor& home, StoreJob /*job*/,
                        Answer<StoreReport> answer) {
    answer_with(home, std::move(answer), [&](const Tables& tables) {
        StoreReport report;
        StoreSize archive{.name = "archive"};
        for (const ArchiveTotals& one : tables.archive.totals("", SIZE_MAX)) {
            ++archive.owners;
            archive.rows += one.rows;
            archive.bytes += one.bytes;
            if (report.largest.size() < what.largest) {
                report.largest.push_back({one.owner, 1, one.rows, one.bytes});
            }
        }
        report.stores.push_back(archive);
        report.file_bytes = archive.bytes;
        return report;
    });
}

}  // namespace causeway
