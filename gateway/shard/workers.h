// Workers: a small pool for computations too long for a shard (key derivation). Bounded: when it is
// full the caller is told at once and answers with a temporary failure.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>

namespace causeway {

class Workers {
public:
    static constexpr std::size_t queue_limit = 1024;

    /// 0 threads: work runs at once on the caller's thread, for simulations.
    explicit Workers(unsigned threads) : inline_(threads == 0), pool_(threads == 0 ? 1 : threads) {}
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers() { stop(); }

    /// False if the queue is full.
    bool run(std::function<void()> work) {
        if (inline_) {
            work();
            return true;
        }
        if (waiting_.fetch_add(1) >= queue_limit) {
            waiting_.fetch_sub(1);
            return false;
        }
        boost::asio::post(pool_, [this, work = std::move(work)] {
            waiting_.fetch_sub(1);
            work();
        });
        return true;
    }
    void stop() {
        pool_.stop();
        pool_.join();
    }

private:
    bool inline_;
    std::atomic<std::size_t> waiting_{0};
    boost::asio::thread_pool pool_;
};

}  // namespace causeway
