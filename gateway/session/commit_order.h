// CommitOrder: which commits of a ledger have not been answered, and what waits for those that were
// given to the store before it. Answers need not come in the order of the commits: one that a full
// queue refuses is answered at once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <utility>

namespace causeway {

class CommitOrder {
public:
    /// A commit is given to the store. Its number, for ended().
    std::uint64_t begun() {
        open_.insert(++last_);
        return last_;
    }
    /// It was answered, however. Runs what waited for it and has nothing else to wait for.
    void ended(std::uint64_t number) {
        open_.erase(number);
        while (!waiting_.empty() && (open_.empty() || waiting_.front().after < *open_.begin())) {
            const Waiting next = std::move(waiting_.front());
            waiting_.pop_front();
            next.task();
        }
    }
    [[nodiscard]] bool idle() const { return open_.empty(); }
    /// Runs `task` once all commits that have begun are answered: now, if there is none.
    void when_answered(std::function<void()> task) {
        if (open_.empty()) {
            task();
        } else {
            waiting_.push_back({.after = last_, .task = std::move(task)});
        }
    }

private:
    struct Waiting {
        std::uint64_t after;  ///< the number of the last commit that it waits for
        std::function<void()> task;
    };

    std::set<std::uint64_t> open_;
    std::uint64_t last_ = 0;
    std::deque<Waiting> waiting_;
};

}  // namespace causeway
