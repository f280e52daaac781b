// Fan-out: one account's status changes, or its personal events (XEP-0163), delivered to many
// subscribers, of whom some may be of another domain. Subscriptions are made over the protocol
// (RFC 6121 §3.1) where an earlier run has not left them. For events they go both ways: a server
// may learn what a contact wants to be told from the presence that its user gets of it alone
// (XEP-0163 §4.3), and Prosody and ejabberd do.
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tools/bench/scenarios.h"
#include "tools/bench/scram.h"
#include "tools/bench/session_pool.h"
#include "tools/bench/xml_text.h"

namespace causeway::bench {
namespace {

/// Requests to subscribe that may wait for an answer at a time. A server need not keep thousands
/// for one account, and says nothing of those that it does not keep.
constexpr std::size_t requests_at_once = 200;

/// Events until the server knows of every contact that it wants them: one each pause.
constexpr Clock::duration pause_between_trials = std::chrono::milliseconds(200);

constexpr std::string_view event_node = "http://jabber.org/protocol/tune";

/// What a client that wants to be told of that node answers of itself (XEP-0030, XEP-0163 §4.3).
std::string interested_disco_info() {
    return fmt::format(
        "<identity category='client' type='pc' name='causeway-bench'/><feature "
        "var='http://jabber.org/protocol/disco#info'/><feature var='{}+notify'/>",
        event_node);
}

/// Presence that says so (XEP-0115 §5.1).
std::string interested_presence() {
    const std::string text = fmt::format(
        "client/pc//causeway-bench<http://jabber.org/protocol/disco#info<{}+notify<", event_node);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return fmt::format(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
        "node='https://causeway.example/bench' ver='{}'/></presence>",
        encode_base64({reinterpret_cast<const char*>(digest.data()), size}));
}

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
        const std::string available = events() ? interested_presence() : "<presence/>";
        pool_.client(0).send_stanza("<presence/>");
        for (std::size_t index = 1; index < pool_.size(); ++index) {
            pool_.client(index).send_stanza(available);
            if (!subscribed_.contains(pool_.client(index).bare_jid())) {
                to_ask_.push_back(index);
            } else {
                ask_in_return(pool_.client(index).bare_jid());
            }
        }
        for (std::size_t i = 0; i < requests_at_once; ++i) ask_next();
        // Who has seen the presentity once is subscribed and known to be available.
        if (Failure failure = pool_.run_while_progressing(
                [this] {
                    return sighted_.size() == subscribers_.size() &&
                           (!events() || contacts_.size() == subscribers_.size());
                },
                [this] { return subscribed_.size() + sighted_.size() + contacts_.size(); },
                "subscriptions")) {
            return failure;
        }
        return events() ? await_interest() : group();
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

    /// Forgets what was measured so far.
    void clear() {
        latency_.clear();
        last_.clear();
        last_local_.clear();
    }

    [[nodiscard]] unsigned subscriptions_made() const { return subscriptions_made_; }
    [[nodiscard]] const LatencyHistogram& latency() const { return latency_; }
    /// Of each change the time until the last subscriber had it, and the last of its own domain.
    /// Only with one change under way.
    [[nodiscard]] const LatencyHistogram& last() const { return last_; }
    [[nodiscard]] const LatencyHistogram& last_local() const { return last_local_; }

private:
    /// The next subscriber that is none yet asks to be one.
    void ask_next() {
        if (to_ask_.empty()) return;
        pool_.client(to_ask_.front())
            .send_stanza(fmt::format("<presence to='{}' type='subscribe'/>", presentity_jid_));
        to_ask_.pop_front();
        ++subscriptions_made_;
    }

    /// The presentity asks back, unless it is subscribed to this subscriber already.
    void ask_in_return(std::string_view subscriber) {
        if (!events() || contacts_.contains(subscriber)) return;
        pool_.client(0).send_stanza(
            fmt::format("<presence to='{}' type='subscribe'/>", subscriber));
        ++subscriptions_made_;
    }

