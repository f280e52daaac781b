#include "gateway/base/clock.h"

#include <fmt/chrono.h>

namespace causeway {

TimePoint SystemClock::now() const {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

UnixMillis SystemClock::wall() const {
    return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string format_date_time(UnixMillis at) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(Duration{at});
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                       fmt::gmtime(static_cast<std::time_t>(seconds.count())));
}

}  // namespace causeway
