#include "gateway/shard/workers.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>

namespace causeway {

struct Workers::Pool {
    explicit Pool(unsigned count) : threads(count) {}
    boost::asio::thread_pool threads;
};

Workers::Workers(unsigned threads)
    : pool_(threads == 0 ? nullptr : std::make_unique<Pool>(threads)) {}

Workers::~Workers() { stop(); }

bool Workers::run(std::function<void()> work) {
    if (pool_ == nullptr) {
        work();
        return true;
    }
    if (waiting_.fetch_add(1) >= queue_limit) {
        waiting_.fetch_sub(1);
        return false;
    }
    boost::asio::post(pool_->threads, [this, work = std::move(work)] {
        waiting_.fetch_sub(1);
        work();
    });
    return true;
}

void Workers::stop() {
    if (pool_ == nullptr) return;
    pool_->threads.stop();
    pool_->threads.join();
}

}  // namespace causeway
