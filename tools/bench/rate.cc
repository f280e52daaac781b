// Open-loop chat: messages fall due at a constant rate whatever the server does, and each latency
// counts from when the message was due, so that a stall is charged to every message it delays.
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "tools/bench/conversations.h"
#include "tools/bench/scenarios.h"

namespace causeway::bench {
namespace {

/// Sends the messages as they fall due, to the pairs in turn.
class Schedule {
public:
    Schedule(EventLoop& loop, Conversations& conversations, double rate, std::uint64_t total)
        : loop_(loop), conversations_(conversations), rate_(rate), total_(total) {
        send_due();
    }
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;
    ~Schedule() {
        if (timer_) {
            loop_.cancel(*timer_);
        }
    }

    [[nodiscard]] bool finished() const { return next_ == total_; }
    [[nodiscard]] LatencyHistogram& lateness() { return lateness_; }

private:
    [[nodiscard]] TimePoint due() const {
        const auto offset = std::chrono::duration<double>(static_cast<double>(next_) / rate_);
        return begin_ + std::chrono::duration_cast<Clock::duration>(offset);
    }

    void send_due() {
        timer_.reset();
        while (!finished() && due() <= Clock::now()) {
            lateness_.record(Clock::now() - due());
            conversations_.send(next_ % conversations_.pairs(), due());
            ++next_;
        }
        if (!finished()) {
            timer_ = loop_.call_at(due(), [this] { send_due(); });
        }
    }

    EventLoop& loop_;
    Conversations& conversations_;
    double rate_;
    std::uint64_t total_;
    std::uint64_t next_ = 0;
    TimePoint begin_ = Clock::now();
    std::optional<EventLoop::TimerId> timer_;
    LatencyHistogram lateness_;  // of the load generator itself, to judge a run by
};

}  // namespace

Failure run_rate(Workbench& bench, const Options& options, Report& report) {
    const ServerMeter servers(options.server_processes);
    SessionPool pool(bench);
    Conversations conversations(bench, pool, options);
    if (Failure failure = conversations.begin()) {
        return failure;
    }
    const auto unmeasured = static_cast<std::uint64_t>(options.rate * options.warm_up);
    const auto measured = static_cast<std::uint64_t>(options.rate * options.duration);
    const std::uint64_t before = conversations.completed();
    Schedule schedule(bench.loop, conversations, options.rate, unmeasured + measured);
    const auto progress = [&] { return conversations.completed(); };
    if (Failure failure = pool.run_while_progressing(
            [&] { return conversations.completed() - before >= unmeasured; }, progress,
            "messages")) {
        return failure;
    }
    SpanMeter span(servers);
    if (Failure failure = span.start()) {
        return failure;
    }
    conversations.latency().clear();
    schedule.lateness().clear();
    if (Failure failure =
            pool.run_while_progressing([&] { return schedule.finished(); }, progress, "messages")) {
        return failure;
    }
    if (Failure failure = conversations.drain()) {
        return failure;
    }
    if (Failure failure = span.finish()) {
        return failure;
    }
    constexpr double hundred_thousand = 100'000;
    report.values["tls"] = pool.client(0).tls_description();
    report.values["pairs"] = options.pairs;
    report.values["rate_per_second"] = options.rate;
    report.values["repeated_requests"] = conversations.repeated_requests();
    report.line = fmt::format("{} pairs, {:.0f} messages a second", options.pairs, options.rate);
    span.describe(report, "server_cpu_seconds_per_100000", static_cast<double>(measured),
                  hundred_thousand);
    describe_latency(report, "latency", conversations.latency());
    describe_latency(report, "sender_lateness", schedule.lateness());
    return pool.close();
}

}  // namespace causeway::bench
