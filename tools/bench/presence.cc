// Presence fan-out: one account's status changes, delivered to many subscribers. Subscriptions are
// made over the protocol (RFC 6121 §3.1) where an earlier run has not left them.
#include <charconv>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tools/bench/scenarios.h"
#include "tools/bench/session_pool.h"
#include "tools/bench/xml_text.h"

namespace causeway::bench {
namespace {

/// The presentity is client 0, its subscribers are the others.
class Fanout final : public StanzaListener {
public:
    Fanout(SessionPool& pool, const Options& options)
        : pool_(pool),
          options_(options),
          run_(fmt::format("{:x}-", Clock::now().time_since_epoch().count())),
          subscribers_(options.subscribers) {}
    ~Fanout() override { pool_.set_listener(nullptr); }

    /// Sends everybody's presence and makes the subscriptions that are missing.
    Failure prepare() {
        presentity_jid_ = pool_.client(0).bare_jid();
        pool_.set_listener(this);
        // Only a session that has asked for its roster is told of answers to subscription requests.
        for (std::size_t index = 0; index < pool_.size(); ++index) {
            pool_.client(index).send_stanza(
                "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
        }
        if (Failure failure = await([this] { return roster_known_; }, "the roster")) {
            return failure;
        }
        pool_.client(0).send_stanza("<presence/>");
        for (std::size_t index = 1; index < pool_.size(); ++index) {
            pool_.client(index).send_stanza("<presence/>");
            if (!subscribed_.contains(pool_.client(index).bare_jid())) {
                pool_.client(index).send_stanza(
                    fmt::format("<presence to='{}' type='subscribe'/>", presentity_jid_));
                ++subscriptions_made_;
            }
        }
        // Who has seen the presentity once is subscribed and known to be available.
        return pool_.run_while_progressing(
            [this] { return sighted_.size() == subscribers_.size(); },
            [this] { return subscribed_.size() + sighted_.size(); }, "subscriptions");
    }

    /// Broadcasts this many status changes, `in_flight` at once, and waits for all notifications.
    Failure broadcast(unsigned changes) {
        target_ = sent_ + changes;
        for (unsigned i = 0; i < options_.in_flight && sent_ < target_; ++i) {
            send_change();
        }
        return pool_.run_while_progressing(
            [this] { return received_ == target_ * subscribers_.size(); },
            [this] { return received_; }, "notifications");
    }

    [[nodiscard]] unsigned subscriptions_made() const { return subscriptions_made_; }
    [[nodiscard]] LatencyHistogram& latency() { return latency_; }

private:
    Failure await(const std::function<bool()>& done, std::string_view what) {
        return pool_.run_while_progressing(
            done, [] { return std::uint64_t{0}; }, what);
    }

    void send_change() {
        const auto now = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
        pool_.client(0).send_stanza(
            fmt::format("<presence><show>{}</show><status>{}{}-{}</status></presence>",
                        sent_ % 2 == 0 ? "away" : "dnd", run_, sent_, now));
        ++sent_;
    }

    void on_stanza(Client& client, std::string_view stanza) override {
        if (client.index() == 0) {
            take_as_presentity(stanza);
        } else if (is_named(stanza, "presence")) {
            take_as_subscriber(client, stanza);
        }
    }

    void on_acknowledged(Client& /*client*/, std::uint64_t /*count*/) override {}

    void take_as_presentity(std::string_view stanza) {
        const std::string_view type = attribute_of(stanza, "type");
        if (is_named(stanza, "presence") && type == "subscribe") {
            pool_.client(0).send_stanza(
                fmt::format("<presence to='{}' type='subscribed'/>", attribute_of(stanza, "from")));
        } else if (is_named(stanza, "iq") && attribute_of(stanza, "id") == "roster") {
            take_roster(stanza);
        }
    }

    void take_roster(std::string_view stanza) {
        std::set<std::string, std::less<>> ours;
        for (std::size_t index = 1; index < pool_.size(); ++index) {
            ours.insert(pool_.client(index).bare_jid());
        }
        for_each_tag(stanza, "item", [&](std::string_view item) {
            const std::string_view state = attribute_of(item, "subscription");
            const std::string_view jid = attribute_of(item, "jid");
            if ((state == "from" || state == "both") && ours.contains(jid)) {
                subscribed_.emplace(jid);
            }
        });
        roster_known_ = true;
    }

    void take_as_subscriber(Client& client, std::string_view stanza) {
        if (attribute_of(stanza, "type") == "subscribed") {
            subscribed_.insert(client.bare_jid());
            return;
        }
        const std::string_view from = attribute_of(stanza, "from");
        if (from.substr(0, from.find('/')) != presentity_jid_) {
            return;  // one's own
        }
        if (attribute_of(stanza, "type").empty()) {
            sighted_.insert(client.index());
        }
        std::string_view status = text_of(stanza, "status");
        if (!status.starts_with(run_)) {
            return;  // from before the first change
        }
        status.remove_prefix(run_.size());
        std::uint64_t number = 0;
        std::int64_t origin = 0;
        const char* end = status.data() + status.size();
        const auto parsed = std::from_chars(status.data(), end, number);
        if (parsed.ptr != end) {
            std::from_chars(parsed.ptr + 1, end, origin);
        }
        take_notification(client, number, origin);
    }

    void take_notification(Client& client, std::uint64_t number, std::int64_t origin) {
        std::uint64_t& seen = subscribers_[client.index() - 1];
        if (number < seen) {
            return;  // told again, such as in answer to a late probe
        }
        if (number != seen) {
            pool_.fail(fmt::format("{}: status change {} arrived where {} was due",
                                   client.bare_jid(), number, seen));
            return;
        }
        ++seen;
        ++received_;
        const auto now = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
        latency_.record(std::chrono::nanoseconds(now - origin));
        // A change is over when every subscriber has it.
        if (received_ % subscribers_.size() == 0 && sent_ < target_) {
            send_change();
        }
    }

    SessionPool& pool_;
    const Options& options_;
    std::string run_;  // sets this run's changes apart from older ones
    std::string presentity_jid_;
    std::vector<std::uint64_t> subscribers_;  // changes that each has seen
    std::set<std::string, std::less<>> subscribed_;
    std::set<std::size_t> sighted_;  // subscribers that have seen the presentity available
    bool roster_known_ = false;
    unsigned subscriptions_made_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t target_ = 0;
    std::uint64_t received_ = 0;
    LatencyHistogram latency_;
};

}  // namespace

Failure run_presence(Workbench& bench, const Options& options, Report& report) {
    constexpr unsigned warm_up_changes = 10;
    const ServerMeter servers(options.server_processes);
    SessionPool pool(bench);
    for (unsigned number = 0; number <= options.subscribers; ++number) {
        pool.add(client_settings(options, options.server, number, "bench"));
    }
    Fanout fanout(pool, options);
    SpanMeter span(servers);
    if (Failure failure = pool.log_in(options.pace)) {
        return failure;
    }
    if (Failure failure = fanout.prepare()) {
        return failure;
    }
    if (Failure failure = fanout.broadcast(warm_up_changes)) {
        return failure;
    }
    fanout.latency().clear();
    if (Failure failure = span.start()) {
        return failure;
    }
    if (Failure failure = fanout.broadcast(options.count)) {
        return failure;
    }
    if (Failure failure = span.finish()) {
        return failure;
    }
    constexpr double hundred_thousand = 100'000;
    const double notifications = static_cast<double>(options.count) * options.subscribers;
    report.values["tls"] = pool.client(0).tls_description();
    report.values["subscribers"] = options.subscribers;
    report.values["subscriptions_made"] = fanout.subscriptions_made();
    report.values["status_changes"] = options.count;
    report.values["notifications"] = notifications;
    report.values["notifications_per_second"] = notifications / span.seconds();
    report.line = fmt::format("{} status changes to {} subscribers, {:.0f} notifications a second",
                              options.count, options.subscribers, notifications / span.seconds());
    span.describe(report, "server_cpu_seconds_per_100000", notifications, hundred_thousand);
    describe_latency(report, "closed_loop_latency", fanout.latency());
    return pool.close();
}

}  // namespace causeway::bench
