// What a scenario found, as one JSON object or one readable line, and the measuring of CPU over a
// span.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "tools/bench/event_loop.h"
#include "tools/bench/latency_histogram.h"
#include "tools/bench/process_meter.h"

namespace causeway::bench {

struct Report {
    boost::json::object values;  ///< keys end in their unit
    std::string line;            ///< the same for people
};

/// CPU and wall time from `start` to `finish`.
class SpanMeter {
public:
    explicit SpanMeter(const ServerMeter& servers) : servers_(servers) {}

    [[nodiscard]] Failure start();
    [[nodiscard]] Failure finish();

    [[nodiscard]] double seconds() const { return seconds_; }
    [[nodiscard]] double server_cpu_seconds() const { return server_cpu_seconds_; }

    /// Adds times and utilisations, and, where servers are measured, `cpu_name`: server CPU seconds
    /// for each unit of work, times `scale`.
    void describe(Report& report, std::string_view cpu_name, double units, double scale) const;

private:
    const ServerMeter& servers_;
    TimePoint began_;
    ProcessUsage usage_;
    double own_cpu_ = 0;
    double seconds_ = 0;
    double server_cpu_seconds_ = 0;
    double own_cpu_seconds_ = 0;
};

/// Adds percentiles in microseconds under `name`, and to the line.
void describe_latency(Report& report, std::string_view name, const LatencyHistogram& latency);

}  // namespace causeway::bench
