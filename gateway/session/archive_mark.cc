#include "gateway/session/archive_mark.h"

#include <algorithm>

namespace causeway {

ArchiveMark::ArchiveMark(unsigned shards) : lowest_(shards) {
    for (auto& one : lowest_) one.store(none);
}

bool ArchiveMark::admit(unsigned shard, std::uint64_t row, std::uint64_t lowest) {
    if (lowest_[shard].load(std::memory_order_relaxed) > lowest) lowest_[shard].store(lowest);
    return row > mark_.load();
}

std::optional<std::uint64_t> ArchiveMark::advance(unsigned shard, std::uint64_t lowest,
                                                  std::uint64_t newest) {
    lowest_[shard].store(lowest);
    if (recovering_) return std::nullopt;
    const std::lock_guard lock(moving_);
    const auto possible = [&] {
        std::uint64_t mark = newest;
        for (const auto& one : lowest_) {
            if (const std::uint64_t id = one.load(); id != none) mark = std::min(mark, id - 1);
        }
        return mark;
    };
    const std::uint64_t before = mark_.load();
    const std::uint64_t after = possible();
    if (after <= before) return std::nullopt;
    mark_.store(after);
    if (possible() >= after) return after;
    mark_.store(before);  // one came meanwhile; the next look moves the mark
    return std::nullopt;
}

void ArchiveMark::stored(std::uint64_t mark) {
    // Commits of several shards are answered in any order.
    const std::lock_guard lock(moving_);
    if (mark > stored_.load()) stored_.store(mark);
}

void UnlistedMessages::add(const Message& message) {
    messages_.push_back(message);
    note(message.row);
}

void ArchiveMark::recovered(std::uint64_t mark) {
    std::vector<std::pair<Executor*, std::function<void()>>> waiting;
    {
        const std::lock_guard lock(moving_);
        mark_.store(mark);
        stored_.store(mark);
        recovering_ = false;
        waiting.swap(waiting_);
    }
    for (auto& [home, task] : waiting) home->post(std::move(task));
}

void ArchiveMark::when_recovered(Executor& home, std::function<void()> task) {
    {
        const std::lock_guard lock(moving_);
        if (recovering_) {
            waiting_.emplace_back(&home, std::move(task));
            return;
        }
    }
    task();
}

}  // namespace causeway
