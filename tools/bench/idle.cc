// Idle sessions: what each costs the server in memory, and all of them in CPU.
#include <fmt/format.h>

#include "tools/bench/scenarios.h"
#include "tools/bench/session_pool.h"

namespace causeway::bench {
namespace {

constexpr double bytes_per_kibibyte = 1024;

Clock::duration as_time(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// Grows the pool to `sessions`, lets the server come to rest, and reads its usage.
Failure grow(SessionPool& pool, const Options& options, const ServerMeter& servers,
             unsigned sessions, ProcessUsage& usage) {
    const auto first = static_cast<unsigned>(pool.size());
    for (unsigned number = first; number < sessions; ++number) {
        pool.add(client_settings(options, options.server, number, "bench"));
    }
    if (Failure failure = pool.log_in(options.pace)) {
        return failure;
    }
    for (unsigned number = first; options.presence && number < sessions; ++number) {
        pool.client(number).send_stanza("<presence/>");
    }
    if (Failure failure = pool.run_for(as_time(options.settle))) {
        return failure;
    }
    return servers.read(usage);
}

double kibibytes_each(std::uint64_t after, std::uint64_t before, unsigned sessions) {
    const double grown = static_cast<double>(after) - static_cast<double>(before);
    return grown / bytes_per_kibibyte / sessions;
}

}  // namespace

Failure run_idle(Workbench& bench, const Options& options, Report& report) {
    const ServerMeter servers(options.server_processes);
    ProcessUsage empty;
    if (Failure failure = servers.read(empty)) {
        return failure;
    }
    SessionPool pool(bench);
    ProcessUsage base = empty;
    if (options.baseline > 0) {
        if (Failure failure = grow(pool, options, servers, options.baseline, base)) {
            return failure;
        }
    }
    ProcessUsage full;
    if (Failure failure = grow(pool, options, servers, options.sessions, full)) {
        return failure;
    }
    SpanMeter span(servers);
    if (Failure failure = span.start()) {
        return failure;
    }
    if (Failure failure = pool.run_for(as_time(options.hold))) {
        return failure;
    }
    if (Failure failure = span.finish()) {
        return failure;
    }
    report.values["tls"] = pool.client(0).tls_description();
    report.values["sessions"] = options.sessions;
    report.values["baseline_sessions"] = options.baseline;
    report.line = fmt::format("{} idle sessions", options.sessions);
    if (servers.measures()) {
        const unsigned added = options.sessions - options.baseline;
        const double resident = kibibytes_each(full.resident_bytes, base.resident_bytes, added);
        report.values["resident_bytes_without_sessions"] = empty.resident_bytes;
        report.values["resident_bytes_at_baseline"] = base.resident_bytes;
        report.values["resident_bytes"] = full.resident_bytes;
        report.values["anonymous_bytes"] = full.anonymous_bytes;
        report.values["resident_kib_per_session"] = resident;
        report.values["anonymous_kib_per_session"] =
            kibibytes_each(full.anonymous_bytes, base.anonymous_bytes, added);
        report.line += fmt::format(
            ", {:.1f} KiB resident for each from {} to {} ({:.1f} MiB in all)", resident,
            options.baseline, options.sessions,
            static_cast<double>(full.resident_bytes) / bytes_per_kibibyte / bytes_per_kibibyte);
    }
    if (options.hold > 0) {
        constexpr double thousand = 1000;
        span.describe(report, "idle_cpu_ms_per_second", span.seconds(), thousand);
    }
    return pool.close();
}

}  // namespace causeway::bench
