// What an administrator sees of rosters: the verbs `roster show` and `subscriptions`.
#pragma once

#include <array>

#include "gateway/feature/command.h"

namespace causeway {

extern const std::array<control::Command, 2> roster_commands;

}  // namespace causeway
