// The command `check`: what a server that wants to federate sees of a domain.
#pragma once

#include <span>

#include "gateway/control/command.h"

namespace causeway {

std::span<const control::Command> check_commands();

}  // namespace causeway