    /// Until each subscriber has got an event. Servers ask clients what they want to be told, or do
    /// not, as they know the answer of others that are alike; nothing says when they know.
    Failure await_interest() {
        const std::string trial = fmt::format("trial-{}", run_);
        TimePoint progressed_at = Clock::now();
        for (std::size_t before = 0; interested_.size() < subscribers_.size();) {
            pool_.client(0).send_stanza(event(trial));
            if (Failure failure = pool_.run_for(pause_between_trials)) return failure;
            const TimePoint now = Clock::now();
            if (std::exchange(before, interested_.size()) != interested_.size()) {
                progressed_at = now;
            } else if (now - progressed_at > std::chrono::duration<double>(options_.timeout)) {
                return fmt::format("timed out waiting for the first event: {} of {} have one",
                                   interested_.size(), subscribers_.size());
            }
        }
        return {};
    }

    [[nodiscard]] static std::string event(std::string_view mark) {
        return fmt::format(
            "<iq type='set' id='publish'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
            "<publish node='{0}'><item id='current'><tune xmlns='{0}'><title>{1}</title></tune>"
            "</item></publish></pubsub></iq>",
            event_node, mark);
    }

    [[nodiscard]] bool events() const { return options_.scenario == Scenario::events; }
    [[nodiscard]] static std::string_view bare(std::string_view jid) {
        return jid.substr(0, jid.find('/'));
    }
    [[nodiscard]] std::size_t locals() const { return subscribers_.size() - options_.remote; }

    /// Puts the subscribers into the groups of the presentity's roster that were asked for.
    Failure group() {
        if (options_.groups == 0) {
            return {};
        }
        std::size_t wanted = 0;
        for (std::size_t index = 1; index < pool_.size(); ++index) {
            const std::string name = fmt::format("group{}", index % options_.groups);
            const auto known = groups_.find(pool_.client(index).bare_jid());
            if (known != groups_.end() && known->second == name) continue;
            ++wanted;
            pool_.client(0).send_stanza(
                fmt::format("<iq type='set' id='group'><query xmlns='jabber:iq:roster'><item "
                            "jid='{}'><group>{}</group></item></query></iq>",
                            pool_.client(index).bare_jid(), name));
        }
        return pool_.run_while_progressing([this, wanted] { return grouped_ == wanted; },
                                           [this] { return grouped_; }, "the groups of the roster");
    }

    Failure await(const std::function<bool()>& done, std::string_view what) {
        return pool_.run_while_progressing(
            done, [] { return std::uint64_t{0}; }, what);
    }

    void send_change() {
        const auto now = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
        const std::string mark = fmt::format("{}{}-{}", run_, sent_, now);
        pool_.client(0).send_stanza(
            events() ? event(mark)
                     : fmt::format("<presence><show>{}</show><status>{}</status></presence>",
                                   sent_ % 2 == 0 ? "away" : "dnd", mark));
        sent_at_ = now;
        ++sent_;
    }

    void on_stanza(Client& client, std::string_view stanza) override {
        if (client.index() == 0) {
            take_as_presentity(stanza);
        } else if (is_named(stanza, "presence")) {
            take_presence(client, stanza);
        } else if (is_named(stanza, "message") && events()) {
            interested_.insert(client.index());
            take_mark(client, text_of(stanza, "title"));
        }
    }

    void on_acknowledged(Client& /*client*/, std::uint64_t /*count*/) override {}

    void take_as_presentity(std::string_view stanza) {
        const std::string_view type = attribute_of(stanza, "type");
        if (is_named(stanza, "presence")) {
            take_presence_of_subscriber(bare(attribute_of(stanza, "from")), type);
        } else if (is_named(stanza, "iq") && attribute_of(stanza, "id") == "roster") {
            take_roster(stanza);
        } else if (is_named(stanza, "iq") && type == "error") {
            pool_.fail(fmt::format("the server refuses what the presentity wants: {}", stanza));
        } else if (is_named(stanza, "iq") && attribute_of(stanza, "id") == "group") {
            ++grouped_;
        }
    }

    void take_presence_of_subscriber(std::string_view from, std::string_view type) {
        if (type == "subscribe") {
            pool_.client(0).send_stanza(fmt::format("<presence to='{}' type='subscribed'/>", from));
            ask_in_return(from);
        } else if (type == "subscribed") {
            contacts_.emplace(from);
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
            if ((state != "from" && state != "both") || !ours.contains(jid)) {
                return;
            }
            subscribed_.emplace(jid);
            if (state == "both") contacts_.emplace(jid);
            // The tag stands in the stanza, and its group behind it.
            const auto behind =
                stanza.substr(static_cast<std::size_t>(item.data() - stanza.data()) + item.size());
            if (is_named(behind, "group")) {
                groups_.emplace(jid, text_of(behind, "group"));
            }
        });
        roster_known_ = true;
    }

