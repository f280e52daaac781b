// Everybody comes at once: accounts with many contacts each become available in the same moment,
// and wait until they have seen all of them. The rosters are there before: account N and the next
// ones, half of `contacts` of them, are contacts of each other, and the last ones are those of the
// first.
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "tools/bench/scenarios.h"
#include "tools/bench/session_pool.h"
#include "tools/bench/xml_text.h"

namespace causeway::bench {
namespace {

class Crowd final : public StanzaListener {
public:
    Crowd(SessionPool& pool, unsigned contacts) : pool_(pool), contacts_(contacts) {
        for (std::size_t index = 0; index < pool.size(); ++index) {
            numbers_.emplace(pool.client(index).bare_jid(), index);
        }
        seen_.assign(pool.size(), std::vector<bool>(pool.size()));
        pool.set_listener(this);
    }
    ~Crowd() override { pool_.set_listener(nullptr); }

    /// All presence is sent in one turn; it is over when each has seen each of its contacts.
    Failure come() {
        began_ = Clock::now();
        for (std::size_t index = 0; index < pool_.size(); ++index) {
            pool_.client(index).send_stanza("<presence/>");
        }
        return pool_.run_while_progressing([this] { return sightings_ == expected(); },
                                           [this] { return sightings_; }, "presence of contacts");
    }

    [[nodiscard]] std::uint64_t expected() const { return std::uint64_t{pool_.size()} * contacts_; }
    [[nodiscard]] std::uint64_t received() const { return received_; }
    [[nodiscard]] LatencyHistogram& latency() { return latency_; }

private:
    void on_stanza(Client& client, std::string_view stanza) override {
        if (!is_named(stanza, "presence") || !attribute_of(stanza, "type").empty()) {
            return;
        }
        ++received_;
        const std::string_view from = attribute_of(stanza, "from");
        const auto found = numbers_.find(std::string(from.substr(0, from.find('/'))));
        if (found == numbers_.end() || found->second == client.index() ||
            seen_[client.index()][found->second]) {
            return;
        }
        seen_[client.index()][found->second] = true;
        ++sightings_;
        latency_.record(Clock::now() - began_);
    }

    void on_acknowledged(Client& /*client*/, std::uint64_t /*count*/) override {}

    SessionPool& pool_;
    unsigned contacts_;
    std::unordered_map<std::string, std::size_t> numbers_;
    std::vector<std::vector<bool>> seen_;
    TimePoint began_;
    std::uint64_t sightings_ = 0;
    std::uint64_t received_ = 0;
    LatencyHistogram latency_;
};

}  // namespace

Failure run_crowd(Workbench& bench, const Options& options, Report& report) {
    const ServerMeter servers(options.server_processes);
    SessionPool pool(bench);
    for (unsigned number = 0; number < options.sessions; ++number) {
        pool.add(client_settings(options, options.server, number, "bench"));
    }
    if (Failure failure = pool.log_in(options.pace)) {
        return failure;
    }
    Crowd crowd(pool, options.contacts);
    SpanMeter span(servers);
    if (Failure failure = span.start()) {
        return failure;
    }
    if (Failure failure = crowd.come()) {
        return failure;
    }
    if (Failure failure = span.finish()) {
        return failure;
    }
    ProcessUsage usage;
    if (Failure failure = servers.read(usage)) {
        return failure;
    }
    report.values["sessions"] = options.sessions;
    report.values["contacts"] = options.contacts;
    report.values["presence_received"] = crowd.received();
    report.values["steady_seconds"] = span.seconds();
    report.values["resident_bytes"] = usage.resident_bytes;
    report.line = fmt::format("{} users with {} contacts each have seen all of them after {:.2f} s",
                              options.sessions, options.contacts, span.seconds());
    constexpr double hundred_thousand = 100'000;
    span.describe(report, "server_cpu_seconds_per_100000", static_cast<double>(crowd.received()),
                  hundred_thousand);
    describe_latency(report, "sighting_latency", crowd.latency());
    return pool.close();
}

}  // namespace causeway::bench
