// What the shards' traces found of one stanza, as one list.
#pragma once

#include <vector>

#include "gateway/trace/trace.h"

namespace causeway {

/// In the order in which they happened, on whichever shard.
std::vector<TraceLine> merged(const std::vector<Trace::Found>& found);

}  // namespace causeway
