#include "gateway/store/ids.h"

#include <algorithm>

namespace causeway {

namespace {

// Of the 2^20 ids of a millisecond. Those that follow one another take 512 on average, so that 2000
// fit before ids run ahead of the clock.
constexpr std::uint64_t within_a_millisecond = (1U << 20U) - 1;
constexpr std::uint64_t between_two = (1U << 10U) - 1;

/// The finalizer of splitmix64 (Steele, Lea and Flood 2014): each bit of the result hangs on all of
/// the argument.
std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
}

}  // namespace

IdSource::IdSource(const Clock& clock, std::uint64_t floor, std::uint64_t secret)
    : clock_(clock), secret_(secret), floor_(floor), last_(floor) {}

std::uint64_t IdSource::step(std::uint64_t least, std::uint64_t most) const {
    return secret_ == 0 ? 0 : mix(mix(least ^ secret_) + secret_) & most;
}

std::uint64_t IdSource::next_id() {
    const auto wall = static_cast<std::uint64_t>(std::max<UnixMillis>(clock_.wall(), 0));
    const std::uint64_t by_clock = (wall << 20U) + step(wall, within_a_millisecond);
    std::uint64_t last = last_.load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
        next = std::max(by_clock, last + 1 + step(last, between_two));
    } while (!last_.compare_exchange_weak(last, next, std::memory_order_relaxed));
    return next;
}

}  // namespace causeway
