// Verbs, run; see run.h.
#include "tools/ctl/run.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "gateway/base/clock.h"
#include "tools/ctl/bulk.h"
#include "tools/ctl/password.h"
#include "tools/ctl/template.h"
#include "tools/ctl/text.h"
#include "tools/ctl/views.h"

namespace causeway::ctl {

namespace json = boost::json;

namespace {

/// After the drain the server still writes what it holds; then it is late.
constexpr std::int64_t shutdown_grace_seconds = 30;
/// How long a configured drain may take, for want of the number.
constexpr std::int64_t longest_usual_drain_seconds = 300;
constexpr std::size_t failures_shown = 20;

}  // namespace

int complain(const Outcome& outcome, int status) {
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

namespace {

/// Prints an answer: one JSON document, the rows where it is a list, or a view of it.
int print(const Verb& verb, const json::value& result, const json::array& rows, bool as_json) {
    if (!result.is_object()) {
        return complain(Outcome::malformed("the server's answer is no object"));
    }
    if (as_json) {
        std::cout << (verb.is_list ? json::serialize(rows) : json::serialize(result)) << '\n';
    } else {
        std::cout << view(verb, result, rows, SystemClock().wall());
    }
    std::cout.flush();
    if (!std::cout) return complain(Outcome::retry("cannot write to standard output"));
    const json::value* fault = verb.fault.empty() ? nullptr : member(result, verb.fault);
    return says_something(fault) ? failed : done;
}

/// A line that is written over.
void show_progress(std::uint64_t part, std::uint64_t total) {
    std::cerr << "\r" << part * 100 / std::max<std::uint64_t>(total, 1) << " %" << std::flush;
}

/// Asks for what never stands on a command line. Whose it is, the first argument says.
Result<std::string> password_of(const Verb& verb, const Given& given) {
    if (given.password_stdin) {
        return read_password();
    }
    const auto whose = given.texts.find(verb.params.front().name);
    return ask_password(harmless(whose == given.texts.end() ? verb.doc : whose->second));
}

/// Prints each row as it comes, for people or as a line of JSON.
void print_row(const Verb& verb, const json::value& row, bool as_json) {
    std::cout << (as_json ? json::serialize(row)
                          : harmless(fill(verb.sentence, row, SystemClock().wall())))
              << '\n';
}

/// What the user has seen enough of ends in good order; the server hears it by the connection.
extern "C" void seen_enough(int) { ::_exit(done); }

int follow(Client& client, const Verb& verb, json::object params, const Options& options) {
    for (const int signal : {SIGINT, SIGTERM}) {
        std::signal(signal, seen_enough);
    }
    const auto show = [&](json::array& rows) {
        for (const json::value& row : rows) {
            print_row(verb, row, options.as_json);
        }
        std::cout.flush();
        if (!std::cout) {
            ::_exit(failed);  // nobody reads it any more
        }
    };
    const auto result = client.follow(verb.method, std::move(params), show);
    return result ? done : complain(result.error());
}

}  // namespace

int run_verb(Client& client, const Verb& verb, const Given& given, const Options& options) {
    json::object params;
    for (const Param& param : verb.params) {
        if (param.type == "password") {
            const auto password = password_of(verb, given);
            if (!password) {
                return complain(password.error(), bad_usage);
            }
            params.emplace(param.name, *password);
        } else if (const auto text = given.texts.find(param.name); text != given.texts.end()) {
            // The server's own folder is another one.
            params.emplace(param.name, param.type == "path"
                                           ? std::filesystem::absolute(text->second).string()
                                           : text->second);
        } else if (const auto number = given.numbers.find(param.name);
                   number != given.numbers.end()) {
            params.emplace(param.name, number->second);
        } else if (given.flags.contains(param.name)) {
            params.emplace(param.name, true);
        }
    }
    if (verb.is_live) {
        return follow(client, verb, std::move(params), options);
    }
    json::array rows;
    const auto keep = [&rows](json::array& some) {
        std::move(some.begin(), some.end(), std::back_inserter(rows));
    };
    bool shown = false;
    if (::isatty(STDERR_FILENO) == 1) {
        client.on_progress([&shown](std::uint64_t part, std::uint64_t total) {
            shown = true;
            show_progress(part, total);
        });
    }
    const auto result = client.call(verb.method, std::move(params), keep);
    client.on_progress({});
    if (shown) {
        std::cerr << "\r\033[K" << std::flush;
    }
    return result ? print(verb, *result, rows, options.as_json) : complain(result.error());
}

// ---- user add --bulk ----

namespace {

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

}  // namespace

int run_bulk(Client& client, const Given& given, const Options& options) {
    std::ifstream opened;
    const bool from_stdin = given.bulk_file == "-";
    if (!from_stdin) {
        opened.open(given.bulk_file, std::ios::binary);
        if (!opened) {
            return complain(Outcome::absent("cannot read " + given.bulk_file), bad_usage);
        }
    }
    const auto iterations = given.numbers.find("iterations");
    const bool on_terminal = ::isatty(STDERR_FILENO) == 1;
    const auto progress = [on_terminal](const BulkReport& report) {
        if (on_terminal) {
            show_progress(report);
        }
    };
    BulkAdd bulk(
        client,
        iterations == given.numbers.end() ? 0 : static_cast<std::uint32_t>(iterations->second),
        progress);
    const Outcome outcome = bulk.run(from_stdin ? std::cin : opened);
    BulkReport report = bulk.report();
    std::sort(report.failures.begin(), report.failures.end(),
              [](const BulkFailure& a, const BulkFailure& b) { return a.line < b.line; });
    if (on_terminal && report.added + report.failed > 0) {
        std::cerr << '\n';
    }
    tell_failures(report, from_stdin ? "standard input" : given.bulk_file);
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

int run_shutdown(Client& client, const Given& given, const Options& options) {
    json::object params;
    const auto asked = given.numbers.find("drain");
    if (asked != given.numbers.end()) {
        params.emplace("drain", asked->second);
    }
    const auto result = client.call("shutdown", std::move(params));
    if (!result) {
        return complain(result.error());
    }
    const std::int64_t drain = asked == given.numbers.end()
                                   ? longest_usual_drain_seconds
                                   : static_cast<std::int64_t>(asked->second);
    if (Outcome ended = client.wait_for_end(Client::Seconds(drain + shutdown_grace_seconds));
        !ended) {
        return complain(ended);
    }
    std::cout << (options.as_json ? "{\"stopped\":true}" : "stopped") << '\n';
    return done;
}

// ---- help ----

int run_help(Client& client, const Verb& help, const std::vector<Verb>& verbs,
             const Options& options) {
    if (options.as_json) {
        return run_verb(client, help, {}, options);
    }
    std::cout << overview(verbs)
              << "\n\"user add --bulk FILE\" adds an account for each line of a "
                 "file; \"VERB --help\" tells more.\n";
    return done;
}

}  // namespace causeway::ctl
