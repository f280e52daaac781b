// Where the processes of this server began: the first id of each (Shared::first_id). A session may
// go on in a later process than the next one, if the next one ended before it was back: what came
// in between is what came since the process behind its own began. The store has the latest few.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "gateway/base/outcome.h"

namespace causeway {

struct Hub;

namespace process_starts {

/// This process begins.
void note(Hub& hub, std::function<void(const Outcome&)> then);
/// Rising, this process included. If they cannot be read it is the only one.
void read(Hub& hub, std::function<void(const std::vector<std::uint64_t>&)> then);
/// Where the process after the one that began there began; 0: it is not known.
[[nodiscard]] std::uint64_t after(const std::vector<std::uint64_t>& starts, std::uint64_t start);

}  // namespace process_starts
}  // namespace causeway
