// What causewayctl does with a verb once the command line has been read: asks the server, prints
// the answer, and says on standard error why not. Each returns the exit status.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/outcome.h"
#include "tools/ctl/client.h"
#include "tools/ctl/verbs.h"

namespace causeway::ctl {

inline constexpr int done = 0;
inline constexpr int failed = 1;
inline constexpr int bad_usage = 2;

/// What every verb's command line may say.
struct Options {
    std::string socket;
    bool as_json = false;
    std::int64_t timeout = 300;
};

/// What the command line said to one verb.
struct Given {
    std::map<std::string, std::string> texts;  ///< by parameter
    std::map<std::string, std::uint64_t> numbers;
    std::set<std::string> flags;  ///< those that were given
    bool password_stdin = false;
    std::string bulk_file;
};

/// Says what went wrong.
int complain(const Outcome& outcome, int status = failed);
/// To the socket that the options name; the failure says what to do.
Result<std::unique_ptr<Client>> connect(const Options& options);

/// Any verb: its parameters as they were given, its answer as it says.
int run_verb(Client& client, const Verb& verb, const Given& given, const Options& options);
/// `user add --bulk`.
int run_bulk(Client& client, const Given& given, const Options& options);
/// `shutdown`, which waits for the end of the server.
int run_shutdown(Client& client, const Given& given, const Options& options);
/// `help`: the verbs, or with --json the methods.
int run_help(Client& client, const Verb& help, const std::vector<Verb>& verbs,
             const Options& options);

}  // namespace causeway::ctl
