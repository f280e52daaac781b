// What only a file can show: durability, a full disk, locks of others, versions of the schema.
#include "gateway/store/sqlite.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "gateway/store/ids.h"
#include "gateway/store/sqlite_database.h"
#include "tests/unit/store/faulty_disk.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

std::unique_ptr<Store> open(const std::string& path, const StoreLimits& limits = {},
                            std::span<const Migration> steps = sqlite_migrations()) {
    auto opened = open_sqlite(path, limits, steps);
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().why()));
    return std::move(*opened);
}

Outcome refusal(const std::string& path, std::span<const Migration> steps = sqlite_migrations()) {
    auto opened = open_sqlite(path, {}, steps);
    REQUIRE(!opened.ok());
    return opened.error();
}

std::size_t rows_of(Caller& caller, const std::string& owner) {
    const auto rows = caller.log_list("q", owner, 0, 1'000'000);
    REQUIRE(rows.ok());
    return rows->size();
}

/// Another process's write lock, as a shell or a backup holds it.
class ForeignLock {
public:
    explicit ForeignLock(const std::string& path)
        : database_(SqliteDatabase::open(path, SqliteDatabase::Access::write, {})) {
        REQUIRE(database_.ok());
        REQUIRE(database_->execute("BEGIN IMMEDIATE").ok());
    }
    void release() { REQUIRE(database_->execute("ROLLBACK").ok()); }

private:
    Result<SqliteDatabase> database_;
};

unsigned mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
}

void run_sql(const std::string& path, const std::string& sql) {
    REQUIRE(create_database_file(path).ok());
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::write, {});
    REQUIRE(database.ok());
    const Outcome outcome = database->execute(sql);
    REQUIRE_MESSAGE(outcome.ok(), outcome.why());
}

}  // namespace

TEST_CASE("sqlite: what was committed is there after closing and opening again") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    for (std::uint64_t round = 1; round <= 3; ++round) {
        const auto store = open(path);
        Caller caller(*store);
        CHECK(rows_of(caller, "a") == round - 1);
        REQUIRE(caller.commit(append("q", "a", row(round))).ok());
        REQUIRE(caller.commit(set("s", "a", "round", std::to_string(round))).ok());
        CHECK(*caller.map_get("s", "a", "round") == std::to_string(round));
    }
}

TEST_CASE("sqlite: nobody else may read the file or what lies beside it") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    std::ofstream(path).close();
    REQUIRE(::chmod(path.c_str(), 0644) == 0);
    const auto store = open(path);
    Caller caller(*store);
    REQUIRE(caller.commit(set("s", "a", "k", "v")).ok());
    CHECK(mode_of(path) == 0600);
    CHECK(mode_of(path + "-wal") == 0600);
    CHECK(mode_of(path + "-shm") == 0600);
}

TEST_CASE("sqlite: what cannot be opened is refused with its path") {
    const TemporaryFolder folder;
    const Outcome no_folder = refusal(folder.file("absent/a.db"));
    CHECK(no_folder.cause() == Cause::refused);
    CHECK(no_folder.why().find("absent/a.db") != std::string::npos);
    CHECK(refusal(folder.file("")).cause() == Cause::refused);

    std::ofstream(folder.file("text.db")) << std::string(8192, 'x');
    const Outcome no_database = refusal(folder.file("text.db"));
    CHECK(no_database.cause() == Cause::refused);
    CHECK(no_database.why().find("text.db") != std::string::npos);
}

TEST_CASE("sqlite: a file that another server has open is refused, until that one ends") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    auto first = open(path);
    CHECK(refusal(path).cause() == Cause::refused);
    CHECK(refusal(path).why().find("in use by another causeway") != std::string::npos);
    Caller caller(*first);
    REQUIRE(caller.commit(append("q", "a", row(1))).ok());
    first.reset();
    const auto second = open(path);
    Caller reader(*second);
    CHECK(rows_of(reader, "a") == 1);
}

TEST_CASE("sqlite: nothing is committed to a file that was removed or replaced") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    const auto store = open(path);
    Caller caller(*store);
    REQUIRE(caller.commit(append("q", "a", row(1))).ok());
    std::filesystem::rename(path, path + ".away");
    const Outcome removed = caller.commit(append("q", "a", row(2)));
    CHECK(removed.cause() == Cause::retry);
    CHECK(removed.why().find("removed or replaced") != std::string::npos);
    std::ofstream(path).close();
    CHECK_FALSE(caller.commit(append("q", "a", row(3))).ok());
    std::filesystem::rename(path + ".away", path);
    CHECK(caller.commit(append("q", "a", row(4))).ok());
    CHECK(rows_of(caller, "a") == 2);
}

