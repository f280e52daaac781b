// causewayctl: the administrator's client of the control socket. Learns the verbs from the server,
// reads the command line by them, asks one question (or streams one file of accounts), prints the
// answer. Exit status: 0 done, 1 the server said no or could not be reached, 2 bad usage; the
// reason is on standard error.
#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/version.h"
#include "tools/ctl/client.h"
#include "tools/ctl/run.h"
#include "tools/ctl/verbs.h"

namespace causeway::ctl {
namespace {

/// The verb that was chosen, to be run once the command line has been read.
using Run = std::function<int(Client&)>;

void add_options(CLI::App& app, Options& options) {
    app.set_version_flag("--version", "causewayctl " + std::string(version_text));
    app.add_option("--socket", options.socket,
                   "The control socket (default: $CAUSEWAY_SOCKET, ./causeway.sock or "
                   "/run/causeway/causeway.sock)");
    app.add_flag("--json", options.as_json, "Print one JSON document instead of a table");
    app.add_option("--timeout", options.timeout, "Seconds to wait for the server")
        ->capture_default_str()
        ->check(CLI::Range(1, 86'400));
}

constexpr const char* description =
    "Administers a running causeway server through its control socket.";

CLI::Validator not_empty() {
    return {
        [](std::string& value) { return std::string(value.empty() ? "must not be empty" : ""); },
        ""};
}

/// The command line of all verbs that the server has.
class CommandLine {
public:
    CommandLine(std::vector<Verb> verbs, Options& options)
        : verbs_(std::move(verbs)), given_(verbs_.size()), options_(options) {
        app_.require_subcommand(1);
        add_options(app_, options_);
        for (std::size_t i = 0; i < verbs_.size(); ++i) {
            add(verbs_[i], given_[i]);
        }
        for (CLI::App* word : app_.get_subcommands([](const CLI::App*) { return true; })) {
            if (word->get_description().empty()) {
                word->description(words_below(*word));
            }
        }
    }

    int run(int argc, char** argv, Client& client) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::CallForHelp& asked) {
            return app_.exit(asked);
        } catch (const CLI::ParseError& error) {
            return complain(Outcome::malformed(usage_error(error)), bad_usage);
        }
        return run_(client);
    }

private:
    /// What is wrong with the command line. A word that is no verb is found only as left over,
    /// after the complaint that a verb is missing.
    [[nodiscard]] std::string usage_error(const CLI::ParseError& error) const {
        const CLI::App* at = &app_;
        std::string words = "causewayctl";
        while (!at->get_subcommands().empty()) {
            at = at->get_subcommands().front();
            words += " " + at->get_name();
        }
        const auto left_over = app_.remaining(true);
        if (error.get_name() != "RequiredError" || words_below(*at).empty()) {
            return std::string(error.what()) + "; see " + words + " --help";
        }
        const std::string verbs = words_below(*at);
        if (left_over.empty() || left_over.front().starts_with('-')) {
            return "\"" + words + "\" needs one of these verbs: " + verbs;
        }
        return "there is no verb \"" + left_over.front() + "\" here; the verbs of \"" + words +
               "\" are: " + verbs;
    }

    /// The verbs that may follow a word: "list, show".
    static std::string words_below(const CLI::App& word) {
        std::string words;
        for (const CLI::App* verb : word.get_subcommands([](const CLI::App*) { return true; })) {
            words += (words.empty() ? "" : ", ") + verb->get_name();
        }
        return words;
    }

    /// The place of a verb in the tree of words; made with the words that lead there.
    CLI::App* place(const Verb& verb) {
        CLI::App* at = &app_;
        for (const std::string& word : verb.words) {
            const auto known = at->get_subcommands(
                [&word](const CLI::App* command) { return command->get_name() == word; });
            CLI::App* next =
                known.empty() ? at->add_subcommand(word)->fallthrough() : known.front();
            if (at != &app_) {
                at->require_subcommand(1);
            }
            at = next;
        }
        return at;
    }

    void add(const Verb& verb, Given& given) {
        CLI::App* command = place(verb);
        command->description(verb.doc);
        for (const Param& param : verb.params) {
            add(*command, param, given);
        }
        command->callback([this, &verb, &given] {
            run_ = [this, &verb, &given](Client& client) {
                return run_verb(client, verb, given, options_);
            };
        });
        if (verb.method == "help") {
            command->callback([this, &verb] {
                run_ = [this, &verb](Client& client) {
                    return run_help(client, verb, verbs_, options_);
                };
            });
        } else if (verb.method == "shutdown") {
            command->callback([this, &given] {
                run_ = [this, &given](Client& client) {
                    return run_shutdown(client, given, options_);
                };
            });
        } else if (verb.method == "user.add") {
            add_bulk(*command, verb, given);
        }
    }

    static void add(CLI::App& command, const Param& param, Given& given) {
        const std::string name = (param.option ? "--" : "") + param.name;
        if (param.type == "password") {
            command.add_flag("--" + param.name + "-stdin", given.password_stdin,
                             "Read it from standard input, not from the terminal: " + param.doc);
        } else if (param.type == "flag") {
            command.add_flag_callback(
                "--" + param.name, [&given, key = param.name] { given.flags.insert(key); },
                param.doc);
        } else if (param.type == "integer") {
            command
                .add_option_function<std::uint64_t>(
                    name,
                    [&given, key = param.name](std::uint64_t number) {
                        given.numbers[key] = number;
                    },
                    param.doc)
                ->required(param.required)
                ->check(CLI::Range(std::uint64_t{0}, param.at_most));
        } else {
            command
                .add_option_function<std::string>(
                    name,
                    [&given, key = param.name](const std::string& text) {
                        given.texts[key] = text;
                    },
                    param.doc)
                ->required(param.required)
                ->check(not_empty());
        }
    }

    /// `user add --bulk FILE` reads accounts from a file, which no method could.
    void add_bulk(CLI::App& command, const Verb& verb, Given& given) {
        CLI::Option* jid = command.get_option("jid")->required(false);
        CLI::Option* bulk = command.add_option(
            "--bulk", given.bulk_file,
            "Add one account for each line of FILE (- is standard input): address, tab, password");
        jid->excludes(bulk);
        bulk->check(not_empty())->excludes("--password-stdin");
        command.callback([this, jid, bulk, &verb, &given] {
            if (jid->empty() && bulk->empty()) {
                throw CLI::RequiredError("an address or --bulk FILE");
            }
            const bool one = bulk->empty();
            run_ = [this, one, &verb, &given](Client& client) {
                return one ? run_verb(client, verb, given, options_)
                           : run_bulk(client, given, options_);
            };
        });
    }

    CLI::App app_{description, "causewayctl"};
    const std::vector<Verb> verbs_;
    std::vector<Given> given_;  ///< to each verb
    Options& options_;
    Run run_;
};

/// What can be said without a server: the options, and where the verbs are.
std::string basic_help(CLI::App& options) {
    return options.help() +
           "\nThe verbs are those of the running server, and \"causewayctl help\" lists them. "
           "Without a\nserver, causewayctl(1) describes them.\n";
}

int run(int argc, char** argv) {
    Options options;
    CLI::App first(description, "causewayctl VERB [ARGUMENTS]");
    first.set_help_flag();
    bool help = false;
    first.add_flag("-h,--help", help, "Print this help, or that of a verb");
    first.allow_extras();
    add_options(first, options);
    try {
        first.parse(argc, argv);
    } catch (const CLI::CallForVersion& asked) {
        return first.exit(asked);
    } catch (const CLI::ParseError& error) {
        return complain(Outcome::malformed(std::string(error.what()) + "; see causewayctl --help"),
                        bad_usage);
    }
    const auto words = first.remaining();
    if (words.empty() && !help) {
        return complain(Outcome::malformed("a verb is missing; see causewayctl --help"), bad_usage);
    }
    const auto client = connect(options);
    const auto answer =
        client ? (*client)->call("help", {}) : Result<boost::json::value>(client.error());
    auto verbs = answer ? verbs_of(*answer) : Result<std::vector<Verb>>(answer.error());
    if (!verbs) {
        const bool asked = help || words.front() == "help";
        if (asked) {
            std::cout << basic_help(first) << std::flush;
        }
        return help ? done : complain(verbs.error());
    }
    return CommandLine(std::move(*verbs), options).run(argc, argv, **client);
}

}  // namespace
}  // namespace causeway::ctl

int main(int argc, char** argv) {
    try {
        return causeway::ctl::run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "causewayctl: " << error.what() << '\n';
        return causeway::ctl::failed;
    }
}
