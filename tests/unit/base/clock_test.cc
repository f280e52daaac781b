#include "gateway/base/clock.h"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>

namespace causeway::test {

TEST_CASE("clock: dates are written as XEP-0082 wants them") {
    CHECK(format_date_time(0) == "1970-01-01T00:00:00Z");
    CHECK(format_date_time(1'000) == "1970-01-01T00:00:01Z");
    CHECK(format_date_time(951'782'400'000) == "2000-02-29T00:00:00Z");
    CHECK(format_date_time(1'769'860'800'000) == "2026-01-31T12:00:00Z");
    CHECK(format_date_time(4'107'542'399'999) == "2100-02-28T23:59:59Z");
}

TEST_CASE("clock: milliseconds are dropped, before 1970 too") {
    CHECK(format_date_time(1'999) == "1970-01-01T00:00:01Z");
    CHECK(format_date_time(-1) == "1969-12-31T23:59:59Z");
    CHECK(format_date_time(-1'000) == "1969-12-31T23:59:59Z");
    CHECK(format_date_time(-1'001) == "1969-12-31T23:59:58Z");
}

TEST_CASE("clock: a time that no calendar holds is written all the same") {
    // Times come from stored rows and from peers; none may end the process.
    CHECK(!format_date_time(std::numeric_limits<UnixMillis>::max()).empty());
    CHECK(!format_date_time(std::numeric_limits<UnixMillis>::min()).empty());
}

TEST_CASE("clock: the machine's clocks tell the machine's time") {
    const SystemClock clock;
    const auto millis = [] {
        return std::chrono::duration_cast<Duration>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    };
    const UnixMillis before = millis();
    const UnixMillis wall = clock.wall();
    CHECK(before <= wall);
    CHECK(wall <= millis());
    const TimePoint first = clock.now();
    CHECK(clock.now() >= first);
}

TEST_CASE("clock: dates are read as XEP-0082 has them") {
    CHECK(parse_date_time("1970-01-01T00:00:00Z") == 0);
    CHECK(parse_date_time("2026-01-31T12:00:00Z") == 1'769'860'800'000);
    CHECK(parse_date_time("2026-01-31T12:00:00.5Z") == 1'769'860'800'500);
    CHECK(parse_date_time("2026-01-31T12:00:00.123987Z") == 1'769'860'800'123);
    CHECK(parse_date_time("2026-01-31T14:30:00+02:30") == 1'769'860'800'000);
    CHECK(parse_date_time("2026-01-31T11:00:00-01:00") == 1'769'860'800'000);
    CHECK(parse_date_time("2016-12-31T23:59:60Z") == 1'483'228'800'000);  // a leap second
    CHECK(parse_date_time("1969-12-31T23:59:59Z") == -1000);
    for (const char* bad :
         {"", "2026", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z",
          "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-31T25:00:00Z",
          "2026-01-31T12:60:00Z", "2026-01-31T12:00:61Z", "2026-01-31T12:00:00.Z",
          "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+0100", "2026-01-31T12:00:00Zx",
          "+026-01-31T12:00:00Z", "20260131T12:00:00", "99999-01-01T00:00:00Z"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_date_time(bad).has_value());
    }
    CHECK(format_date_time_exactly(1'769'860'800'007) == "2026-01-31T12:00:00.007Z");
    CHECK(format_date_time_exactly(-1) == "1969-12-31T23:59:59.999Z");
}

}  // namespace causeway::test
