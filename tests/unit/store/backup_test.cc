// A backup taken while the store is in use: it holds what was committed before it began, and is a
// store by itself. What goes wrong leaves nothing behind.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "gateway/store/memory.h"
#include "gateway/store/sqlite.h"
#include "gateway/store/sqlite_check.h"
#include "gateway/store/sqlite_database.h"
#include "tests/unit/store/faulty_disk.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

std::unique_ptr<Store> open(const std::string& path) {
    auto opened = open_sqlite(path);
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().why()));
    return std::move(*opened);
}

/// Files in the folder whose names begin so.
std::size_t files(const TemporaryFolder& folder, const std::string& beginning) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.file(""))) {
        if (entry.path().filename().string().starts_with(beginning)) ++count;
    }
    return count;
}

Batch numbered(std::uint64_t id) {
    Batch batch = append("q", "a", row(id));
    batch.archive_append("a", archived(id, "b").view());
    batch.map_set("s", "a", std::to_string(id), std::string(500, 'v'));
    return batch;
}

/// Commits numbered batches as fast as it can, until it is ended.
class Load {
public:
    Load(Store& store, std::uint64_t first)
        : store_(store), thread_([this, first] { run(first); }) {}
    ~Load() { end(); }
    void end() {
        ending_ = true;
        if (thread_.joinable()) thread_.join();
    }
    /// The last id of which it knows that it is durable.
    [[nodiscard]] std::uint64_t committed() const { return committed_; }

private:
    void run(std::uint64_t id) {
        ManualExecutor home;
        for (; !ending_; ++id) {
            bool answered = false;
            store_.commit(numbered(id), home, [&](const Outcome& outcome) {
                if (outcome) committed_ = id;
                answered = true;
            });
            if (!home.run_until([&] { return answered; })) return;
        }
    }

    Store& store_;
    std::atomic<bool> ending_ = false;
    std::atomic<std::uint64_t> committed_ = 0;
    std::thread thread_;
};

/// A store that is open, and who asks it.
struct InUse {
    const TemporaryFolder folder;
    const std::unique_ptr<Store> store = open(folder.file("a.db"));
    Caller caller{*store};
};

/// A store that is not open, and the log that a killed server left beside it.
struct NotOpen {
    /// A backup takes the place of the store, whose log stays: that of a commit behind the backup.
    /// The store itself is put aside as "old", with its log.
    void put_backup_in_place(const std::string& name) const {
        {
            const auto store = open(name);
            Caller caller(*store);
            REQUIRE(caller.commit(numbered(1)).ok());
            REQUIRE(caller.backup(folder.file("backup")).ok());
            REQUIRE(caller.commit(numbered(2)).ok());
            std::filesystem::copy_file(path, folder.file("old"));
            std::filesystem::copy_file(log, folder.file("old-wal"));
        }
        std::filesystem::copy_file(folder.file("backup"), path,
                                   std::filesystem::copy_options::overwrite_existing);
        std::filesystem::copy_file(folder.file("old-wal"), log);
    }
    /// Rows that it holds.
    [[nodiscard]] static std::size_t rows(const std::string& name) {
        const auto store = open(name);
        return Caller(*store).log_list("q", "a", 0, 10)->size();
    }

    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    const std::string log = path + "-wal";
};

}  // namespace

TEST_CASE_FIXTURE(
    InUse, "backup: it holds all that was committed before it began, and is a store by itself") {
    for (std::uint64_t id = 1; id <= 2000; id += 100) {
        Batch batch;
        for (std::uint64_t i = id; i < id + 100; ++i) {
            batch.archive_append("a", archived(i, "b").view());
            batch.log_append("q", "a", row(i));
            batch.map_set("s", "a", std::to_string(i), std::string(500, 'v'));
        }
        REQUIRE(caller.commit(std::move(batch)).ok());
    }
    Load load(*store, 2001);
    for (int round = 1; round <= 3; ++round) {
        const std::uint64_t before = std::max<std::uint64_t>(load.committed(), 2000);
        const std::string path = folder.file("backup" + std::to_string(round));
        const auto made = caller.backup(path);
        REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().why()));
        CHECK(made->bytes == std::filesystem::file_size(path));
        CHECK(files(folder, "backup" + std::to_string(round)) == 1);
        struct stat status {};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK((status.st_mode & 07777U) == 0600);

        // It is restored by copying.
        const std::string restored = folder.file("restored" + std::to_string(round));
        std::filesystem::copy_file(path, restored);
        const auto copy = open(restored);
        Caller reader(*copy);
        const auto rows = reader.log_list("q", "a", 0, 1'000'000);
        REQUIRE(rows.ok());
        REQUIRE(rows->size() >= before);
        CHECK(rows->back().id == rows->size());  // a state that was, without a hole
        CHECK(reader.map_list("s", "a")->size() == rows->size());
        CHECK(reader.archive_total("a")->rows == rows->size());
        const auto report = reader.check({.accounts = "s", .of_accounts = {}});
        REQUIRE(report.ok());
        CHECK(report->faults.empty());
        CHECK(reader.commit(numbered(10'000'000)).ok());
    }
    // Nothing was refused meanwhile.
    CHECK(load.committed() > 2000);
    load.end();
    CHECK(caller.log_list("q", "a", 0, 1'000'000)->size() == load.committed());
}

