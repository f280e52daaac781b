// Store: what must survive. Three shapes carry every feature's data, so that a backend implements
// three things and a feature names its own stores:
//   Map      (store, owner, key) -> value      accounts, rosters, settings
//   Log      (store, owner), rows in id order  offline messages, outbound queues
//   Archive  owner, rows in id order           messages, by time and by who they are with
// `owner` is a bare JID or a domain; `store` a short constant name of the feature that owns it.
//
// All writes go through a Batch: one batch is applied whole or not at all, and its completion runs
// only once it is durable. Completions and answers run on the Executor given with the request,
// never on the calling stack. A full queue answers Cause::retry at once; nothing blocks the caller.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/outcome.h"
#include "gateway/store/archive.h"
#include "gateway/store/committed.h"
#include "gateway/store/store_job.h"

namespace causeway {

/// One row of a Log. Ids are chosen by the caller, unique and rising within an owner (see next_id).
struct LogRow {
    std::uint64_t id = 0;
    UnixMillis at = 0;       ///< when the row was received
    UnixMillis expires = 0;  ///< by the LifetimeClock; 0: never
    /// Empty: the body is that of the owner's archived message with this id. A question is answered
    /// with that body, or with an empty one if it is not in the archive any more.
    std::string body;
};

/// Writes to be applied together, in order.
class Batch {
public:
    struct MapSet {
        std::string store, owner, key, value;
    };
    struct MapErase {
        std::string store, owner, key;
    };
    struct MapClear {
        std::string store, owner;
    };
    struct LogAppend {
        std::string store, owner;
        LogRow row;
    };
    struct LogErase {
        std::string store, owner;
        std::uint64_t id;
    };
    struct LogClear {
        std::string store, owner;
    };
    /// Whether the same row was to be stored before, by a commit that failed. It may stand there
    /// all the same, where it could not be said whether the disk has it; then it stays as it is.
    enum class Attempt : unsigned char { first, again };
    /// Most of what is written: its parts stand in the batch's own arena.
    struct ArchiveAppend {
        std::string_view owner;
        ArchiveRowView row;
        Attempt attempt;
    };
    struct ArchiveReplace {
        std::string owner;
        std::uint64_t id;
        std::string body;
    };
    struct ArchiveErase {
        std::string owner;
        std::uint64_t id;
    };
    struct ArchiveTrim {
        std::string owner;
        std::uint64_t before;
        std::size_t rows;
    };
    struct ArchiveClear {
        std::string owner;
    };
    struct ArchiveSweep {
        std::size_t rows;
    };
    using Operation =
        std::variant<MapSet, MapErase, MapClear, LogAppend, LogErase, LogClear, ArchiveAppend,
                     ArchiveReplace, ArchiveTrim, ArchiveClear, ArchiveSweep, ArchiveErase>;

    void map_set(std::string_view store, std::string_view owner, std::string_view key,
                 std::string value);
    void map_erase(std::string_view store, std::string_view owner, std::string_view key);
    /// Removes every key of the owner in that store.
    void map_clear(std::string_view store, std::string_view owner);
    void log_append(std::string_view store, std::string_view owner, LogRow row);
    /// Erasing a row that is not there is no error.
    void log_erase(std::string_view store, std::string_view owner, std::uint64_t id);
    void log_clear(std::string_view store, std::string_view owner);
    /// Copies all that it is given.
    void archive_append(std::string_view owner, const ArchiveRowView& row,
                        Attempt attempt = Attempt::first);
    /// Another body for a row, which keeps its place. A row that is not there is no error.
    void archive_replace(std::string_view owner, std::uint64_t id, std::string body);
    /// One row, which was to be no part of it. A row that is not there is no error. A row of a Log
    /// that stands for it has no body from then on.
    void archive_erase(std::string_view owner, std::uint64_t id);
    /// Erases the owner's oldest rows with ids below `before`, at most `rows` of them: 100 keep the
    /// writer for a few milliseconds, and the next step is best committed when this one is durable.
    /// A row of a Log that stands for one of them has its own body from then on.
    void archive_trim(std::string_view owner, std::uint64_t before, std::size_t rows);
    /// The owner has no archive any more, in one small step whatever its size: nothing of it is
    /// answered again, and archive_sweep() gives the room back.
    void archive_clear(std::string_view owner);
    /// Erases up to `rows` rows of archives that were cleared. Steps are as with archive_trim().
    void archive_sweep(std::size_t rows);

    /// So many operations are coming, as far as is known.
    void reserve(std::size_t operations) { operations_.reserve(operations); }
    /// Nobody waits for it: the store may gather what else comes before it writes. It keeps its
    /// place, and goes with the first batch that may not wait.
    void let_wait() { may_wait_ = true; }
    [[nodiscard]] bool may_wait() const { return may_wait_; }

