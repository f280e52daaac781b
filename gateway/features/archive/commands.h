// The archive's verbs of the control socket: archive show, archive export, archive purge. They work
// on the store alone.
#pragma once

#include <array>

#include "gateway/feature/command.h"

namespace causeway {

extern const std::array<control::Command, 3> archive_commands;

}  // namespace causeway
