#include "gateway/store/sqlite.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "gateway/store/sqlite_backup.h"
#include "gateway/store/sqlite_database.h"
#include "gateway/store/sqlite_inspect.h"
#include "gateway/store/sqlite_jobs.h"
#include "gateway/store/sqlite_log_copier.h"
#include "gateway/store/sqlite_migrate.h"
#include "gateway/store/sqlite_readers.h"
#include "gateway/store/sqlite_writer.h"
#include "gateway/store/store_lock.h"

namespace causeway {
namespace {

using Kind = SqliteReaders::Kind;

class SqliteStore final : public Store {
public:
    SqliteStore(std::string path, const StoreLimits& limits, StoreLock lock,
                std::unique_ptr<SqliteWriter> writer, std::unique_ptr<SqliteReaders> readers)
        : path_(std::move(path)),
          limits_(limits),
          lock_(std::move(lock)),
          writer_(std::move(writer)),
          readers_(std::move(readers)) {}
    SqliteStore(const SqliteStore&) = delete;
    SqliteStore& operator=(const SqliteStore&) = delete;
    /// The writer's thread asks the readers, which are destroyed before it.
    ~SqliteStore() override { SqliteStore::stop(); }

    void commit(Batch batch, Executor& home, Committed committed) override {
        writer_->commit(std::move(batch), home, std::move(committed));
    }

    void hurry() override {
        writer_->run_behind([] {});
    }

    void map_get(std::string store, std::string owner, std::string key, Executor& home,
                 Answer<std::optional<std::string>> answer) override {
        ask(Kind::of_owner, home, std::move(answer),
            [store = std::move(store), owner = std::move(owner), key = std::move(key)](
                SqliteReader& reader) { return reader.map_get(store, owner, key); });
    }

    void map_list(std::string store, std::string owner, Executor& home,
                  Answer<std::vector<MapEntry>> answer) override {
        ask(Kind::of_owner, home, std::move(answer),
            [store = std::move(store), owner = std::move(owner)](SqliteReader& reader) {
                return reader.map_list(store, owner);
            });
    }

    void map_scan(std::string store, std::string after_owner, std::string after_key,
                  std::size_t limit, Executor& home,
                  Answer<std::vector<MapEntry>> answer) override {
        ask(Kind::of_store, home, std::move(answer),
            [store = std::move(store), after_owner = std::move(after_owner),
             after_key = std::move(after_key), limit](SqliteReader& reader) {
                return reader.map_scan(store, after_owner, after_key, limit);
            });
    }

    void map_holders(std::string store, std::string key, std::size_t limit, Executor& home,
                     Answer<std::vector<MapEntry>> answer) override {
        ask(Kind::of_owner, home, std::move(answer),
            [store = std::move(store), key = std::move(key), limit](SqliteReader& reader) {
                return reader.map_holders(store, key, limit);
            });
    }

    void log_list(std::string store, std::string owner, std::uint64_t after, std::size_t limit,
                  Executor& home, Answer<std::vector<LogRow>> answer) override {
        ask(Kind::of_owner, home, std::move(answer),
            [store = std::move(store), owner = std::move(owner), after,
             limit](SqliteReader& reader) { return reader.log_list(store, owner, after, limit); });
    }

    void log_totals(std::string store, std::size_t limit, Executor& home,
                    Answer<std::vector<LogTotals>> answer) override {
        ask(Kind::of_store, home, std::move(answer),
            [store = std::move(store), limit](SqliteReader& reader) {
                return reader.log_totals(store, limit);
            });
    }

    void log_expired(std::string store, UnixMillis now, std::size_t limit, Executor& home,
                     Answer<std::vector<std::pair<std::string, LogRow>>> answer) override {
        ask(Kind::of_store, home, std::move(answer),
            [store = std::move(store), now, limit](SqliteReader& reader) {
                return reader.log_expired(store, now, limit);
            });
    }

    void archive_page(ArchiveQuery query, Executor& home, Answer<ArchivePage> answer) override {
        ask_archive(Kind::of_owner, home, std::move(answer),
                    [query = std::move(query)](SqliteReader& reader) {
                        return reader.archive().page(query);
                    });
    }

    void archive_totals(std::string after_owner, std::size_t limit, Executor& home,
                        Answer<std::vector<ArchiveTotals>> answer) override {
        ask_archive(Kind::of_store, home, std::move(answer),
                    [after_owner = std::move(after_owner), limit](SqliteReader& reader) {
                        return reader.archive().totals(after_owner, limit);
                    });
    }

    void archive_unswept(Executor& home, Answer<std::uint64_t> answer) override {
        ask_archive(Kind::of_owner, home, std::move(answer),
                    [](SqliteReader& reader) { return reader.archive().unswept(); });
    }

    void archive_total(std::string owner, Executor& home, Answer<ArchiveTotals> answer) override {
        ask_archive(Kind::of_owner, home, std::move(answer),
                    [owner = std::move(owner)](SqliteReader& reader) {
                        return reader.archive().total(owner);
                    });
    }

    void archive_recent(std::uint64_t after, std::size_t limit, Executor& home,
                        Answer<SqliteArchiveReader::Recent> answer) override {
        ask_archive(Kind::of_store, home, std::move(answer), [after, limit](SqliteReader& reader) {
            return reader.archive().recent(after, limit);
        });
    }