TEST_CASE_FIXTURE(
    NotOpen, "backup: put in the place of a store whose log was left there, it is not opened") {
    put_backup_in_place(path);
    const auto refused = open_sqlite(path);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().why().find("remove " + log) != std::string::npos);
    CHECK_FALSE(check_sqlite(path).ok());
    std::filesystem::remove(log);
    CHECK(check_sqlite(path).ok());
    CHECK(rows(path) == 1);
    // Its own log is one that it may have.
    CHECK(rows(folder.file("old")) == 2);
}

TEST_CASE_FIXTURE(NotOpen, "a store of which the log alone is left is not begun anew") {
    {
        const auto store = open(path);
        Caller caller(*store);
        REQUIRE(caller.commit(numbered(1)).ok());
        std::filesystem::copy_file(log, folder.file("log"));
    }
    std::filesystem::copy_file(path, folder.file("file"));
    std::filesystem::copy_file(folder.file("log"), log);
    const auto is_refused = [&] {
        CHECK_FALSE(check_sqlite(path).ok());
        const auto refused = open_sqlite(path);
        return !refused.ok() && refused.error().why().find("is gone or empty") != std::string::npos;
    };
    std::filesystem::resize_file(path, 0);
    CHECK(is_refused());
    std::filesystem::remove(path);
    CHECK(is_refused());
    CHECK(std::filesystem::file_size(log) > 0);
    // With the file it is whole again; without the log it is a new store.
    std::filesystem::copy_file(folder.file("file"), path,
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(rows(path) == 1);
    std::filesystem::remove(log);
    std::filesystem::resize_file(path, 0);
    CHECK(check_sqlite(path).ok());
    CHECK(open_sqlite(path).ok());
}

TEST_CASE_FIXTURE(NotOpen,
                  "backup: the log that was left is found where a link leads to the store") {
    const std::string link = folder.file("link");
    std::filesystem::create_symlink(path, link);
    put_backup_in_place(link);
    const auto is_refused = [&] { return !check_sqlite(link).ok() && !open_sqlite(link).ok(); };
    CHECK(is_refused());
    std::filesystem::resize_file(path, 0);
    CHECK(is_refused());
    CHECK(std::filesystem::file_size(log) > 0);
    std::filesystem::remove(log);
    CHECK(open_sqlite(link).ok());
}

TEST_CASE("backup: what others count on at the moment is left out") {
    const TemporaryFolder folder;
    {
        const auto store = open(folder.file("a.db"));
        Caller caller(*store);
        Batch batch;
        batch.map_set(Store::of_the_moment, "a", "1", "h 5");
        batch.map_set("s", "a", "1", "v");
        REQUIRE(caller.commit(std::move(batch)).ok());
        REQUIRE(caller.backup(folder.file("backup")).ok());
        CHECK(caller.map_list(std::string(Store::of_the_moment), "a")->size() == 1);
    }
    CHECK(files(folder, "backup") == 1);
    const auto restored = open(folder.file("backup"));
    Caller caller(*restored);
    CHECK(caller.map_list(std::string(Store::of_the_moment), "a")->empty());
    CHECK(caller.map_list("s", "a")->size() == 1);
}

TEST_CASE("backup: a damaged store is copied, and said to be damaged") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    {
        const auto store = open(path);
        Caller caller(*store);
        Batch batch;
        for (std::uint64_t id = 1; id <= 2000; ++id)
            batch.archive_append("a", archived(id, "b").view());
        REQUIRE(caller.commit(std::move(batch)).ok());
        const auto sound = caller.backup(folder.file("sound"));
        REQUIRE(sound.ok());
        CHECK(sound->damage.empty());
    }
    {
        // Somewhere among the last pages, which are those of the archive.
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
        file.seekp(size - 6 * 4096);
        file << std::string(std::size_t{3} * 4096, '\x55');
    }
    const auto store = open(path);
    Caller caller(*store);
    const auto made = caller.backup(folder.file("damaged"));
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().why()));
    CHECK_FALSE(made->damage.empty());
    CHECK(made->damage.find('\n') == std::string::npos);
    CHECK(std::filesystem::file_size(folder.file("damaged")) == made->bytes);
}

