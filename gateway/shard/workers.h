// Workers: a small pool for computations too long for a shard (key derivation). Bounded: when it is
// full the caller is told at once and answers with a temporary failure.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

namespace causeway {

class Workers {
public:
    static constexpr std::size_t queue_limit = 1024;

    /// 0 threads: work runs at once on the caller's thread, for simulations.
    explicit Workers(unsigned threads);
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers();

    /// False if the queue is full.
    bool run(std::function<void()> work);
    /// Ends the threads; work that waits is dropped.
    void stop();

private:
    struct Pool;  ///< costly to include

    std::atomic<std::size_t> waiting_{0};
    std::unique_ptr<Pool> pool_;  ///< none in a simulation
};

}  // namespace causeway