    void backup(std::string path, Executor& home, StoreJob job,
                Answer<StoreBackup> answer) override {
        run_job(home, std::move(job), std::move(answer),
                [this, path = std::move(path)](SqliteJobContext& context) {
                    return back_up_sqlite(path_, path, limits_, context);
                });
    }

    void check(StoreCheck what, Executor& home, StoreJob job, Answer<StoreReport> answer) override {
        run_job(home, std::move(job), std::move(answer),
                [this, what = std::move(what)](SqliteJobContext& context) {
                    return inspect_sqlite(path_, what, limits_, context);
                });
    }

    [[nodiscard]] std::uint64_t id_floor() const override { return writer_->id_floor(); }

    void stop() override {
        jobs_.stop();
        writer_->stop();
        readers_->stop();
    }

    [[nodiscard]] StoreHealth health() const override { return writer_->health(); }

private:
    /// An answer on its way through another thread. What it holds belongs to the asker's thread,
    /// and may end there alone: so it is taken along from here, and no copy of it stays behind.
    template <class T>
    class Handed {
    public:
        explicit Handed(Answer<T> answer)
            : answer_(std::make_shared<Answer<T>>(std::move(answer))) {}
        /// Once.
        [[nodiscard]] Answer<T> take() const { return std::exchange(*answer_, nullptr); }

    private:
        std::shared_ptr<Answer<T>> answer_;
    };

    /// `work(context)` gives the Result that `answer` gets, at home.
    template <class T, class Work>
    void run_job(Executor& home, StoreJob job, Answer<T> answer, Work work) {
        const Handed<T> handed(std::move(answer));
        Outcome started =
            jobs_.start(home, std::move(job), [handed, work](SqliteJobContext& context) {
                auto result = work(context);
                return SqliteJobs::Answer(
                    [answer = handed.take(), result = std::move(result)]() mutable {
                        answer(std::move(result));
                    });
            });
        if (started) return;
        home.post([answer = handed.take(), started = std::move(started)]() mutable {
            answer(std::move(started));
        });
    }

    /// `query(reader)` gives the Result that `answer` gets, at home.
    template <class T, class Query>
    void ask(Kind kind, Executor& home, Answer<T> answer, Query query) {
        ask_for(kind, home, Handed<T>(std::move(answer)), std::move(query));
    }

    /// Behind what was committed before and may wait.
    template <class T, class Query>
    void ask_archive(Kind kind, Executor& home, Answer<T> answer, Query query) {
        writer_->run_behind([this, kind, &home, handed = Handed<T>(std::move(answer)),
                             query = std::move(query)]() mutable {
            ask_for(kind, home, handed, std::move(query));
        });
    }

    template <class T, class Query>
    void ask_for(Kind kind, Executor& home, const Handed<T>& handed, Query query) {
        const bool queued = readers_->ask(kind, [&home, handed, query](SqliteReader& reader) {
            auto result = query(reader);
            home.post([answer = handed.take(), result = std::move(result)]() mutable {
                answer(std::move(result));
            });
        });
        if (queued) return;
        home.post([answer = handed.take()] {
            answer(Outcome::retry("too many questions wait for the store"));
        });
    }

    // Destroyed from the bottom: the last connection to close copies the log back into the file,
    // and that must be the writer's.
    const std::string path_;
    const StoreLimits limits_;
    StoreLock lock_;
    std::unique_ptr<SqliteWriter> writer_;
    std::unique_ptr<SqliteReaders> readers_;
    SqliteJobs jobs_;
};

Outcome named(const std::string& path, const Outcome& outcome) {
    return {outcome.cause(), fmt::format("{}: {}", path, outcome.why())};
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const StoreLimits& limits,
                                           std::span<const Migration> migrations) {
    if (Outcome outcome = create_database_file(path); !outcome) return outcome;
    Result<StoreLock> lock = StoreLock::claim(path);
    if (!lock) return lock.error();
    if (Outcome outcome = check_log_of(path); !outcome) return outcome;
    Result<SqliteDatabase> database =
        SqliteDatabase::open(path, SqliteDatabase::Access::write, limits);
    if (!database) return named(path, database.error());
    Outcome outcome = migrate(*database, migrations, SystemClock().wall());
    if (outcome) outcome = database->use_write_ahead_log(limits);
    if (!outcome) return named(path, outcome);
    Result<std::unique_ptr<SqliteLogCopier>> copier =
        SqliteLogCopier::start(path, lock->descriptor(), limits);
    if (!copier) return named(path, copier.error());
    Result<std::unique_ptr<SqliteWriter>> writer =
        SqliteWriter::start(std::move(*database), std::move(*copier), limits);
    if (!writer) return named(path, writer.error());
    Result<std::unique_ptr<SqliteReaders>> readers = SqliteReaders::start(path, limits);
    if (!readers) return named(path, readers.error());
    return std::unique_ptr<Store>(std::make_unique<SqliteStore>(
        path, limits, std::move(*lock), std::move(*writer), std::move(*readers)));
}

}  // namespace causeway