    [[nodiscard]] bool empty() const { return operations_.empty(); }
    [[nodiscard]] std::size_t size() const { return operations_.size(); }
    /// Bytes held, for the bound of the writer's queue.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }

private:
    std::vector<Operation> operations_;
    /// Most batches hold a row or two.
    Arena texts_{1024};
    std::size_t bytes_ = 0;
    bool may_wait_ = false;
};

struct MapEntry {
    std::string owner, key, value;
};

/// Totals of one owner's rows in a Log store.
struct LogTotals {
    std::string owner;
    /// Bytes of bodies that the rows hold themselves; those of archived messages are not looked up.
    std::uint64_t rows = 0, bytes = 0;
    UnixMillis oldest = 0;
};

/// What became of the commits so far.
struct StoreHealth {
    std::string failure;       ///< why the last one failed; empty: it did not
    std::uint64_t failed = 0;  ///< transactions that failed since the store was opened
};

/// The interface that backends implement. Thread-safe.
class Store {
public:
    template <class T>
    using Answer = std::function<void(Result<T>)>;
    using Committed = causeway::Committed;

    /// The Map store of what others count on from one moment to the next, such as numbers of
    /// stanzas. A backup leaves it out: they have gone on when it is restored.
    static constexpr std::string_view of_the_moment = "streams";

    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;

    /// Applies the batch after all that were committed before it, from whichever thread;
    /// completions keep that order on each executor. `committed` may be empty. Failures: retry
    /// (queue full, disk full or failing, store stopping), policy (a row id that exists, a batch
    /// larger than the queue), malformed (a row id of 0 or beyond 63 bits), refused (the file is
    /// damaged).
    virtual void commit(Batch batch, Executor& home, Committed committed) = 0;
    /// Somebody waits, after all, for what was committed and may wait.
    virtual void hurry() {}

    virtual void map_get(std::string store, std::string owner, std::string key, Executor& home,
                         Answer<std::optional<std::string>> answer) = 0;
    /// All entries of one owner, by key.
    virtual void map_list(std::string store, std::string owner, Executor& home,
                          Answer<std::vector<MapEntry>> answer) = 0;
    /// A page of a whole store ordered by (owner, key), after the given position; for listings.
    /// Fewer entries than `limit` mean the end.
    virtual void map_scan(std::string store, std::string after_owner, std::string after_key,
                          std::size_t limit, Executor& home,
                          Answer<std::vector<MapEntry>> answer) = 0;
    /// Every owner that has `key` in `store` (an index: who has this contact?).
    virtual void map_holders(std::string store, std::string key, std::size_t limit, Executor& home,
                             Answer<std::vector<MapEntry>> answer) = 0;
    /// Rows with id > after, in id order.
    virtual void log_list(std::string store, std::string owner, std::uint64_t after,
                          std::size_t limit, Executor& home,
                          Answer<std::vector<LogRow>> answer) = 0;
    /// Totals of every owner that has rows in `store`, at most `limit`, by owner.
    virtual void log_totals(std::string store, std::size_t limit, Executor& home,
                            Answer<std::vector<LogTotals>> answer) = 0;
    /// Rows whose expiry has come at `now` of the LifetimeClock, with their owners, oldest first.
    virtual void log_expired(std::string store, UnixMillis now, std::size_t limit, Executor& home,
                             Answer<std::vector<std::pair<std::string, LogRow>>> answer) = 0;

    // What is asked of archives is answered behind every batch that was committed before and may
    // wait.

    /// A page of one owner's archive.
    virtual void archive_page(ArchiveQuery query, Executor& home, Answer<ArchivePage> answer) = 0;
    /// Archives that are not empty, in the order of their owners, after that one, at most `limit`.
    virtual void archive_totals(std::string after_owner, std::size_t limit, Executor& home,
                                Answer<std::vector<ArchiveTotals>> answer) = 0;
    /// Rows of archives that were cleared and are not swept yet.
    virtual void archive_unswept(Executor& home, Answer<std::uint64_t> answer) = 0;
    /// That owner's archive; all 0 if there is none.
    virtual void archive_total(std::string owner, Executor& home, Answer<ArchiveTotals> answer) = 0;
    /// Incoming messages of all owners with id > after, in the order of their ids; without `body`.
    virtual void archive_recent(std::uint64_t after, std::size_t limit, Executor& home,
                                Answer<std::vector<std::pair<std::string, ArchiveRow>>> answer) = 0;

    /// Copies all that is committed when it begins into the new file `path`, absolute and of the
    /// server's machine, which any start can use as its store. Everybody goes on reading and
    /// writing meanwhile. The copy is looked at for damage: a damaged store is copied all the same,
    /// and the answer says so. Failures: refused (something stands there, no permission, no room, a
    /// store that cannot), malformed (no absolute path), retry (another job runs, cancelled, a disk
    /// that fails); after each of them nothing of it is left.
    virtual void backup(std::string path, Executor& home, StoreJob job,
                        Answer<StoreBackup> answer) = 0;
    /// Looks for damage and for what belongs to nobody, and adds up sizes. Reads everything.
    virtual void check(StoreCheck what, Executor& home, StoreJob job,
                       Answer<StoreReport> answer) = 0;

    /// No row id above this one was committed before this store was opened: where IdSource starts.
    [[nodiscard]] virtual std::uint64_t id_floor() const = 0;

    /// Finishes what is queued, then stops; later requests answer Cause::retry.
    virtual void stop() = 0;

    /// Whether it stores what it is given. A batch that is itself at fault says nothing of that.
    [[nodiscard]] virtual StoreHealth health() const = 0;
};

}  // namespace causeway
