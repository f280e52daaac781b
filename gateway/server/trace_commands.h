// The commands of the trace: `trace`, live until it is cancelled, and `why`.
#pragma once

#include <span>

#include "gateway/control/command.h"

namespace causeway {

std::span<const control::Command> trace_commands();

}  // namespace causeway
