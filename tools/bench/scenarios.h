// The scenarios of causeway-bench: each logs in what it needs, measures, closes, and reports.
#pragma once

#include "tools/bench/client.h"
#include "tools/bench/options.h"
#include "tools/bench/report.h"

namespace causeway::bench {

/// Holds sessions that do nothing; memory of the server for each.
[[nodiscard]] Failure run_idle(Workbench& bench, const Options& options, Report& report);

/// Logs in and out again, some at a time; server CPU and time for each login.
[[nodiscard]] Failure run_login(Workbench& bench, const Options& options, Report& report);

/// Closed-loop conversations within one domain, or between two for the s2s scenario.
[[nodiscard]] Failure run_chat(Workbench& bench, const Options& options, Report& report);

/// Messages at a constant rate, with latencies counted from the time each was due.
[[nodiscard]] Failure run_rate(Workbench& bench, const Options& options, Report& report);

/// Status changes of one account, or its personal events, delivered to many subscribers.
[[nodiscard]] Failure run_fanout(Workbench& bench, const Options& options, Report& report);

/// Users with many contacts who become available at once; how soon all have seen all.
[[nodiscard]] Failure run_crowd(Workbench& bench, const Options& options, Report& report);

/// Sessions that go on after the server was ended and started again; how soon, and what was lost.
[[nodiscard]] Failure run_restart(Workbench& bench, const Options& options, Report& report);

}  // namespace causeway::bench
