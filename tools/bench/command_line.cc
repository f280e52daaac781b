// The command line, by CLI11: common options on every scenario, then each scenario's own.
#include "tools/bench/command_line.h"

#include <map>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "tools/bench/xml_text.h"

namespace causeway::bench {
namespace {

// Bounds that no sensible run reaches; they keep products of options within range.
const CLI::Range any_count(1, 1'000'000);
const CLI::Range any_time(0.0, 86'400.0);

void add_endpoint(CLI::App& app, Endpoint& endpoint, const std::string& prefix,
                  bool required = true) {
    app.add_option("--" + prefix + "address", endpoint.address, "Literal IP address of the server")
        ->check([](const std::string& text) {
            return parse_address(text, 1) ? std::string() : text + " is not an IP address";
        })
        ->capture_default_str();
    app.add_option("--" + prefix + "port", endpoint.port,
                   "TCP port (default: 5222, or 5223 with --direct-tls)");
    app.add_option("--" + prefix + "domain", endpoint.domain, "XMPP domain")->required(required);
}

void add_common(CLI::App& app, Options& options) {
    static const std::map<std::string, Mechanism> mechanisms{
        {"PLAIN", Mechanism::plain},
        {"SCRAM-SHA-1", Mechanism::scram_sha_1},
        {"SCRAM-SHA-256", Mechanism::scram_sha_256}};
    add_endpoint(app, options.server, "");
    app.add_option("--user", options.user_pattern, "Localpart of the accounts, %d is a number")
        ->capture_default_str();
    app.add_option("--password", options.password_pattern, "Their password, %d is the number")
        ->capture_default_str();
    app.add_option("--first-user", options.first_user, "Number of the first account")
        ->capture_default_str();
    app.add_option("--mechanism", options.mechanism, "SASL mechanism (default: SCRAM-SHA-1)")
        ->transform(CLI::CheckedTransformer(mechanisms, CLI::ignore_case));
    app.add_flag("--direct-tls", options.direct_tls, "TLS from the first byte instead of STARTTLS");
    app.add_flag("--stream-management", options.stream_management,
                 "XEP-0198 on every session, acknowledgements asked for once a write");
    app.add_option("--ca", options.tls.authorities,
                   "PEM bundle to verify servers against (default: certificates are not verified)")
        ->check(CLI::ExistingFile);
    app.add_flag("--tls12", options.tls.allow_tls12, "Allow TLS 1.2 beside TLS 1.3");
    app.add_option("--server-pid", options.server_processes,
                   "Process to measure; may be repeated, the sum is reported")
        ->check(CLI::PositiveNumber);
    app.add_option("--timeout", options.timeout, "Longest login, close or stall, in seconds")
        ->check(CLI::Range(0.1, 86'400.0))
        ->capture_default_str();
    app.add_option("--login-concurrency", options.pace.concurrency, "Logins under way at once")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--login-rate", options.pace.per_second,
                   "Logins begun a second (default: as fast as they complete)")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--json", options.json, "Print one JSON object instead of a line");
}

void add_pairs(CLI::App& app, Options& options) {
    app.add_option("--pairs", options.pairs, "Pairs of a sender and a receiver")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--duration", options.duration, "Measured time, in seconds")
        ->check(CLI::Range(0.1, 86'400.0))
        ->capture_default_str();
    app.add_option("--warm-up", options.warm_up, "Unmeasured time before it, in seconds")
        ->check(any_time)
        ->capture_default_str();
    app.add_option("--body", options.body_bytes, "Bytes of each message's body")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    app.add_option("--type", options.message_type, "Type of the messages")
        ->check(CLI::IsMember({"chat", "normal", "headline"}))
        ->capture_default_str();
    app.add_flag("--to-bare", options.bare_address, "Address bare JIDs instead of full ones");
    app.add_flag("!--no-presence", options.presence, "Do not send initial presence");
}

void add_closed_loop(CLI::App& app, Options& options) {
    add_pairs(app, options);
    app.add_option("--in-flight", options.in_flight, "Messages under way in each pair")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--count", options.count, "Measure this many messages instead of a time");
}

void add_fanout(CLI::App& app, Options& options) {
    app.add_option("--subscribers", options.subscribers, "Subscribed accounts")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--in-flight", options.in_flight, "Changes under way (default: 1)")
        ->check(any_count);
    app.add_option("--count", options.count, "Measured changes (default: 200)");
}

void add_restart(CLI::App& app, Options& options) {
    app.add_option("--sessions", options.sessions, "Sessions to resume, an even number")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--messages", options.messages,
                   "Messages that each session sends when the restart begins")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--restart", options.restart_command,
                   "Shell command that ends the server and starts it again; times count from its "
                   "beginning")
        ->required();
    app.add_option("--settle", options.settle, "Seconds before the restart")
        ->check(any_time)
        ->capture_default_str();
    app.add_flag("!--no-presence", options.presence, "Do not send initial presence");
}

void add_crowd(CLI::App& app, Options& options) {
    app.add_option("--sessions", options.sessions, "Users")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--contacts", options.contacts,
                   "Contacts that each has already: half of them the users before it, half those "
                   "behind it")
        ->check(any_count)
        ->capture_default_str();
}

void add_presence(CLI::App& app, Options& options) {
    add_fanout(app, options);
    app.add_option("--remote", options.remote,
                   "How many of them are of the other domain (--peer-domain), the last ones")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--groups", options.groups,
                   "Put the subscribers into so many groups of the roster, group0 and so on, and "
                   "count what comes whatever it says: each group may be shown something else; one "
                   "change is under way then")
        ->check(CLI::NonNegativeNumber);
    add_endpoint(app, options.peer, "peer-", false);
}

void add_idle(CLI::App& app, Options& options) {
    app.add_option("--sessions", options.sessions, "Sessions to hold, one account each")
        ->check(any_count)
        ->capture_default_str();
    app.add_option("--baseline", options.baseline,
                   "Sessions at which memory is read first (default: a fifth)");
    app.add_option("--settle", options.settle, "Seconds before memory is read")
        ->check(any_time)
        ->capture_default_str();
    app.add_option("--hold", options.hold, "Seconds for which idle CPU is measured")
        ->check(any_time)
        ->capture_default_str();
    app.add_flag("!--no-presence", options.presence, "Do not send initial presence");
}

void add_scenarios(CLI::App& app, Options& options) {
    const auto scenario = [&](const std::string& name, const std::string& help,
                              Scenario value) -> CLI::App& {
        CLI::App* command = app.add_subcommand(name, help);
        command->parse_complete_callback([&options, value] { options.scenario = value; });
        add_common(*command, options);
        return *command;
    };

    add_idle(scenario("idle", "Hold sessions that do nothing; memory for each", Scenario::idle),
             options);

    CLI::App& login = scenario("login", "Log in and out; CPU and time for each", Scenario::login);
    login.add_option("--count", options.count, "Measured logins (default: 1000)");
    login.add_option("--accounts", options.accounts, "Accounts to take turns with")
        ->check(any_count)
        ->capture_default_str();

    add_closed_loop(scenario("chat", "Pairs that send as fast as messages arrive", Scenario::chat),
                    options);

    CLI::App& rate = scenario("rate",
                              "Messages at a constant rate; latency from the time each "
                              "was due, sent or not",
                              Scenario::rate);
    add_pairs(rate, options);
    rate.add_option("--rate", options.rate, "Messages a second, over all pairs")
        ->check(CLI::Range(0.1, 1'000'000.0))
        ->capture_default_str();

    add_presence(scenario("presence", "Status changes to many subscribers", Scenario::presence),
                 options);
    add_fanout(scenario("events", "Personal events (XEP-0163) to many interested contacts",
                        Scenario::events),
               options);
    add_crowd(
        scenario("crowd", "Users with many contacts who come at once; how soon all have seen all",
                 Scenario::crowd),
        options);
    add_restart(scenario("restart",
                         "Sessions that resume after a restart of the server; how soon, and what "
                         "was lost",
                         Scenario::restart),
                options);

    CLI::App& s2s =
        scenario("s2s", "Chat between two domains, half of the pairs each way", Scenario::s2s);
    add_closed_loop(s2s, options);
    add_endpoint(s2s, options.peer, "peer-");
}

/// Fills in what depends on the scenario or on other options.
void complete(Options& options, const CLI::App& app) {
    constexpr std::uint16_t starttls_port = 5222;
    constexpr std::uint16_t direct_tls_port = 5223;
    constexpr unsigned default_logins = 1000;
    constexpr unsigned default_broadcasts = 200;
    for (Endpoint* endpoint : {&options.server, &options.peer}) {
        if (endpoint->port == 0) {
            endpoint->port = options.direct_tls ? direct_tls_port : starttls_port;
        }
    }
    const CLI::App* command = app.get_subcommands().front();
    if (options.scenario == Scenario::login && options.count == 0) {
        options.count = default_logins;
    }
    if (options.scenario == Scenario::presence || options.scenario == Scenario::events) {
        options.count = options.count == 0 ? default_broadcasts : options.count;
        options.in_flight =
            command->count("--in-flight") == 0 || options.groups > 0 ? 1 : options.in_flight;
    }
    if (options.scenario == Scenario::idle && command->count("--baseline") == 0) {
        constexpr unsigned baseline_share = 5;
        options.baseline = options.sessions / baseline_share;
    }
}

}  // namespace

ClientSettings client_settings(const Options& options, const Endpoint& endpoint, unsigned number,
                               std::string resource) {
    ClientSettings settings;
    settings.address = parse_address(endpoint.address, endpoint.port).value_or(Address());
    settings.domain = endpoint.domain;
    settings.user = expand_pattern(options.user_pattern, options.first_user + number);
    settings.password = expand_pattern(options.password_pattern, options.first_user + number);
    settings.resource = std::move(resource);
    settings.mechanism = options.mechanism;
    settings.direct_tls = options.direct_tls;
    settings.stream_management = options.stream_management;
    return settings;
}

std::optional<Options> parse_command_line(int argc, char** argv, int& exit_status) {
    Options options;
    CLI::App app("Puts an XMPP server under load and measures it.", "causeway-bench");
    app.require_subcommand(1);
    add_scenarios(app, options);
    try {
        app.parse(argc, argv);
        if (options.scenario == Scenario::idle && options.baseline >= options.sessions &&
            options.baseline != 0) {
            throw CLI::ValidationError("--baseline", "must be less than --sessions");
        }
        if (options.remote > options.subscribers ||
            (options.remote > 0 && options.peer.domain.empty())) {
            throw CLI::ValidationError("--remote",
                                       "needs --peer-domain, and at most as many as --subscribers");
        }
        if (options.scenario == Scenario::restart && options.sessions % 2 != 0) {
            throw CLI::ValidationError("--sessions", "must be even");
        }
    } catch (const CLI::ParseError& error) {
        constexpr int bad_command_line = 2;
        exit_status = app.exit(error) == 0 ? 0 : bad_command_line;
        return std::nullopt;
    }
    complete(options, app);
    return options;
}

}  // namespace causeway::bench