TEST_CASE("sqlite: another program's database is refused and left alone") {
    const TemporaryFolder folder;
    run_sql(folder.file("tables.db"), "CREATE TABLE theirs (x)");
    CHECK(refusal(folder.file("tables.db")).why().find("another program") != std::string::npos);
    run_sql(folder.file("marked.db"), "PRAGMA application_id=77");
    CHECK(refusal(folder.file("marked.db")).why().find("another program") != std::string::npos);
    auto database =
        SqliteDatabase::open(folder.file("tables.db"), SqliteDatabase::Access::write, {});
    REQUIRE(database.ok());
    CHECK(*database->integer("SELECT count(*) FROM sqlite_schema") == 1);
    CHECK(*database->integer("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode='wal'") ==
          0);
}

TEST_CASE("sqlite: new steps are applied to an older file, and a newer file is refused") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    std::vector<Migration> steps(sqlite_migrations().begin(), sqlite_migrations().end());
    const auto known = static_cast<int>(steps.size());
    {
        const auto store = open(path);
        Caller caller(*store);
        REQUIRE(caller.commit(set("s", "a", "k", "v")).ok());
    }
    steps.push_back({known + 1, "more", "CREATE TABLE more (x); INSERT INTO more VALUES (1);"});
    {
        const auto store = open(path, {}, steps);
        Caller caller(*store);
        CHECK(*caller.map_get("s", "a", "k") == "v");
    }
    open(path, {}, steps)->stop();  // a second time would fail: the table exists
    const Outcome newer = refusal(path);
    CHECK(newer.cause() == Cause::refused);
    CHECK(newer.why().find("newer version") != std::string::npos);
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::read_only, {});
    REQUIRE(database.ok());
    CHECK(*database->integer("SELECT count(*) FROM more") == 1);
    CHECK(*database->integer("SELECT count(*) FROM migrations") == known + 1);
}

TEST_CASE("sqlite: a step that fails leaves nothing of itself, nor of the steps before it") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    std::vector<Migration> steps(sqlite_migrations().begin(), sqlite_migrations().end());
    steps.push_back({static_cast<int>(steps.size()) + 1, "broken",
                     "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1);"});
    const Outcome outcome = refusal(path, steps);
    CHECK(outcome.why().find("broken") != std::string::npos);
    {
        auto database = SqliteDatabase::open(path, SqliteDatabase::Access::read_only, {});
        REQUIRE(database.ok());
        CHECK(*database->integer("SELECT count(*) FROM sqlite_schema") == 0);
    }
    const auto store = open(path);
    Caller caller(*store);
    CHECK(caller.commit(set("s", "a", "k", "v")).ok());
}

