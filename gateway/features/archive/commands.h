// The archive's verbs of the control socket: archive show, export, purge and keep. They work on the
// store alone.
#pragma once

#include <array>

#include "gateway/feature/command.h"

namespace causeway {

extern const std::array<control::Command, 4> archive_commands;

}  // namespace causeway
