#include "gateway/store/sqlite_writer.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/store/ids.h"

namespace causeway {
namespace {

// How far the recorded ceiling runs ahead of the ids in use: one more row is written per this much
// time instead of one per commit, and ids run ahead of the clock by at most this much after a
// start.
constexpr std::uint64_t ceiling_lead = id_distance(Duration{10'000});

// Names of stores come from the program, so this is never reached by one that is in order.
constexpr std::size_t most_stores = 1024;

// In the order of SqliteWriter::Statement.
constexpr std::array statement_texts{
    std::string_view{"BEGIN IMMEDIATE"},
    std::string_view{"COMMIT"},
    std::string_view{"ROLLBACK"},
    std::string_view{"SELECT id FROM stores WHERE name = ?1"},
    std::string_view{"INSERT INTO stores (name) VALUES (?1)"},
    std::string_view{"UPDATE id_ceiling SET value = ?1"},
    std::string_view{"INSERT INTO maps (store, owner, key, value) VALUES (?1, ?2, ?3, ?4)"
                     " ON CONFLICT DO UPDATE SET value = excluded.value"},
    std::string_view{"DELETE FROM maps WHERE store = ?1 AND owner = ?2 AND key = ?3"},
    std::string_view{"DELETE FROM maps WHERE store = ?1 AND owner = ?2"},
    std::string_view{"INSERT INTO logs (store, owner, id, at, expires, body)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
    std::string_view{"DELETE FROM logs WHERE store = ?1 AND owner = ?2 AND id = ?3"},
    std::string_view{"DELETE FROM logs WHERE store = ?1 AND owner = ?2"},
};

/// The name of the store of a map or a log; nullptr: the operation is an archive's.
const std::string* store_of(const Batch::Operation& operation) {
    return std::visit(
        [](const auto& one) -> const std::string* {
            if constexpr (requires { one.store; }) return &one.store;
            return nullptr;
        },
        operation);
}

void post_refusal(Executor& home, const Committed& committed, Batch batch, Outcome outcome) {
    if (!committed) return;
    home.post([committed, outcome = std::move(outcome),
               back = std::make_shared<Batch>(std::move(batch))]() mutable {
        committed(std::move(outcome), *back);
    });
}

}  // namespace

SqliteWriter::SqliteWriter(SqliteDatabase database, std::unique_ptr<SqliteLogCopier> copier,
                           const StoreLimits& limits)
    : limits_(limits),
      database_(std::move(database)),
      copier_(std::move(copier)),
      archive_(database_) {}

SqliteWriter::~SqliteWriter() {
    stop();
    if (!copier_->stop()) database_.leave_log();
}

Result<std::unique_ptr<SqliteWriter>> SqliteWriter::start(SqliteDatabase database,
                                                          std::unique_ptr<SqliteLogCopier> copier,
                                                          const StoreLimits& limits) {
    std::unique_ptr<SqliteWriter> writer(
        new SqliteWriter(std::move(database), std::move(copier), limits));
    if (Outcome outcome = writer->prepare(); !outcome) return outcome;
    writer->thread_ = std::thread([raw = writer.get()] { raw->run(); });
    pthread_setname_np(writer->thread_.native_handle(), "store-writer");
    return writer;
}

Outcome SqliteWriter::prepare() {
    static_assert(statement_texts.size() == static_cast<std::size_t>(Statement::count));
    Outcome outcome = database_.prepare(statement_texts, statements_);
    if (outcome) outcome = archive_.prepare();
    if (!outcome) return outcome;
    const Result<std::int64_t> ceiling = database_.integer("SELECT value FROM id_ceiling");
    if (!ceiling) return ceiling.error();
    id_floor_ = static_cast<std::uint64_t>(std::max<std::int64_t>(*ceiling, 0));
    // Ids are given out that never come to be stored. Each opening has a range of its own, or two
    // short runs after one another would begin with the same ones.
    id_ceiling_ = id_floor_ + std::min(id_distance(Duration{1}),
                                       static_cast<std::uint64_t>(INT64_MAX) - id_floor_);
    SqliteStatement& claim = statement(Statement::raise_id_ceiling);
    claim.bind_integer(1, static_cast<std::int64_t>(id_ceiling_));
    if (Outcome claimed = execute(claim, "the store cannot claim its ids"); !claimed)
        return claimed;
    return {};
}

void SqliteWriter::commit(Batch batch, Executor& home, Committed committed) {
    if (Outcome outcome = check_batch(batch, limits_); !outcome) {
        return post_refusal(home, committed, std::move(batch), std::move(outcome));
    }
    std::unique_lock lock(mutex_);
    const bool full = queue_.size() >= limits_.queued_batches ||
                      batch.bytes() > limits_.queued_bytes - queued_bytes_;
    if (stopping_ || full) {
        lock.unlock();
        return post_refusal(home, committed, std::move(batch),
                            Outcome::retry(full ? "the store's queue is full" : "the store stops"));
    }
    push({.batch = std::move(batch),
          .home = &home,
          .committed = std::move(committed),
          .behind = {},
          .outcome = {}},
         std::move(lock));
}

void SqliteWriter::run_behind(std::function<void()> task) {
    std::unique_lock lock(mutex_);
    const bool some_wait = queue_.size() > urgent_ || gathered_ > 0;
    if (!some_wait || stopping_ || queue_.size() >= limits_.queued_batches) {
        lock.unlock();
        task();
        return;
    }
    push({.batch = {}, .home = nullptr, .committed = {}, .behind = std::move(task), .outcome = {}},
         std::move(lock));
}

void SqliteWriter::push(Pending pending, std::unique_lock<std::mutex> lock) {
    const bool may_wait = pending.batch.may_wait();
    if (may_wait) {
        pending.since = std::chrono::steady_clock::now();
    } else {
        ++urgent_;
    }
    queued_bytes_ += pending.batch.bytes();
    queue_.push_back(std::move(pending));
    // With the first that may wait it begins to look at the clock.
    const bool wake = waiting_ && (queue_.size() == 1 || ready());
    if (wake) waiting_ = false;
    lock.unlock();
    if (wake) wake_.notify_one();
}

void SqliteWriter::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void SqliteWriter::run() {
    for (;;) {
        std::vector<Pending> group = take_group();
        if (group.empty()) return;
        commit_group(group);
        {
            const std::lock_guard lock(mutex_);
            gathered_ = 0;
        }
        report(std::move(group));
        copier_->after_commit(database_);
    }
}

/// Something is to be written now. What may wait does so only while the queue has room for as much
/// again, or it would be refused for nothing.
bool SqliteWriter::ready() const {
    if (urgent_ > 0 || stopping_) return true;
    if (queue_.empty()) return false;
    return queue_.size() >= std::min(limits_.group_batches, limits_.queued_batches / 2) ||
           queued_bytes_ >= std::min(limits_.group_bytes, limits_.queued_bytes / 2) ||
           std::chrono::steady_clock::now() >= queue_.front().since + limits_.gather;
}

/// Waits for work; empty once stopped and drained.
std::vector<SqliteWriter::Pending> SqliteWriter::take_group() {
    std::vector<Pending> group;
    std::unique_lock lock(mutex_);
    while (!ready()) {
        waiting_ = true;
        if (queue_.empty()) {
            wake_.wait(lock);
        } else {
            wake_.wait_until(lock, queue_.front().since + limits_.gather);
        }
    }
    waiting_ = false;
    std::size_t bytes = 0;
    while (!queue_.empty() && group.size() < limits_.group_batches) {
        const std::size_t next = queue_.front().batch.bytes();
        if (!group.empty() && bytes + next > limits_.group_bytes) break;
        bytes += next;
        if (queue_.front().batch.may_wait()) {
            ++gathered_;
        } else {
            --urgent_;
        }
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    queued_bytes_ -= bytes;
    return group;
}

void SqliteWriter::commit_group(std::span<Pending> group) {
    const auto writes = [](const Pending& pending) { return !pending.behind; };
    if (std::ranges::none_of(group, writes)) return;
    Failure failure = transact(group);
    if (failure.in_operation && group.size() > 1) {
        // Savepoints would cost every group, and a full disk undoes the whole transaction in spite
        // of them. So the rare group with a bad batch is done again, each batch by itself.
        for (Pending& pending : group) {
            // A question writes nothing: that it can be asked says nothing about the disk.
            if (writes(pending)) pending.outcome = transact({&pending, 1}).outcome;
        }
        return;
    }
    for (Pending& pending : group) pending.outcome = failure.outcome;
}

SqliteWriter::Failure SqliteWriter::transact(std::span<Pending> group) {
    const std::uint64_t ceiling = id_ceiling_;
    Failure failure;
    if (database_.moved()) {
        failure.outcome = Outcome::retry(
            "the database file was removed or replaced while the server runs: put it back, or "
            "restart the server");
    } else {
        failure.outcome = execute(statement(Statement::begin), "the store cannot begin to write");
    }
    if (failure.outcome) {
        for (const Pending& pending : group) {
            failure.outcome = apply(pending.batch);
            if (failure.outcome) continue;
            failure.in_operation = true;
            break;
        }
        if (failure.outcome) {
            failure.outcome = archive_.write_totals();
            failure.in_operation = !failure.outcome.ok();
        }
    }
    if (failure.outcome) {
        failure.outcome = execute(statement(Statement::commit), "the store cannot commit");
    }
    note_health(failure.outcome);
    if (failure.outcome) return failure;
    if (database_.in_transaction()) {
        static_cast<void>(execute(statement(Statement::rollback), "the store cannot roll back"));
    }
    // What was learned inside the transaction is gone with it.
    store_numbers_.clear();
    archive_.forget();
    id_ceiling_ = ceiling;
    return failure;
}

Outcome SqliteWriter::apply(const Batch& batch) {
    for (const Batch::Operation& operation : batch.operations()) {
        if (Outcome outcome = apply(operation); !outcome) return outcome;
    }
    return {};
}

Outcome SqliteWriter::apply(const Batch::Operation& operation) {
    const std::string* name = store_of(operation);
    if (name == nullptr) return apply_to_archive(operation);
    const Result<std::int64_t> store = store_number(*name);
    if (!store) return store.error();
    const auto bound = [&](Statement which, const std::string& owner) -> SqliteStatement& {
        return statement(which).bind_integer(1, *store).bind_text(2, owner);
    };
    constexpr std::string_view doing = "the store cannot write";
    if (const auto* set = std::get_if<Batch::MapSet>(&operation)) {
        auto& run = bound(Statement::map_set, set->owner);
        return execute(run.bind_text(3, set->key).bind_blob(4, set->value), doing);
    }
    if (const auto* erase = std::get_if<Batch::MapErase>(&operation)) {
        return execute(bound(Statement::map_erase, erase->owner).bind_text(3, erase->key), doing);
    }
    if (const auto* clear = std::get_if<Batch::MapClear>(&operation)) {
        return execute(bound(Statement::map_clear, clear->owner), doing);
    }
    if (const auto* erase = std::get_if<Batch::LogErase>(&operation)) {
        auto& run = bound(Statement::log_erase, erase->owner);
        return execute(run.bind_integer(3, static_cast<std::int64_t>(erase->id)), doing);
    }
    if (const auto* clear = std::get_if<Batch::LogClear>(&operation)) {
        return execute(bound(Statement::log_clear, clear->owner), doing);
    }
    const auto& append = std::get<Batch::LogAppend>(operation);
    if (Outcome outcome = raise_id_ceiling(append.row.id); !outcome) return outcome;
    auto& run = bound(Statement::log_append, append.owner);
    run.bind_integer(3, static_cast<std::int64_t>(append.row.id)).bind_integer(4, append.row.at);
    return execute(run.bind_integer(5, append.row.expires).bind_blob(6, append.row.body), doing);
}

Outcome SqliteWriter::apply_to_archive(const Batch::Operation& operation) {
    if (const auto* append = std::get_if<Batch::ArchiveAppend>(&operation)) {
        if (Outcome outcome = raise_id_ceiling(append->row.id); !outcome) return outcome;
        return archive_.append(*append);
    }
    if (const auto* replace = std::get_if<Batch::ArchiveReplace>(&operation)) {
        return archive_.replace(*replace);
    }
    if (const auto* erase = std::get_if<Batch::ArchiveErase>(&operation)) {
        return archive_.erase(*erase);
    }
    if (const auto* trim = std::get_if<Batch::ArchiveTrim>(&operation)) {
        return archive_.trim(*trim);
    }
    if (const auto* clear = std::get_if<Batch::ArchiveClear>(&operation)) {
        return archive_.clear(*clear);
    }
    return archive_.sweep(std::get<Batch::ArchiveSweep>(operation));
}

Outcome SqliteWriter::raise_id_ceiling(std::uint64_t id) {
    if (id <= id_ceiling_) return {};
    constexpr auto highest = static_cast<std::uint64_t>(INT64_MAX);
    const std::uint64_t raised = id + std::min(ceiling_lead, highest - id);
    SqliteStatement& update = statement(Statement::raise_id_ceiling);
    update.bind_integer(1, static_cast<std::int64_t>(raised));
    Outcome outcome = execute(update, "the store cannot record its ids");
    if (outcome) id_ceiling_ = raised;
    return outcome;
}

Outcome SqliteWriter::execute(SqliteStatement& statement, std::string_view doing) {
    const StatementRun run(statement);
    return statement.step() == Step::done ? Outcome{} : database_.failure(doing);
}

Result<std::int64_t> SqliteWriter::store_number(const std::string& name) {
    if (const auto known = store_numbers_.find(name); known != store_numbers_.end()) {
        return known->second;
    }
    if (store_numbers_.size() >= most_stores) return Outcome::policy("too many named stores");
    SqliteStatement& find = statement(Statement::find_store);
    const StatementRun run(find);
    std::int64_t number = 0;
    switch (find.bind_text(1, name).step()) {
        case Step::row: number = find.integer(0); break;
        case Step::failed: return database_.failure("the store cannot find a name");
        case Step::done: {
            SqliteStatement& add = statement(Statement::add_store);
            Outcome outcome = execute(add.bind_text(1, name), "the store cannot add a name");
            if (!outcome) return outcome;
            number = database_.last_insert_id();
        }
    }
    store_numbers_.emplace(name, number);
    return number;
}

/// One line when commits begin to fail and one when they work again, not one for each. A batch that
/// is itself at fault says nothing about the store.
void SqliteWriter::note_health(const Outcome& outcome) {
    if (outcome.cause() == Cause::policy) return;
    if (outcome) {
        if (failed_in_a_row_ == 0) return;
        CAUSEWAY_LOG(info, "store.recovered", {"failed", failed_in_a_row_});
        failed_in_a_row_ = 0;
        const std::lock_guard lock(mutex_);
        health_.failure.clear();
        return;
    }
    if (failed_in_a_row_++ == 0) {
        CAUSEWAY_LOG(error, "store.failed", {"cause", to_string(outcome.cause())},
                     {"why", outcome.why()});
    }
    const std::lock_guard lock(mutex_);
    health_.failure = outcome.why();
    ++health_.failed;
}

StoreHealth SqliteWriter::health() const {
    const std::lock_guard lock(mutex_);
    return health_;
}

/// One post for each executor, so that a transaction wakes a shard once. The batches go home with
/// it: that is where their memory came from.
void SqliteWriter::report(std::vector<Pending> group) {
    using Answers = std::vector<Pending>;
    std::vector<std::pair<Executor*, std::shared_ptr<Answers>>> answers;
    for (Pending& pending : group) {
        if (pending.behind) pending.behind();
        if (!pending.committed) continue;
        auto at = std::find_if(answers.begin(), answers.end(),
                               [&](const auto& one) { return one.first == pending.home; });
        if (at == answers.end()) {
            at = answers.insert(at, {pending.home, std::make_shared<Answers>()});
        }
        at->second->push_back(std::move(pending));
    }
    for (auto& [home, batch_answers] : answers) {
        home->post([all = std::move(batch_answers)] {
            for (Pending& one : *all) one.committed(std::move(one.outcome), one.batch);
        });
    }
}

}  // namespace causeway
