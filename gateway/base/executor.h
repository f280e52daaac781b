// Executor: where a callback runs. Each shard is one; work done elsewhere (disk, key derivation)
// comes home through it.
#pragma once

#include <functional>

namespace causeway {

class Executor {
public:
    Executor() = default;
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    virtual ~Executor() = default;

    /// Runs `task` on this executor's thread, later, in the order of the calls. Callable from any
    /// thread. A task posted after the executor stopped is destroyed without being run.
    virtual void post(std::function<void()> task) = 0;
};

}  // namespace causeway
