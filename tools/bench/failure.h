// How the load generator reports that something went wrong: a reason as a value, never an
// exception.
#pragma once

#include <optional>
#include <string>

namespace causeway::bench {

/// Empty when all went well; otherwise the reason, as a sentence ready to print.
using Failure = std::optional<std::string>;

}  // namespace causeway::bench
