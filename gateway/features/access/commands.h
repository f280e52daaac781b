// The verbs of the control socket for access rules; view_commands.cc has those for views and
// requests.
#pragma once

#include <array>

#include "gateway/feature/command.h"

namespace causeway {

extern constinit const std::array<control::Command, 5> access_commands;

}  // namespace causeway