    void take_presence(Client& client, std::string_view stanza) {
        if (attribute_of(stanza, "type") == "subscribed") {
            if (subscribed_.insert(client.bare_jid()).second) ask_next();
            return;
        }
        if (bare(attribute_of(stanza, "from")) != presentity_jid_) {
            return;  // one's own
        }
        if (attribute_of(stanza, "type") == "subscribe") {
            client.send_stanza(
                fmt::format("<presence to='{}' type='subscribed'/>", presentity_jid_));
            return;
        }
        if (attribute_of(stanza, "type").empty()) {
            sighted_.insert(client.index());
        }
        if (options_.groups > 0) {
            // What it says may be hidden from this subscriber.
            const std::uint64_t seen = subscribers_[client.index() - 1];
            if (seen < sent_) {
                take_notification(client, seen, sent_at_);
            }
        } else if (!events()) {
            take_mark(client, text_of(stanza, "status"));
        }
    }

    void take_mark(Client& client, std::string_view mark) {
        if (!mark.starts_with(run_)) {
            return;  // from before the first change
        }
        mark.remove_prefix(run_.size());
        std::uint64_t number = 0;
        std::int64_t origin = 0;
        const char* end = mark.data() + mark.size();
        const auto parsed = std::from_chars(mark.data(), end, number);
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
        const bool local = client.index() <= locals();
        received_here_ += local ? 1 : 0;
        const auto now = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
        const std::chrono::nanoseconds took(now - origin);
        latency_.record(took);
        if (local && received_here_ % locals() == 0) {
            last_local_.record(took);
        }
        // A change is over when every subscriber has it.
        if (received_ % subscribers_.size() == 0) {
            last_.record(took);
            if (sent_ < target_) {
                send_change();
            }
        }
    }

    SessionPool& pool_;
    const Options& options_;
    std::string run_;  // sets this run's changes apart from older ones
    std::string presentity_jid_;
    std::vector<std::uint64_t> subscribers_;  // changes that each has seen
    std::set<std::string, std::less<>> subscribed_;
    std::map<std::string, std::string, std::less<>> groups_;  // of subscribers in the roster
    std::set<std::string, std::less<>> contacts_;  // subscribers that the presentity sees as well
    std::set<std::size_t> interested_;             // subscribers that have got an event
    std::set<std::size_t> sighted_;  // subscribers that have seen the presentity available
    bool roster_known_ = false;
    std::deque<std::size_t> to_ask_;  // clients that are not subscribed yet, and have not asked
    unsigned subscriptions_made_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t target_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t received_here_ = 0;  // of the presentity's domain
    std::uint64_t grouped_ = 0;
    std::int64_t sent_at_ = 0;
    LatencyHistogram latency_;
    LatencyHistogram last_;
    LatencyHistogram last_local_;
};

}  // namespace

Failure run_fanout(Workbench& bench, const Options& options, Report& report) {
    constexpr unsigned warm_up_changes = 10;
    const ServerMeter servers(options.server_processes);
    SessionPool pool(bench);
    const bool events = options.scenario == Scenario::events;
    for (unsigned number = 0; number <= options.subscribers; ++number) {
        const bool here = number <= options.subscribers - options.remote;
        ClientSettings settings =
            client_settings(options, here ? options.server : options.peer, number, "bench");
        if (events && number > 0) {
            settings.disco_info = interested_disco_info();
        }
        pool.add(std::move(settings));
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
    fanout.clear();
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
    report.values["changes"] = options.count;
    report.values["notifications"] = notifications;
    report.values["notifications_per_second"] = notifications / span.seconds();
    report.line = fmt::format("{} {} to {} subscribers, {:.0f} notifications a second",
                              options.count, events ? "personal events" : "status changes",
                              options.subscribers, notifications / span.seconds());
    span.describe(report, "server_cpu_seconds_per_100000", notifications, hundred_thousand);
    describe_latency(report, "closed_loop_latency", fanout.latency());
    if (options.in_flight == 1) {
        describe_latency(report, "last_latency", fanout.last());
        describe_latency(report, "last_local_latency", fanout.last_local());
    }
    return pool.close();
}

}  // namespace causeway::bench
