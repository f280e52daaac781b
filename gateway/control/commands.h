// The rows that every server has, over the Operations: parameters, answer, and how the answer
// looks. Features have theirs in their own files.
#pragma once

#include <span>

#include "gateway/control/command.h"

namespace causeway::control {

std::span<const Command> process_commands();  ///< status, reload, log.level, shutdown
std::span<const Command> user_commands();     ///< user.*, session.*
std::span<const Command> peer_commands();     ///< peer.*, queue.*
std::span<const Command> store_commands();    ///< backup, store.*

/// Adds all of these. Refused if a name is taken: a mistake in the program.
Outcome add_engine_commands(CommandTable& table);

}  // namespace causeway::control
