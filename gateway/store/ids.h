// IdSource: ids of stored rows. An id is the wall clock's milliseconds shifted left by 20, made
// larger than every id before it: rising even when the clock stands still or steps back, 63 bits
// until the year 2248. With a secret, nobody who saw some can tell the others (XEP-0313 §3.1: an id
// must not be predictable): where ids are far apart their low 20 bits look random, and where they
// follow one another closely so does the step. Thread-safe, without a lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "gateway/base/clock.h"

namespace causeway {

class IdSource {
public:
    /// `floor`: ids start above it. Give it Store::id_floor(), so that a clock that was set back
    /// while the process was down cannot put new rows before old ones. The clock is borrowed.
    /// `secret`: of random_bytes(); 0: none, and the next id is the lowest that there may be.
    explicit IdSource(const Clock& clock, std::uint64_t floor = 0, std::uint64_t secret = 0);

    /// Larger than every id that this source returned before, on whichever thread.
    std::uint64_t next_id();
    /// Below every id of this source, and not below any that stood in the store at its start.
    [[nodiscard]] std::uint64_t floor() const { return floor_; }

private:
    /// What is added to make an id that may not be below `least`: at most `most`, a mask.
    [[nodiscard]] std::uint64_t step(std::uint64_t least, std::uint64_t most) const;

    const Clock& clock_;
    const std::uint64_t secret_;
    const std::uint64_t floor_;
    std::atomic<std::uint64_t> last_;
};

/// Distance of the ids of two moments that lie so far apart.
constexpr std::uint64_t id_distance(Duration apart) {
    return static_cast<std::uint64_t>(apart.count()) << 20U;
}

/// The wall time at which an id was made (later than the truth only while the clock was behind).
constexpr UnixMillis time_of_id(std::uint64_t id) { return static_cast<UnixMillis>(id >> 20U); }

}  // namespace causeway
