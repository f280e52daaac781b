// DoneRows: rows of the store that were erased a moment ago. A question that was asked before may
// still list them: it reads in a thread of its own, and its answer can come behind that of the
// commit which erased them. What it lists then is not to be sent once more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_set>
#include <utility>

#include "gateway/base/clock.h"

namespace causeway {

class DoneRows {
public:
    /// No question takes that long.
    static constexpr Duration remembered_for{10'000};
    /// Beyond that the oldest are forgotten earlier.
    static constexpr std::size_t at_most = 65536;

    void add(std::uint64_t row, TimePoint now) {
        if (!rows_.insert(row).second) return;
        order_.emplace_back(now, row);
        while (order_.size() > at_most || order_.front().first + remembered_for < now) {
            rows_.erase(order_.front().second);
            order_.pop_front();
        }
    }
    [[nodiscard]] bool contains(std::uint64_t row) const { return rows_.contains(row); }

private:
    std::unordered_set<std::uint64_t> rows_;
    std::deque<std::pair<TimePoint, std::uint64_t>> order_;  ///< the oldest first
};

}  // namespace causeway