TEST_CASE("sqlite: row ids never fall below what an earlier run used") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    std::uint64_t used = id_distance(Duration{1'000'000});
    for (int round = 0; round < 3; ++round) {
        const auto store = open(path);
        CHECK(store->id_floor() >= (round == 0 ? 0 : used));
        Caller caller(*store);
        used = std::max(used, store->id_floor() + id_distance(Duration{round * 4'000}));
        REQUIRE(caller.commit(append("q", "a", row(used))).ok());
    }
    const auto store = open(path);
    Caller caller(*store);
    constexpr auto highest = static_cast<std::uint64_t>(INT64_MAX);
    REQUIRE(caller.commit(append("q", "a", row(highest))).ok());
    CHECK(caller.log_list("q", "a", highest - 1, 1)->size() == 1);
}

TEST_CASE("sqlite: each opening has ids of its own, though none of them was stored") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    std::uint64_t before = 0;
    for (int round = 0; round < 3; ++round) {
        const std::uint64_t floor = open(path)->id_floor();
        if (round > 0) CHECK(floor >= before + 100'000);
        before = floor;
    }
}

TEST_CASE("sqlite: batches that wait share a transaction and one post, and a bad one fails alone") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    const auto store = open(path);
    Caller caller(*store);
    REQUIRE(caller.commit(append("q", "a", row(5))).ok());
    const std::size_t posts_before = caller.home().posts();
    ForeignLock lock(path);
    std::vector<std::pair<std::uint64_t, Outcome>> answers;
    for (std::uint64_t id = 1; id <= 200; ++id) {
        Batch batch = set("s", "a", std::to_string(id), "v");
        batch.log_append("q", "a", row(id));
        store->commit(std::move(batch), caller.home(), [&answers, id](Outcome outcome) {
            answers.emplace_back(id, std::move(outcome));
        });
    }
    lock.release();
    REQUIRE(caller.home().run_until([&] { return answers.size() == 200; }));
    // The first batches may have been taken before the others came; all the rest went together.
    CHECK(caller.home().posts() - posts_before <= 2);
    for (std::uint64_t id = 1; id <= 200; ++id) {
        const auto& [answered, outcome] = answers[id - 1];
        CHECK(answered == id);
        CHECK(outcome.ok() == (id != 5));
    }
    CHECK(rows_of(caller, "a") == 200);
    CHECK(*caller.map_get("s", "a", "4") == "v");
    CHECK(*caller.map_get("s", "a", "5") == std::nullopt);
}

TEST_CASE("sqlite: a full queue answers retry at once, by count and by bytes") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    StoreLimits limits;
    limits.queued_batches = 4;
    limits.queued_bytes = 100'000;
    limits.group_batches = 1;
    const auto store = open(path, limits);
    Caller caller(*store);
    for (const std::size_t size : {10U, 40'000U}) {
        ForeignLock lock(path);
        int committed = 0;
        int refused = 0;
        const auto count = [&](Outcome outcome) {
            if (outcome.ok()) ++committed;
            if (outcome.cause() == Cause::retry) ++refused;
        };
        for (int i = 0; i < 10; ++i) {
            store->commit(set("s", "a", "k", std::string(size, 'x')), caller.home(), count);
        }
        // By count one is with the writer and four wait, by bytes two wait. The refusals come while
        // the writer is still held; were they to wait for it, this would not end.
        const int most = size == 10 ? 5 : 3;
        REQUIRE(caller.home().run_until([&] { return refused >= 10 - most; }));
        CHECK(committed == 0);
        lock.release();
        REQUIRE(caller.home().run_until([&] { return committed + refused == 10; }));
        CHECK(committed >= most - 1);
        CHECK(caller.commit(set("s", "a", "k", "after")).ok());
    }
}

TEST_CASE("sqlite: a lock that is never released fails the batch and not the store") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    StoreLimits limits;
    limits.lock_wait = std::chrono::milliseconds(1);
    const auto store = open(path, limits);
    Caller caller(*store);
    ForeignLock lock(path);
    const Outcome outcome = caller.commit(set("s", "a", "k", "v"));
    CHECK(outcome.cause() == Cause::retry);
    CHECK(*caller.map_get("s", "a", "k") == std::nullopt);
    lock.release();
    CHECK(caller.commit(set("s", "a", "k", "v")).ok());
}

