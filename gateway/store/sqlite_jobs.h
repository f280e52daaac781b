// SqliteJobs: the thread on which one long job over a whole SQLite store runs at a time.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/outcome.h"
#include "gateway/store/limits.h"
#include "gateway/store/store_job.h"

namespace causeway {

/// What a running job needs: whether to end, and whom to tell how far it is. Used on its thread.
class SqliteJobContext {
public:
    SqliteJobContext(const std::atomic<bool>& stopping, Executor& home, StoreJob job)
        : stopping_(stopping), home_(home), job_(std::move(job)) {}

    [[nodiscard]] bool cancelled() const { return stopping_ || *job_.cancelled; }
    /// What a cancelled job is answered with.
    [[nodiscard]] static Outcome cancellation() { return Outcome::retry("cancelled"); }
    /// Posts the progress, unless that was done a moment ago.
    void tell(StoreProgress progress);

private:
    const std::atomic<bool>& stopping_;
    Executor& home_;
    const StoreJob job_;
    TimePoint told_{};
};

class SqliteJobs {
public:
    SqliteJobs() = default;
    SqliteJobs(const SqliteJobs&) = delete;
    SqliteJobs& operator=(const SqliteJobs&) = delete;
    ~SqliteJobs() { stop(); }

    /// What a job is done with; it runs at home, when the next job may already begin.
    using Answer = std::function<void()>;

    /// Runs `work` on a thread of its own. Retry if another job runs, or all is stopped.
    Outcome start(Executor& home, StoreJob job, std::function<Answer(SqliteJobContext&)> work);
    /// Cancels the job that runs, and waits for its end.
    void stop();

private:
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> busy_ = false;
    std::mutex mutex_;    ///< guards thread_
    std::thread thread_;  ///< of the latest job
};

}  // namespace causeway
