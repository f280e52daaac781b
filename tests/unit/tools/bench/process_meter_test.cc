// Reading the usage of processes.
#include "tools/bench/process_meter.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <vector>

using namespace causeway::bench;

TEST_CASE("this process has memory, and its CPU time grows with work") {
    const auto before = read_usage(::getpid());
    REQUIRE(before);
    CHECK(before->resident_bytes > 0);
    CHECK(before->anonymous_bytes <= before->resident_bytes);
    while (own_cpu_seconds() < before->cpu_seconds + 0.01) {
    }
    const auto after = read_usage(::getpid());
    REQUIRE(after);
    CHECK(after->cpu_seconds >= before->cpu_seconds + 0.01);
}

TEST_CASE("touched memory is counted") {
    const auto before = read_usage(::getpid());
    constexpr std::size_t size = std::size_t{8} << 20U;
    const std::vector<char> memory(size, 'x');
    const auto after = read_usage(::getpid());
    REQUIRE((before && after));
    CHECK(after->anonymous_bytes >= before->anonymous_bytes + size / 2);
    CHECK(memory.back() == 'x');
}

TEST_CASE("several processes are summed, and one that is gone is a failure") {
    ProcessUsage once;
    ProcessUsage twice;
    CHECK_FALSE(ServerMeter({::getpid()}).read(once));
    CHECK_FALSE(ServerMeter({::getpid(), ::getpid()}).read(twice));
    CHECK(twice.resident_bytes > once.resident_bytes);
    constexpr int no_process = 0x3fffffff;
    CHECK_FALSE(read_usage(no_process));
    CHECK(ServerMeter({::getpid(), no_process}).read(once));
    CHECK_FALSE(ServerMeter({}).measures());
}
