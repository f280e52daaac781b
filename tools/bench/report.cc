// Results and spans.
#include "tools/bench/report.h"

#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace causeway::bench {
namespace {

double microseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::micro>(time).count();
}

double rounded(double value) {
    constexpr double steps = 1e6;
    return std::round(value * steps) / steps;
}

}  // namespace

Failure SpanMeter::start() {
    began_ = Clock::now();
    own_cpu_ = own_cpu_seconds();
    return servers_.read(usage_);
}

Failure SpanMeter::finish() {
    ProcessUsage now;
    Failure failure = servers_.read(now);
    seconds_ = std::chrono::duration<double>(Clock::now() - began_).count();
    own_cpu_seconds_ = own_cpu_seconds() - own_cpu_;
    server_cpu_seconds_ = now.cpu_seconds - usage_.cpu_seconds;
    return failure;
}

void SpanMeter::describe(Report& report, std::string_view cpu_name, double units,
                         double scale) const {
    report.values["seconds"] = rounded(seconds_);
    report.values["load_utilisation"] = rounded(own_cpu_seconds_ / seconds_);
    fmt::format_to(std::back_inserter(report.line), ", {:.1f} s, load generator busy {:.0f} %",
                   seconds_, 100 * own_cpu_seconds_ / seconds_);
    if (servers_.measures()) {
        const double cost = units > 0 ? server_cpu_seconds_ / units * scale : 0;
        report.values["server_cpu_seconds"] = rounded(server_cpu_seconds_);
        report.values["server_utilisation"] = rounded(server_cpu_seconds_ / seconds_);
        report.values[cpu_name] = rounded(cost);
        fmt::format_to(std::back_inserter(report.line), ", server busy {:.0f} %, {} {:.3f}",
                       100 * server_cpu_seconds_ / seconds_, cpu_name, cost);
    }
}

void describe_latency(Report& report, std::string_view name, const LatencyHistogram& latency) {
    struct Percentile {
        std::string_view name;
        double fraction;
    };
    static constexpr Percentile percentiles[] = {
        {"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}};
    boost::json::object values;
    fmt::format_to(std::back_inserter(report.line), ", {}", name);
    for (const Percentile& percentile : percentiles) {
        const double value = microseconds(latency.percentile(percentile.fraction));
        values[percentile.name] = rounded(value);
        fmt::format_to(std::back_inserter(report.line), " {} {:.0f}", percentile.name, value);
    }
    values["max_us"] = rounded(microseconds(latency.max()));
    values["samples"] = latency.count();
    report.values[name] = std::move(values);
}

}  // namespace causeway::bench
