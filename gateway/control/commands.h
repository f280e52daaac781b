// The rows that every server has: each verb of causewayctl, its parameters and its answer, over the
// Operations. Features with verbs of their own add theirs to the same table.
#pragma once

#include "gateway/control/command.h"
#include "gateway/control/operations.h"

namespace causeway::control {

/// Adds the rows to `table`, whose handlers keep a reference to `operations`. Refused if a name is
/// taken: a mistake in the program.
Outcome add_commands(CommandTable& table, Operations& operations);

}  // namespace causeway::control
