#include "gateway/store/ids.h"

#include <algorithm>

namespace causeway {

IdSource::IdSource(const Clock& clock, std::uint64_t floor)
    : clock_(clock), floor_(floor), last_(floor) {}

std::uint64_t IdSource::next_id() {
    const auto wall = static_cast<std::uint64_t>(std::max<UnixMillis>(clock_.wall(), 0));
    const std::uint64_t by_clock = wall << 20U;
    std::uint64_t last = last_.load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
        next = std::max(by_clock, last + 1);
    } while (!last_.compare_exchange_weak(last, next, std::memory_order_relaxed));
    return next;
}

}  // namespace causeway