TEST_CASE(
    "sqlite: a file at its limit refuses what does not fit, and takes it once there is room") {
    const TemporaryFolder folder;
    StoreLimits limits;
    limits.pages = 40;
    const auto store = open(folder.file("a.db"), limits);
    Caller caller(*store);
    std::uint64_t stored = 0;
    const auto add = [&] {
        LogRow one = row(stored + 1);
        one.body.assign(3'000, 'x');
        Batch batch = append("q", "a", one);
        batch.map_set("s", "a", std::to_string(one.id), "v");
        return caller.commit(std::move(batch));
    };
    Outcome outcome;
    while ((outcome = add()).ok() && stored < 100) ++stored;
    CHECK(outcome.cause() == Cause::retry);
    CHECK(stored > 5);
    CHECK(rows_of(caller, "a") == stored);
    CHECK(caller.map_list("s", "a")->size() == stored);
    // Together with batches that free room, one that does not fit fails by itself.
    int freed = 0;
    int refused = 0;
    LogRow huge = row(1'000'000);
    huge.body.assign(500'000, 'x');
    store->commit(append("q", "b", huge), caller.home(),
                  [&](Outcome end) { refused += !end.ok(); });
    for (std::uint64_t id = 1; id <= 3; ++id) {
        Batch batch;
        batch.log_erase("q", "a", id);
        store->commit(std::move(batch), caller.home(), [&](Outcome end) { freed += end.ok(); });
    }
    REQUIRE(caller.home().run_until([&] { return freed == 3; }));
    CHECK(refused == 1);
    CHECK(add().ok());
    CHECK(rows_of(caller, "a") == stored - 2);
}

TEST_CASE(
    "sqlite: a disk that fills at any write of a commit loses nothing that was acknowledged") {
    const TemporaryFolder folder;
    FaultyDisk disk;
    const std::string path = folder.file("a.db");
    auto store = open(path);
    std::uint64_t acknowledged = 0;
    std::int64_t failed = 0;
    for (std::int64_t good_writes = 0; good_writes < 12; ++good_writes) {
        Caller caller(*store);
        REQUIRE(caller.commit(append("q", "a", row(++acknowledged))).ok());
        disk.fill_after(good_writes);
        std::vector<Outcome> outcomes;
        for (std::uint64_t i = 0; i < 3; ++i) {
            LogRow one = row(1'000 * (1 + static_cast<std::uint64_t>(good_writes)) + i);
            one.body.assign(6'000, 'x');
            store->commit(append("q", "b", one), caller.home(),
                          [&](Outcome outcome) { outcomes.push_back(std::move(outcome)); });
        }
        REQUIRE(caller.home().run_until([&] { return outcomes.size() == 3; }));
        failed += disk.failed();
        const auto succeeded = static_cast<std::size_t>(
            std::count_if(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.ok(); }));
        for (const Outcome& outcome : outcomes) {
            if (!outcome) CHECK(outcome.cause() == Cause::retry);
        }
        CHECK(rows_of(caller, "a") == acknowledged);
        CHECK(rows_of(caller, "b") == succeeded);
        disk.heal();
        Batch clear;
        clear.log_clear("q", "b");
        REQUIRE(caller.commit(std::move(clear)).ok());
        if (good_writes % 4 == 3) {
            store.reset();
            store = open(path);
        }
    }
    CHECK(failed >= 12);
    Caller caller(*store);
    CHECK(rows_of(caller, "a") == acknowledged);
}

TEST_CASE("sqlite: a flush that fails is a commit that failed") {
    const TemporaryFolder folder;
    FaultyDisk disk;
    const auto store = open(folder.file("a.db"));
    Caller caller(*store);
    REQUIRE(caller.commit(append("q", "a", row(1))).ok());
    disk.fail_flushes_after(0);
    const Outcome outcome = caller.commit(append("q", "a", row(2)));
    CHECK(outcome.cause() == Cause::retry);
    CHECK(disk.failed() >= 1);
    CHECK(rows_of(caller, "a") == 1);
    CHECK(store->health().failure == outcome.why());
    disk.heal();
    CHECK(caller.commit(append("q", "a", row(2))).ok());
    CHECK(store->health().failure.empty());
    CHECK(store->health().failed >= 1);
    CHECK(rows_of(caller, "a") == 2);
}

TEST_CASE("sqlite: a completion comes after the flush that makes its batch durable") {
    const TemporaryFolder folder;
    FaultyDisk disk;
    const auto store = open(folder.file("a.db"));
    Caller caller(*store);
    REQUIRE(caller.commit(append("q", "a", row(1))).ok());
    // Were success answered without a flush, these would succeed on a disk that flushes no more.
    disk.fail_flushes_after(3);
    int succeeded = 0;
    for (std::uint64_t id = 2; id <= 12; ++id) {
        succeeded += caller.commit(append("q", "a", row(id))).ok();
    }
    CHECK(succeeded == 3);
    CHECK(disk.failed() >= 8);
    disk.heal();
}

TEST_CASE("sqlite: what an answer holds ends with it, on the asker's thread") {
    const TemporaryFolder folder;
    const auto store = open(folder.file("a.db"));
    ManualExecutor home;
    // Another thread that still held it would have to be slow; so it is asked often.
    for (int i = 0; i < 300; ++i) {
        auto held = std::make_shared<int>(i);
        std::weak_ptr<int> seen = held;
        long holders = 0;
        const bool job = i % 10 == 0;
        if (job) {
            store->check(
                StoreCheck{}, home,
                {.progress = [held](StoreProgress) {},
                 .cancelled = std::make_shared<std::atomic<bool>>(false)},
                [held, &holders](const Result<StoreReport>&) { holders = held.use_count(); });
        } else {
            store->map_get("s", "a", "k", home,
                           [held, &holders](const Result<std::optional<std::string>>&) {
                               holders = held.use_count();
                           });
        }
        held.reset();
        REQUIRE(home.run_until([&] { return holders != 0; }));
        CHECK(holders == (job ? 2 : 1));
        CHECK(seen.expired());
    }
}

}  // namespace causeway::test
