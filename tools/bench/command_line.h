// The command line of causeway-bench.
#pragma once

#include <optional>

#include "tools/bench/options.h"

namespace causeway::bench {

/// Parses the command line. Empty when the program is to exit at once, with `exit_status` set: 0
/// after help or version, 2 for a bad command line, which has then been explained on stderr.
[[nodiscard]] std::optional<Options> parse_command_line(int argc, char** argv, int& exit_status);

}  // namespace causeway::bench
