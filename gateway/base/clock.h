// Clock: the only source of time. Tests replace it, so that a three-day expiry takes a millisecond.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace causeway {

using Duration = std::chrono::milliseconds;
/// Monotonic time of a Clock, in milliseconds since an arbitrary start.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// Wall-clock milliseconds since 1970-01-01T00:00:00Z.
using UnixMillis = std::int64_t;

class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;
    [[nodiscard]] virtual TimePoint now() const = 0;
    [[nodiscard]] virtual UnixMillis wall() const = 0;
};

/// The machine's own clocks.
class SystemClock final : public Clock {
public:
    [[nodiscard]] TimePoint now() const override;
    [[nodiscard]] UnixMillis wall() const override;
};

/// XEP-0082 date-time in UTC, such as 2026-01-31T12:00:00Z (milliseconds are dropped).
std::string format_date_time(UnixMillis at);

/// The same with milliseconds, such as 2026-01-31T12:00:00.250Z.
std::string format_date_time_exactly(UnixMillis at);

/// An XEP-0082 date-time with any offset and fraction; nullopt: it is none.
std::optional<UnixMillis> parse_date_time(std::string_view text);

}  // namespace causeway
