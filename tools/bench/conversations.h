// Pairs of sessions that send each other numbered messages, and the check that every message
// arrives once and in order. Chat, rate and s2s scenarios differ only in when they send.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/latency_histogram.h"
#include "tools/bench/options.h"
#include "tools/bench/session_pool.h"

namespace causeway::bench {

class Conversations final : public StanzaListener {
public:
    Conversations(Workbench& bench, SessionPool& pool, const Options& options);
    ~Conversations() override;

    /// Adds the sessions to the pool and logs them in, begins to listen to them, sends presence
    /// where wanted, and has every pair exchange one message, so that routes and links between
    /// servers stand.
    [[nodiscard]] Failure begin();

    /// Sends the next message of a pair. `origin` is the time from which its latency counts.
    void send(std::size_t pair, TimePoint origin);

    /// Called with a pair when one more of its messages is complete: received and, with stream
    /// management, acknowledged to the sender.
    void set_on_complete(std::function<void(std::size_t)> action) {
        on_complete_ = std::move(action);
    }

    /// Waits until every message sent is complete.
    [[nodiscard]] Failure drain();

    [[nodiscard]] std::size_t pairs() const { return pairs_.size(); }
    [[nodiscard]] std::uint64_t completed() const { return completed_; }
    [[nodiscard]] LatencyHistogram& latency() { return latency_; }

    /// Acknowledgements asked for again, because a pair had waited for one for a while.
    [[nodiscard]] std::uint64_t repeated_requests() const { return repeated_requests_; }

private:
    struct Pair {
        std::string message_start;  // up to the message's id
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
        std::uint64_t acknowledged = 0;
        std::uint64_t completed = 0;
        std::uint64_t completed_at_last_look = 0;
        std::uint64_t stanzas_before = 0;  // of the sender, when its messages began
    };

    /// Senders at even and receivers at odd indices.
    void add_sessions();
    void on_stanza(Client& client, std::string_view stanza) override;
    void on_acknowledged(Client& client, std::uint64_t count) override;
    void take_message(std::size_t index, std::string_view stanza);
    void complete(std::size_t index);
    void watch_acknowledgements();

    Workbench& bench_;
    SessionPool& pool_;
    const Options& options_;
    std::vector<Pair> pairs_;
    std::string run_;  // sets this run's messages apart from older ones
    std::string message_end_;
    std::string scratch_;
    std::function<void(std::size_t)> on_complete_;
    std::optional<EventLoop::TimerId> watch_;
    LatencyHistogram latency_;
    std::uint64_t sent_ = 0;
    std::uint64_t completed_ = 0;
    std::uint64_t repeated_requests_ = 0;
};

}  // namespace causeway::bench
