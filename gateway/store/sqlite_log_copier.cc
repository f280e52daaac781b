#include "gateway/store/sqlite_log_copier.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "gateway/base/log.h"
#include "gateway/store/write_back.h"

namespace causeway {
namespace {

/// The thread's nice value. It still gets a tenth of a processor that others want all of.
constexpr int politeness = 10;

}  // namespace

SqliteLogCopier::SqliteLogCopier(SqliteDatabase database, int file, const StoreLimits& limits)
    : limits_(limits), file_(file), database_(std::move(database)), next_pages_(limits.log_pages) {}

Result<std::unique_ptr<SqliteLogCopier>> SqliteLogCopier::start(const std::string& path, int file,
                                                                const StoreLimits& limits) {
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::read_only, limits);
    if (!database) return database.error();
    // It takes notice of the log with its first question.
    if (const auto read = database->integer("PRAGMA schema_version"); !read) return read.error();
    std::unique_ptr<SqliteLogCopier> copier(
        new SqliteLogCopier(std::move(*database), file, limits));
    copier->thread_ = std::thread([raw = copier.get()] { raw->run(); });
    pthread_setname_np(copier->thread_.native_handle(), "store-copier");
    return copier;
}

SqliteLogCopier::~SqliteLogCopier() { static_cast<void>(stop()); }

bool SqliteLogCopier::stop() {
    {
        const std::lock_guard lock(mutex_);
        thread_is_ = Thread::stopping;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    return !log_stays_;
}

void SqliteLogCopier::run() {
    // It has time: who routes and who commits go first where processors are few.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), politeness);
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return thread_is_ != Thread::idle; });
        if (thread_is_ == Thread::stopping) return;
        const std::int64_t wanted = log_.pages;
        lock.unlock();
        const Result<SqliteLog> copied = database_.copy_log();
        // SQLite has not flushed it if the writer wrote meanwhile; and the writer is not to flush
        // all of it with the rest.
        if (copied) write_back_gently(file_, [this] { return has_time(); });
        const Outcome flushed = copied ? database_.flush_file() : Outcome{};
        lock.lock();
        note(copied, wanted);
        note_flush(flushed);
        // Who holds it up reads on for a while. What came meanwhile is the next thing to copy.
        if (held_up_) next_pages_ = log_.pages + limits_.log_pages / 4;
        if (thread_is_ == Thread::copying) thread_is_ = Thread::idle;
        done_.notify_one();
    }
}

/// Before the writer has to wait for it.
bool SqliteLogCopier::has_time() {
    const std::lock_guard lock(mutex_);
    return thread_is_ != Thread::stopping && log_.pages < limits_.longest_log_pages / 2;
}

void SqliteLogCopier::after_commit(SqliteDatabase& writer) {
    const std::int64_t pages = writer.log_pages();
    std::unique_lock lock(mutex_);
    if (pages < log_.pages) {
        log_.copied = 0;  // it began anew
        next_pages_ = limits_.log_pages;
    }
    log_.pages = pages;
    if (pages < next_pages_ || log_stays_) return;
    const bool too_long = pages >= limits_.longest_log_pages && !held_up_;
    if (thread_is_ == Thread::copying) {
        if (!too_long) return;
        done_.wait(lock, [this] { return thread_is_ != Thread::copying; });
        if (log_stays_) return;
    }
    if (pages - log_.copied > limits_.log_rest_pages && !too_long) {
        thread_is_ = Thread::copying;
        wake_.notify_one();
        return;
    }
    note(writer.copy_log(), pages);
    next_pages_ = log_.pages + limits_.log_pages / 4;
}

void SqliteLogCopier::note_flush(const Outcome& flushed) {
    if (flushed || std::exchange(log_stays_, true)) return;
    CAUSEWAY_LOG(error, "store.log_stays", {"cause", to_string(flushed.cause())},
                 {"why", flushed.why() + "; nothing is lost, but the log grows until the server is "
                                         "started again: see to the disk, then do that"});
}

/// `wanted`: pages that no transaction of the writer held any more. One line when it begins to fail
/// and one when it works again. Nothing is lost by it: the log grows.
void SqliteLogCopier::note(const Result<SqliteLog>& copied, std::int64_t wanted) {
    held_up_ = !copied || copied->copied < wanted;
    if (copied) {
        log_.copied = log_.pages < wanted ? 0 : copied->copied;  // 0: it began anew meanwhile
        if (failed_in_a_row_ == 0) return;
        CAUSEWAY_LOG(info, "store.log_copied", {"failed", failed_in_a_row_});
        failed_in_a_row_ = 0;
    } else if (failed_in_a_row_++ == 0) {
        CAUSEWAY_LOG(error, "store.log_not_copied", {"cause", to_string(copied.error().cause())},
                     {"why", copied.error().why() +
                                 "; nothing is lost, and it is tried again as more is written, "
                                 "until store.log_copied tells that it worked: if that does not "
                                 "follow soon, see to the disk, for the log grows meanwhile"});
    }
}

}  // namespace causeway
