// causewayctl: the administrator's client of the control socket. Reads the command line, asks one
// question (or streams one file of accounts), prints the answer. Exit status: 0 done, 1 the server
// said no or could not be reached, 2 bad usage; the reason is on standard error.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/base/version.h"
#include "tools/ctl/bulk.h"
#include "tools/ctl/client.h"
#include "tools/ctl/password.h"
#include "tools/ctl/text.h"
#include "tools/ctl/verbs.h"
#include "tools/ctl/views.h"

namespace json = boost::json;
using causeway::Outcome;
using causeway::Result;

namespace causeway::ctl {
namespace {

constexpr int done = 0;
constexpr int failed = 1;
constexpr int bad_usage = 2;

/// After the drain the server still writes what it holds; then it is late.
constexpr std::int64_t shutdown_grace_seconds = 30;
/// How long a configured drain may take, for want of the number.
constexpr std::int64_t longest_usual_drain_seconds = 300;
constexpr std::size_t failures_shown = 20;

/// What the command line said.
struct Options {
    std::string socket;
    bool as_json = false;
    std::int64_t timeout = 300;
    std::string argument;
    std::string bulk_file;
    bool password_stdin = false;
    std::uint32_t iterations = 0;
    std::optional<std::uint32_t> drain;
};

/// The verb that was chosen, to be run once the command line has been read.
using Run = std::function<int(const Options&)>;

int complain(const Outcome& outcome, int status = failed) {
    std::cerr << "causewayctl: " << harmless(outcome.why()) << '\n';
    return status;
}

Result<std::unique_ptr<Client>> connect(const Options& options) {
    const auto path = find_socket(options.socket);
    if (!path) {
        return path.error();
    }
    return Client::connect(*path, Client::Seconds(options.timeout));
}

/// Prints an answer: one JSON document, the rows where it is a list, or a view of it.
int print(std::string_view method, const json::value& result, const json::array& rows,
          bool as_json) {
    const json::object* object = result.if_object();
    if (object == nullptr) {
        return complain(Outcome::malformed("the server's answer is no object"));
    }
    const bool is_list = object->contains("count");
    if (as_json) {
        std::cout << (is_list ? json::serialize(rows) : json::serialize(result)) << '\n';
    } else {
        std::cout << view({method, *object, rows, SystemClock().wall()});
    }
    std::cout.flush();
    return std::cout ? done : complain(Outcome::retry("cannot write to standard output"));
}

int ask(Client& client, std::string_view method, json::object params, bool as_json) {
    json::array rows;
    const auto keep = [&rows](json::array& some) {
        std::move(some.begin(), some.end(), std::back_inserter(rows));
    };
    const auto result = client.call(method, std::move(params), keep);
    return result ? print(method, *result, rows, as_json) : complain(result.error());
}

int run_verb(const Verb& verb, const Options& options) {
    json::object params;
    if (!verb.argument.empty() && !options.argument.empty()) {
        params.emplace(json::string_view(verb.argument.data(), verb.argument.size()),
                       options.argument);
    }
    const auto client = connect(options);
    return client ? ask(**client, verb.method, std::move(params), options.as_json)
                  : complain(client.error());
}

/// `user add JID` and `user passwd JID`.
int run_password(std::string_view method, const Options& options) {
    // Connected first: nobody should type a password twice to learn that no server is there.
    const auto client = connect(options);
    if (!client) {
        return complain(client.error());
    }
    const auto password =
        options.password_stdin ? read_password() : ask_password(harmless(options.argument));
    if (!password) {
        return complain(password.error(), bad_usage);
    }
    json::object params;
    params.emplace("jid", options.argument);
    params.emplace("password", *password);
    if (options.iterations != 0) {
        params.emplace("iterations", options.iterations);
    }
    return ask(**client, method, std::move(params), options.as_json);
}

// ---- user add --bulk ----

json::object to_json(const BulkReport& report) {
    json::array failures;
    for (const BulkFailure& failure : report.failures) {
        json::object entry;
        entry.emplace("line", failure.line);
        entry.emplace("jid", failure.jid);
        entry.emplace("reason", failure.reason);
        failures.emplace_back(std::move(entry));
    }
    json::object object;
    object.emplace("added", report.added);
    object.emplace("failed", report.failed);
    object.emplace("failures", std::move(failures));
    return object;
}

void tell_failures(const BulkReport& report, const std::string& file) {
    const std::size_t shown = std::min(report.failures.size(), failures_shown);
    for (std::size_t i = 0; i < shown; ++i) {
        const BulkFailure& failure = report.failures[i];
        std::cerr << file << ':' << failure.line << ": "
                  << (failure.jid.empty() ? "" : harmless(failure.jid) + ": ")
                  << harmless(failure.reason) << '\n';
    }
    if (report.failed > shown) {
        std::cerr << "and " << grouped(report.failed - shown) << " more\n";
    }
}

/// A line that is written over, on a terminal only.
void show_progress(const BulkReport& report) {
    std::cerr << "\radded " << grouped(report.added) << ", failed " << grouped(report.failed)
              << std::flush;
}

int run_bulk(const Options& options) {
    std::ifstream opened;
    const bool from_stdin = options.bulk_file == "-";
    if (!from_stdin) {
        opened.open(options.bulk_file, std::ios::binary);
        if (!opened) {
            return complain(Outcome::absent("cannot read " + options.bulk_file), bad_usage);
        }
    }
    const auto client = connect(options);
    if (!client) {
        return complain(client.error());
    }
    const bool on_terminal = ::isatty(STDERR_FILENO) == 1;
    const auto progress = [on_terminal](const BulkReport& report) {
        if (on_terminal) {
            show_progress(report);
        }
    };
    BulkAdd bulk(**client, options.iterations, progress);
    const Outcome outcome = bulk.run(from_stdin ? std::cin : opened);
    BulkReport report = bulk.report();
    std::sort(report.failures.begin(), report.failures.end(),
              [](const BulkFailure& a, const BulkFailure& b) { return a.line < b.line; });
    if (on_terminal && report.added + report.failed > 0) {
        std::cerr << '\n';
    }
    tell_failures(report, from_stdin ? "standard input" : options.bulk_file);
    if (options.as_json) {
        std::cout << json::serialize(to_json(report)) << '\n';
    } else {
        std::cout << "added " << grouped(report.added) << " accounts, failed "
                  << grouped(report.failed) << '\n';
    }
    if (!outcome) {
        return complain(outcome);
    }
    return report.failed == 0 ? done : failed;
}

// ---- shutdown ----

int run_shutdown(const Options& options) {
    const auto client = connect(options);
    if (!client) {
        return complain(client.error());
    }
    json::object params;
    if (options.drain) {
        params.emplace("drain", *options.drain);
    }
    const auto result = (*client)->call("shutdown", std::move(params));
    if (!result) {
        return complain(result.error());
    }
    const std::int64_t drain = options.drain.value_or(longest_usual_drain_seconds);
    if (Outcome ended = (*client)->wait_for_end(Client::Seconds(drain + shutdown_grace_seconds));
        !ended) {
        return complain(ended);
    }
    std::cout << (options.as_json ? "{\"stopped\":true}" : "stopped") << '\n';
    return done;
}

// ---- the command line ----

class CommandLine {
public:
    CommandLine()
        : app_("Administers a running causeway server through its control socket.", "causewayctl") {
        app_.set_version_flag("--version", "causewayctl " + std::string(version_text));
        app_.require_subcommand(1);
        app_.add_option("--socket", options_.socket,
                        "The control socket (default: $CAUSEWAY_SOCKET, ./causeway.sock or "
                        "/run/causeway/causeway.sock)");
        app_.add_flag("--json", options_.as_json, "Print one JSON document");
        app_.add_option("--timeout", options_.timeout, "Seconds to wait for the server")
            ->capture_default_str()
            ->check(CLI::Range(1, 86'400));
        for (const Noun& noun : nouns) {
            word(app_, noun.name, noun.doc)->require_subcommand(1);
        }
        for (const Verb& verb : verbs) {
            add(verb);
        }
        add_user_add();
        add_user_passwd();
        add_shutdown();
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::CallForHelp& asked) {
            return app_.exit(asked);
        } catch (const CLI::CallForVersion& asked) {
            return app_.exit(asked);
        } catch (const CLI::ParseError& error) {
            return complain(Outcome::malformed(usage_error(error)), bad_usage);
        }
        return run_(options_);
    }

private:
    /// What is wrong with the command line. A word that is no verb is found only as left over,
    /// after the complaint that a verb is missing.
    [[nodiscard]] std::string usage_error(const CLI::ParseError& error) const {
        const auto left_over = app_.remaining(true);
        const bool no_verb = error.get_name() == "RequiredError" && !left_over.empty() &&
                             !left_over.front().starts_with('-');
        return (no_verb ? "there is no verb \"" + left_over.front() + "\" here"
                        : std::string(error.what())) +
               "; see causewayctl --help";
    }

    static CLI::App* word(CLI::App& parent, std::string_view name, std::string_view doc) {
        return parent.add_subcommand(std::string(name), std::string(doc))->fallthrough();
    }

    void add(const Verb& verb) {
        CLI::App& parent = verb.verb.empty() ? app_ : *app_.get_subcommand(std::string(verb.noun));
        CLI::App* command = word(parent, verb.verb.empty() ? verb.noun : verb.verb, verb.doc);
        if (!verb.argument.empty()) {
            CLI::Option* argument =
                command->add_option(std::string(verb.argument), options_.argument);
            argument->required(verb.required)->check(not_empty());
        }
        command->callback(
            [this, &verb] { run_ = [&verb](const Options& o) { return run_verb(verb, o); }; });
    }

    static CLI::Validator not_empty() {
        return {[](std::string& value) {
                    return std::string(value.empty() ? "must not be empty" : "");
                },
                ""};
    }

    CLI::App* user_verb(const char* name, const char* doc) {
        CLI::App* command = word(*app_.get_subcommand("user"), name, doc);
        command->add_flag("--password-stdin", options_.password_stdin,
                          "Read the password from standard input, not from the terminal");
        command
            ->add_option("--iterations", options_.iterations,
                         "Iterations of the stored keys (default: as configured)")
            ->check(CLI::Range(1, 10'000'000));
        return command;
    }

    void add_user_add() {
        CLI::App* command = user_verb("add", "Add an account, or a file of them");
        CLI::Option* jid = command->add_option("jid", options_.argument, "The new account");
        CLI::Option* bulk = command->add_option(
            "--bulk", options_.bulk_file,
            "Add one account for each line of FILE (- is standard input): address, tab, password");
        jid->check(not_empty())->excludes(bulk);
        bulk->check(not_empty())->excludes("--password-stdin");
        command->callback([this, jid, bulk] {
            if (jid->empty() && bulk->empty()) {
                throw CLI::RequiredError("an address or --bulk FILE");
            }
            run_ = jid->empty() ? Run(run_bulk)
                                : [](const Options& o) { return run_password("user.add", o); };
        });
    }

    void add_user_passwd() {
        CLI::App* command = user_verb("passwd", "Set the password of an account");
        command->add_option("jid", options_.argument)->required()->check(not_empty());
        command->callback(
            [this] { run_ = [](const Options& o) { return run_password("user.passwd", o); }; });
    }

    void add_shutdown() {
        CLI::App* command = word(app_, "shutdown", "Stop the server in order, and wait for it");
        command
            ->add_option("--drain", options_.drain,
                         "Seconds that streams get to end (default: as configured)")
            ->check(CLI::Range(0, 86'400));
        command->callback([this] { run_ = run_shutdown; });
    }

    CLI::App app_;
    Options options_;
    Run run_;
};

}  // namespace
}  // namespace causeway::ctl

int main(int argc, char** argv) {
    try {
        return causeway::ctl::CommandLine().run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "causewayctl: " << error.what() << '\n';
        return causeway::ctl::failed;
    }
}
