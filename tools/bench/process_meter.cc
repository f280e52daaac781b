// CPU by the process's own clock, which counts nanoseconds; memory by /proc/PID/smaps_rollup, which
// is exact where the counters of /proc/PID/status lag.
#include "tools/bench/process_meter.h"

#include <ctime>

#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace causeway::bench {
namespace {

constexpr std::uint64_t bytes_per_kibibyte = 1024;

std::optional<double> read_clock(clockid_t clock) {
    timespec time{};
    if (::clock_gettime(clock, &time) != 0) {
        return std::nullopt;
    }
    constexpr double nanosecond = 1e-9;
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * nanosecond;
}

}  // namespace

std::optional<ProcessUsage> read_usage(int process) {
    clockid_t clock{};
    if (::clock_getcpuclockid(process, &clock) != 0) {
        return std::nullopt;
    }
    const auto seconds = read_clock(clock);
    std::ifstream memory(fmt::format("/proc/{}/smaps_rollup", process));
    if (!seconds || !memory) {
        return std::nullopt;
    }
    ProcessUsage usage;
    usage.cpu_seconds = *seconds;
    memory.ignore(std::numeric_limits<std::streamsize>::max(), '\n');  // the address range
    std::string name;
    std::string unit;
    std::uint64_t kibibytes = 0;
    while (memory >> name >> kibibytes >> unit) {
        if (name == "Rss:") {
            usage.resident_bytes = kibibytes * bytes_per_kibibyte;
        } else if (name == "Anonymous:") {
            usage.anonymous_bytes = kibibytes * bytes_per_kibibyte;
        }
    }
    return usage;
}

ServerMeter::ServerMeter(std::vector<int> processes) : processes_(std::move(processes)) {}

Failure ServerMeter::read(ProcessUsage& usage) const {
    ProcessUsage sum;
    for (const int process : processes_) {
        const auto one = read_usage(process);
        if (!one) {
            return fmt::format("server process {} is gone or may not be looked at", process);
        }
        sum.cpu_seconds += one->cpu_seconds;
        sum.resident_bytes += one->resident_bytes;
        sum.anonymous_bytes += one->anonymous_bytes;
    }
    usage = sum;
    return std::nullopt;
}

double own_cpu_seconds() { return read_clock(CLOCK_PROCESS_CPUTIME_ID).value_or(0); }

}  // namespace causeway::bench
