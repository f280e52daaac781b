// The archive's verbs of the control socket: archive show, archive export, archive purge. They work
// on the store alone.
#pragma once

#include <span>

#include "gateway/feature/command.h"

namespace causeway {

std::span<const control::Command> archive_commands();

}  // namespace causeway
