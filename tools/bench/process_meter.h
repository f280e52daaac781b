// CPU time and memory of the servers under load, read from the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tools/bench/failure.h"

namespace causeway::bench {

struct ProcessUsage {
    double cpu_seconds = 0;  ///< user and system, of all threads, finished ones included
    std::uint64_t resident_bytes = 0;
    std::uint64_t anonymous_bytes = 0;  ///< the part of it that is backed by no file
};

/// Usage of one process; empty if there is no such process or it may not be looked at.
[[nodiscard]] std::optional<ProcessUsage> read_usage(int process);

/// The sum over several processes. No process at all gives zeroes.
class ServerMeter {
public:
    explicit ServerMeter(std::vector<int> processes);

    [[nodiscard]] bool measures() const { return !processes_.empty(); }

    /// Reads all; `usage` is set unless one cannot be read.
    [[nodiscard]] Failure read(ProcessUsage& usage) const;

private:
    std::vector<int> processes_;
};

/// CPU seconds that this process has used.
[[nodiscard]] double own_cpu_seconds();

}  // namespace causeway::bench
