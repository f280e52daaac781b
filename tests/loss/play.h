// Plays a schedule with whole servers in simulated time and tells what happened.
#pragma once

#include <string>
#include <vector>

#include "tests/loss/history.h"
#include "tests/loss/schedule.h"
#include "tests/support/scene_server.h"

namespace causeway::loss {

struct Played {
    History history = {};
    std::vector<std::string> journal = {};  ///< every event and fault, with its time
};

/// Throws std::runtime_error where a server does not start.
Played play(const Schedule& schedule, scene::SceneCertificates& certificates);

}  // namespace causeway::loss
