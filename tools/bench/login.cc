// Logging in and out: TCP, a full TLS handshake, SASL, resource binding, and an orderly close.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tools/bench/scenarios.h"
#include "tools/bench/xml_text.h"

namespace causeway::bench {
namespace {

/// Keeps a number of logins under way, each on an account in turn.
class LoginWheel final : private ClientListener {
public:
    LoginWheel(Workbench& bench, const Options& options) : bench_(bench), options_(options) {
        ClientListener& listener = *this;
        for (std::size_t index = 0; index < options.pace.concurrency; ++index) {
            clients_.push_back(std::make_unique<Client>(
                bench, client_settings(options, options.server, 0, {}), index, listener));
        }
    }

    /// Performs this many logins and closes all of them.
    Failure run(unsigned logins) {
        left_ = logins;
        latency_.clear();
        for (const auto& client : clients_) {
            start_next(*client);
        }
        while (!failure_) {
            const std::uint64_t before = ended_;
            if (bench_.loop.run_until([this] { return running_ == 0; },
                                      Clock::now() + 2 * bench_.timeout)) {
                break;
            }
            if (!failure_ && ended_ == before) {
                failure_ = "timed out waiting for logins";
            }
        }
        return failure_;
    }

    [[nodiscard]] const LatencyHistogram& latency() const { return latency_; }
    [[nodiscard]] const std::string& tls() const { return tls_; }

private:
    void start_next(Client& client) {
        if (left_ == 0 || failure_) {
            return;
        }
        --left_;
        ++running_;
        const unsigned account = options_.first_user + serial_ % options_.accounts;
        client.set_account(expand_pattern(options_.user_pattern, account),
                           expand_pattern(options_.password_pattern, account),
                           fmt::format("bench-{}", serial_));
        ++serial_;
        client.start();
    }

    void on_ready(Client& client) override {
        latency_.record(Clock::now() - client.started_at());
        if (tls_.empty()) {
            tls_ = client.tls_description();
        }
        client.close();
    }

    void on_stanza(Client& /*client*/, std::string_view /*stanza*/) override {}
    void on_acknowledged(Client& /*client*/, std::uint64_t /*count*/) override {}

    void on_ended(Client& client, const std::string& reason) override {
        --running_;
        ++ended_;
        if (!reason.empty()) {
            failure_ = reason;
            bench_.loop.stop();
            return;
        }
        // The client is still on the stack here; it starts again when it no longer is.
        bench_.loop.after_turn([this, &client] { start_next(client); });
    }

    Workbench& bench_;
    const Options& options_;
    std::vector<std::unique_ptr<Client>> clients_;
    LatencyHistogram latency_;
    Failure failure_;
    std::string tls_;
    unsigned left_ = 0;
    unsigned serial_ = 0;
    std::size_t running_ = 0;
    std::uint64_t ended_ = 0;
};

}  // namespace

Failure run_login(Workbench& bench, const Options& options, Report& report) {
    const ServerMeter servers(options.server_processes);
    LoginWheel wheel(bench, options);
    // Each account once beforehand: servers load it, and the load generator derives its keys.
    if (Failure failure = wheel.run(options.accounts)) {
        return failure;
    }
    SpanMeter span(servers);
    if (Failure failure = span.start()) {
        return failure;
    }
    if (Failure failure = wheel.run(options.count)) {
        return failure;
    }
    if (Failure failure = span.finish()) {
        return failure;
    }
    constexpr double milliseconds = 1000;
    report.values["tls"] = wheel.tls();
    report.values["mechanism"] = name_of(options.mechanism);
    report.values["logins"] = options.count;
    report.values["logins_per_second"] = options.count / span.seconds();
    report.line =
        fmt::format("{} logins, {:.0f} a second", options.count, options.count / span.seconds());
    span.describe(report, "server_cpu_ms_per_login", options.count, milliseconds);
    describe_latency(report, "login_latency", wheel.latency());
    return std::nullopt;
}

}  // namespace causeway::bench
