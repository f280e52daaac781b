#include "gateway/store/sqlite_jobs.h"

#include <pthread.h>

#include <memory>
#include <utility>

namespace causeway {
namespace {

constexpr Duration between_news{250};

}  // namespace

void SqliteJobContext::tell(StoreProgress progress) {
    if (!job_.progress) return;
    const TimePoint now = SystemClock().now();
    if (now - told_ < between_news) return;
    told_ = now;
    home_.post([tell = job_.progress, progress] { tell(progress); });
}

Outcome SqliteJobs::start(Executor& home, StoreJob job,
                          std::function<Answer(SqliteJobContext&)> work) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Outcome::retry("the store stops");
    if (busy_.exchange(true)) {
        return Outcome::retry("a backup or a check is under way; wait until it ends");
    }
    if (thread_.joinable()) thread_.join();
    auto context = std::make_shared<SqliteJobContext>(stopping_, home, std::move(job));
    thread_ =
        std::thread([this, &home, context = std::move(context), work = std::move(work)]() mutable {
            Answer answer = work(*context);
            busy_ = false;
            // Whoever asked is told of the progress by what belongs to his thread, and ends there.
            home.post([context = std::move(context), answer = std::move(answer)] { answer(); });
        });
    pthread_setname_np(thread_.native_handle(), "store-job");
    return {};
}

void SqliteJobs::stop() {
    stopping_ = true;
    const std::lock_guard lock(mutex_);
    if (thread_.joinable()) thread_.join();
}

}  // namespace causeway
