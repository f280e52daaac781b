// Percentiles within one per cent, at any size.
#include "tools/bench/latency_histogram.h"

#include <doctest/doctest.h>

using namespace causeway::bench;
using std::chrono::hours;
using std::chrono::nanoseconds;

TEST_CASE("an empty histogram has no latency") {
    const LatencyHistogram histogram;
    CHECK(histogram.count() == 0);
    CHECK(histogram.percentile(0.99) == nanoseconds(0));
}

TEST_CASE("percentiles of even samples are where they belong") {
    LatencyHistogram histogram;
    for (int sample = 1; sample <= 100'000; ++sample) {
        histogram.record(nanoseconds(sample));
    }
    CHECK(histogram.count() == 100'000);
    CHECK(histogram.max() == nanoseconds(100'000));
    for (const double fraction : {0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        CAPTURE(fraction);
        const double exact = fraction * 100'000;
        CHECK(static_cast<double>(histogram.percentile(fraction).count()) ==
              doctest::Approx(exact).epsilon(0.01));
    }
}

TEST_CASE("one sample is its own every percentile, within a hundredth, from nanoseconds to hours") {
    for (std::int64_t value = 1; value < std::int64_t{1} << 42; value = value * 3 + 1) {
        CAPTURE(value);
        LatencyHistogram histogram;
        histogram.record(nanoseconds(value));
        CHECK(histogram.percentile(0.5) == nanoseconds(value));  // bounded by the maximum
        histogram.record(nanoseconds(value * 2));
        const auto lower = static_cast<double>(histogram.percentile(0.5).count());
        CHECK(lower >= static_cast<double>(value));
        CHECK(lower <= static_cast<double>(value) * 1.01);
    }
}

TEST_CASE("samples out of range are counted at the ends") {
    LatencyHistogram histogram;
    histogram.record(nanoseconds(-5));
    histogram.record(hours(1000));
    CHECK(histogram.count() == 2);
    CHECK(histogram.percentile(0.5) == nanoseconds(0));
    CHECK(histogram.percentile(1.0) > hours(1));
    histogram.clear();
    CHECK(histogram.count() == 0);
}