TEST_CASE_FIXTURE(InUse, "backup: it tells how far it is, and ends early when it is told to") {
    for (int i = 0; i < 40; ++i) {
        REQUIRE(caller.commit(set("s", "a", std::to_string(i), std::string(200'000, 'v'))).ok());
    }
    StoreJob job;
    std::vector<StoreProgress> told;
    job.progress = [&](StoreProgress progress) { told.push_back(progress); };
    REQUIRE(caller.backup(folder.file("whole"), job).ok());
    REQUIRE(!told.empty());
    CHECK(told.front().done > 0);
    CHECK(told.front().done <= told.front().total);
    CHECK(told.front().total >= 8'000'000);

    job = {};
    *job.cancelled = true;
    const auto ended = caller.backup(folder.file("ended"), job);
    REQUIRE(!ended.ok());
    CHECK(ended.error().why() == "cancelled");
    CHECK(files(folder, "ended") == 0);
    CHECK(caller.backup(folder.file("ended")).ok());
}

TEST_CASE_FIXTURE(InUse, "backup: it replaces nothing, and says where it cannot write") {
    const auto refusal = [&](const std::string& path) {
        const auto made = caller.backup(path);
        REQUIRE(!made.ok());
        return made.error();
    };
    std::ofstream(folder.file("there")) << "precious";
    CHECK(refusal(folder.file("there")).why().find("replaces nothing") != std::string::npos);
    CHECK(std::filesystem::file_size(folder.file("there")) == 8);
    CHECK(refusal(folder.file("a.db")).cause() == Cause::refused);
    CHECK(refusal("relative.db").cause() == Cause::malformed);
    CHECK(refusal("").cause() == Cause::malformed);
    const Outcome nowhere = refusal(folder.file("none/backup"));
    CHECK(nowhere.cause() == Cause::refused);
    CHECK(nowhere.why().find("No such file") != std::string::npos);
    std::filesystem::create_symlink(folder.file("elsewhere"), folder.file("link"));
    CHECK(refusal(folder.file("link")).cause() == Cause::refused);
    CHECK(files(folder, "") == 5);  // the store with its log and index, "there" and "link"
}

TEST_CASE("backup: a disk that fails under it is told, and only under it") {
    FaultyDisk disk;
    InUse f;
    REQUIRE(f.caller.commit(set("s", "a", "k", std::string(300'000, 'v'))).ok());
    for (const std::int64_t writes : {0, 1, 10, 50}) {
        disk.fill_after(writes);
        const auto made = f.caller.backup(f.folder.file("backup"));
        disk.heal();
        REQUIRE(!made.ok());
        CHECK(made.error().cause() == Cause::retry);
        CHECK(files(f.folder, "backup") == 0);
    }
    CHECK(f.caller.commit(set("s", "a", "k", "v")).ok());
    CHECK(f.caller.backup(f.folder.file("backup")).ok());
}

TEST_CASE_FIXTURE(InUse, "backup: one job at a time, and none holds up the end of the store") {
    for (int i = 0; i < 20; ++i) {
        REQUIRE(caller.commit(set("s", "a", std::to_string(i), std::string(500'000, 'v'))).ok());
    }
    std::vector<Outcome> answers;
    const auto answer = [&](const Result<StoreBackup>& made) {
        answers.push_back(made ? Outcome{} : made.error());
    };
    for (const char* name : {"one", "two"}) {
        store->backup(folder.file(name), caller.home(), {}, answer);
    }
    REQUIRE(caller.home().run_until([&] { return answers.size() == 2; }));
    CHECK(answers[0].ok() != answers[1].ok());
    CHECK(files(folder, "one") + files(folder, "two") == 1);
    store->backup(folder.file("three"), caller.home(), {}, answer);
    store->stop();
    REQUIRE(caller.home().run_until([&] { return answers.size() == 3; }));
    CHECK(files(folder, "three") == (answers[2].ok() ? 1 : 0));
    const auto late = caller.backup(folder.file("four"));
    REQUIRE(!late.ok());
    CHECK(late.error().cause() == Cause::retry);
}

TEST_CASE("backup: a store in memory has none") {
    MemoryStore store;
    Caller caller(store);
    CHECK(caller.backup("/tmp/never").error().cause() == Cause::refused);
    CHECK(caller.check({})->faults.empty());
}

}  // namespace causeway::test
