#include "gateway/base/clock.h"

#include <fmt/chrono.h>

#include <algorithm>

namespace causeway {
namespace {

/// Takes a date-time apart from the left.
class DateReader {
public:
    explicit DateReader(std::string_view text) : rest_(text) {}

    /// A number of exactly that many digits.
    std::optional<int> digits(std::size_t count) {
        if (rest_.size() < count) return std::nullopt;
        int value = 0;
        for (const char c : rest_.substr(0, count)) {
            if (c < '0' || c > '9') return std::nullopt;
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }
    bool skip(char wanted) {
        if (!rest_.starts_with(wanted)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    /// What follows a point, as milliseconds; what is finer is dropped.
    std::optional<int> fraction() {
        if (!skip('.')) return 0;
        const std::size_t count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        if (count == 0) return std::nullopt;
        std::string digits(rest_.substr(0, std::min<std::size_t>(count, 3)));
        digits.resize(3, '0');
        rest_.remove_prefix(count);
        return std::stoi(digits);
    }
    /// Minutes east of Greenwich.
    std::optional<int> offset() {
        if (skip('Z')) return 0;
        const int sign = skip('+') ? 1 : skip('-') ? -1 : 0;
        const auto hours = digits(2);
        if (sign == 0 || !hours || !skip(':')) return std::nullopt;
        const auto minutes = digits(2);
        if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
        return sign * (*hours * 60 + *minutes);
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

}  // namespace

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

std::string format_date_time_exactly(UnixMillis at) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(Duration{at});
    std::string text = format_date_time(at);
    text.insert(text.size() - 1, fmt::format(".{:03}", (Duration{at} - seconds).count()));
    return text;
}

std::optional<UnixMillis> parse_date_time(std::string_view text) {
    DateReader reader(text);
    const auto year = reader.digits(4);
    if (!year || !reader.skip('-')) return std::nullopt;
    const auto month = reader.digits(2);
    if (!month || !reader.skip('-')) return std::nullopt;
    const auto day = reader.digits(2);
    if (!day || !reader.skip('T')) return std::nullopt;
    const auto hour = reader.digits(2);
    if (!hour || !reader.skip(':')) return std::nullopt;
    const auto minute = reader.digits(2);
    if (!minute || !reader.skip(':')) return std::nullopt;
    const auto second = reader.digits(2);
    if (!second || *hour > 24 || *minute > 59 || *second > 60) return std::nullopt;
    const auto fraction = reader.fraction();
    const auto offset = fraction ? reader.offset() : std::nullopt;
    if (!offset || !reader.at_end()) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{*year},
                                           std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok()) return std::nullopt;
    const auto at = std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{*hour} +
                    std::chrono::minutes{*minute - *offset} + std::chrono::seconds{*second} +
                    std::chrono::milliseconds{*fraction};
    return std::chrono::duration_cast<Duration>(at).count();
}

}  // namespace causeway
