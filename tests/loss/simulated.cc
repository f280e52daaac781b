// Are messages lost, doubled, reordered or left without an outcome, whatever breaks? Whole servers
// in simulated time, where faults drawn from a seed happen in the middle of what is under way:
//
//     loss-schedules [--first N] [--count N]   so many seeds (400 from 1)
//     loss-schedules --seed N [--log]          one alone, with its journal (and the servers' log)
//     loss-schedules --seed N --without 2,5    without these faults of it
//     loss-schedules --seed N --shrink         finds out which faults it needs to fail
//
// A seed that fails is described with what became of the messages concerned. Exit status 1 if any
// did. tests/loss/run.py does the same with processes, sockets and disks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/features/registry.h"
#include "tests/loss/judge.h"
#include "tests/loss/play.h"
#include "tests/loss/schedule.h"
#include "tests/loss/seeded_random.h"

namespace causeway::loss {
namespace {

struct Arguments {
    std::uint64_t first = 1, count = 400;
    bool alone = false, log = false, shrink = false;
    std::vector<std::size_t> without;
};

struct Run {
    Played played;
    Verdict verdict;
};

Run run(const Schedule& schedule, scene::SceneCertificates& certificates) {
    seed_random(schedule.seed);
    Run done;
    try {
        done.played = play(schedule, certificates);
        done.verdict = judge(done.played.history);
    } catch (const std::exception& error) {
        done.verdict.findings.push_back({Finding::Kind::wrong, 0, error.what()});
    }
    return done;
}

Arguments read_arguments(const std::vector<std::string>& given) {
    Arguments arguments;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const auto value = [&] {
            if (++i == given.size()) throw std::runtime_error(given[i - 1] + " needs a value");
            return given[i];
        };
        if (given[i] == "--seed") {
            arguments.alone = true;
            arguments.first = std::stoull(value());
            arguments.count = 1;
        } else if (given[i] == "--first") {
            arguments.first = std::stoull(value());
        } else if (given[i] == "--count") {
            arguments.count = std::stoull(value());
        } else if (given[i] == "--log") {
            arguments.log = true;
        } else if (given[i] == "--shrink") {
            arguments.shrink = true;
        } else if (given[i] == "--without") {
            const std::string list = value();
            for (std::size_t at = 0; at < list.size();) {
                const std::size_t end = std::min(list.find(',', at), list.size());
                arguments.without.push_back(std::stoul(list.substr(at, end - at)));
                at = end + 1;
            }
        } else {
            throw std::runtime_error("unknown option " + given[i]);
        }
    }
    return arguments;
}

/// Without each fault that it does not need to fail in one of the same ways.
std::vector<std::size_t> shrink(const Schedule& schedule, const Verdict& verdict,
                                scene::SceneCertificates& certificates) {
    std::vector<std::size_t> left_out;
    for (std::size_t fault = 1; fault <= schedule.faults.size(); ++fault) {
        left_out.push_back(fault);
        const Run shorter = run(without(schedule, left_out), certificates);
        const bool same = std::ranges::any_of(shorter.verdict.findings, [&](const Finding& one) {
            return std::ranges::find(verdict.findings, one.kind, &Finding::kind) !=
                   verdict.findings.end();
        });
        if (!same) left_out.pop_back();
    }
    return left_out;
}

void print_failure(const Schedule& schedule, const Verdict& verdict) {
    fmt::print("not ok seed {}\n{}", schedule.seed, describe(schedule));
    for (const Finding& one : verdict.findings) {
        fmt::print("  {}: {}\n", name_of(one.kind), one.text);
    }
    fmt::print("  again, with its journal: loss-schedules --seed {}\n", schedule.seed);
}

int run_alone(const Arguments& arguments, scene::SceneCertificates& certificates) {
    const Schedule schedule = without(draw(arguments.first), arguments.without);
    if (arguments.log) log::configure(log::Level::debug, false);
    const Run done = run(schedule, certificates);
    if (arguments.log) log::stop();
    for (const std::string& line : done.played.journal) fmt::print("{}\n", line);
    for (const Finding& one : done.verdict.tolerated) {
        fmt::print("not promised: {}: {}\n", name_of(one.kind), one.text);
    }
    if (done.verdict.findings.empty()) {
        fmt::print("{}ok seed {}\n", describe(schedule), schedule.seed);
        return 0;
    }
    print_failure(schedule, done.verdict);
    if (arguments.shrink) {
        fmt::print("it fails as well --without {}\n",
                   fmt::join(shrink(schedule, done.verdict, certificates), ","));
    }
    return 1;
}

int run_many(const Arguments& arguments, scene::SceneCertificates& certificates) {
    std::size_t failed = 0, messages = 0, tolerated = 0;
    for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.count; ++seed) {
        const Schedule schedule = draw(seed);
        const Run done = run(schedule, certificates);
        messages += done.played.history.messages.size();
        tolerated += done.verdict.tolerated.size();
        if (done.verdict.findings.empty()) continue;
        print_failure(schedule, done.verdict);
        std::fflush(stdout);
        ++failed;
    }
    fmt::print("{} of {} seeds failed; {} messages, {} cases of what is not promised\n", failed,
               arguments.count, messages, tolerated);
    return failed == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& given) {
    const Arguments arguments = read_arguments(given);
    scene::SceneCertificates certificates;
    return arguments.alone ? run_alone(arguments, certificates) : run_many(arguments, certificates);
}

}  // namespace
}  // namespace causeway::loss

int main(int argc, char** argv) {
    causeway::declare_feature_options();
    try {
        return causeway::loss::run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        fmt::print("loss-schedules: {}\n", error.what());
        return 2;
    }
}
