// causeway-bench: puts an XMPP server under load and measures it. Works against any server and
// shares no code with this one, so that a fault of the server cannot hide in its own measuring.
//
// Exit status: 0 done, 1 the run failed (reason on stderr), 2 bad command line.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "tools/bench/command_line.h"
#include "tools/bench/scenarios.h"

namespace {

using causeway::bench::Failure;
using causeway::bench::Options;
using causeway::bench::Report;
using causeway::bench::Scenario;
using causeway::bench::Workbench;

std::string_view name_of(Scenario scenario) {
    switch (scenario) {
        case Scenario::idle: return "idle";
        case Scenario::login: return "login";
        case Scenario::chat: return "chat";
        case Scenario::rate: return "rate";
        case Scenario::presence: return "presence";
        case Scenario::events: return "events";
        case Scenario::s2s: return "s2s";
        case Scenario::restart: return "restart";
        case Scenario::crowd: return "crowd";
    }
    return {};
}

Failure run(Workbench& bench, const Options& options, Report& report) {
    switch (options.scenario) {
        case Scenario::idle: return run_idle(bench, options, report);
        case Scenario::login: return run_login(bench, options, report);
        case Scenario::chat:
        case Scenario::s2s: return run_chat(bench, options, report);
        case Scenario::rate: return run_rate(bench, options, report);
        case Scenario::presence:
        case Scenario::events: return run_fanout(bench, options, report);
        case Scenario::restart: return run_restart(bench, options, report);
        case Scenario::crowd: return run_crowd(bench, options, report);
    }
    return "no such scenario";
}

/// As many descriptors as this user may have, and timers without the kernel's usual slack.
void prepare_process() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    constexpr unsigned long one_nanosecond = 1;
    ::prctl(PR_SET_TIMERSLACK, one_nanosecond);
}

}  // namespace

int main(int argc, char** argv) {
    int exit_status = 0;
    const auto options = causeway::bench::parse_command_line(argc, argv, exit_status);
    if (!options) {
        return exit_status;
    }
    prepare_process();
    Workbench bench;
    bench.timeout = std::chrono::duration_cast<causeway::bench::Clock::duration>(
        std::chrono::duration<double>(options->timeout));
    Report report;
    Failure failure = bench.loop.valid() ? bench.tls.open(options->tls) : "no epoll descriptor";
    if (!failure) {
        failure = run(bench, *options, report);
    }
    if (failure) {
        fmt::print(stderr, "causeway-bench: {}: {}\n", name_of(options->scenario), *failure);
        return 1;
    }
    if (options->json) {
        report.values["scenario"] = name_of(options->scenario);
        report.values["stream_management"] = options->stream_management;
        report.values["certificate_verified"] = bench.tls.verifies();
        fmt::print("{}\n", boost::json::serialize(report.values));
    } else {
        fmt::print("{}{}: {}\n", name_of(options->scenario),
                   options->stream_management ? " with stream management" : "", report.line);
    }
    return 0;
}
