// Closed-loop chat: each pair keeps a number of messages under way, within one domain or between
// two.
#include <iterator>

#include <fmt/format.h>

#include "tools/bench/conversations.h"
#include "tools/bench/scenarios.h"

namespace causeway::bench {
namespace {

Failure measure(SessionPool& pool, const Options& options, Conversations& conversations,
                SpanMeter& span, std::uint64_t& messages) {
    using Seconds = std::chrono::duration<double>;
    const auto as_time = [](double seconds) {
        return std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    };
    if (Failure failure = pool.run_for(as_time(options.warm_up))) {
        return failure;
    }
    if (Failure failure = span.start()) {
        return failure;
    }
    const std::uint64_t before = conversations.completed();
    conversations.latency().clear();
    Failure failure = options.count == 0
                          ? pool.run_for(as_time(options.duration))
                          : pool.run_while_progressing(
                                [&] { return conversations.completed() - before >= options.count; },
                                [&] { return conversations.completed(); }, "messages");
    messages = conversations.completed() - before;
    if (!failure && messages == 0) {
        failure = "no message arrived in the measured time";
    }
    return failure ? failure : span.finish();
}

}  // namespace

Failure run_chat(Workbench& bench, const Options& options, Report& report) {
    const ServerMeter servers(options.server_processes);
    SessionPool pool(bench);
    Conversations conversations(bench, pool, options);
    if (Failure failure = conversations.begin()) {
        return failure;
    }
    bool sending = true;
    conversations.set_on_complete([&](std::size_t pair) {
        if (sending) {
            conversations.send(pair, Clock::now());
        }
    });
    for (unsigned round = 0; round < options.in_flight; ++round) {
        for (std::size_t pair = 0; pair < conversations.pairs(); ++pair) {
            conversations.send(pair, Clock::now());
        }
    }
    SpanMeter span(servers);
    std::uint64_t messages = 0;
    if (Failure failure = measure(pool, options, conversations, span, messages)) {
        return failure;
    }
    const LatencyHistogram latency = conversations.latency();
    sending = false;
    if (Failure failure = conversations.drain()) {
        return failure;
    }
    constexpr double hundred_thousand = 100'000;
    const auto count = static_cast<double>(messages);
    report.values["tls"] = pool.client(0).tls_description();
    report.values["pairs"] = options.pairs;
    report.values["in_flight"] = options.in_flight;
    report.values["messages"] = messages;
    report.values["messages_per_second"] = count / span.seconds();
    report.values["repeated_requests"] = conversations.repeated_requests();
    report.line = fmt::format("{} pairs, {} in flight, {} messages, {:.0f} a second", options.pairs,
                              options.in_flight, messages, count / span.seconds());
    span.describe(report, "server_cpu_seconds_per_100000", count, hundred_thousand);
    describe_latency(report, "closed_loop_latency", latency);
    return pool.close();
}

}  // namespace causeway::bench
