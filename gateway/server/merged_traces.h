// What the shards' traces found of one stanza, as one list.
#pragma once

#include <vector>

#include "gateway/trace/trace.h"

namespace causeway {

/// The events of each shard stay in their order; of those of one millisecond the one that is
/// earlier on a stanza's way comes first.
std::vector<TraceLine> merged(const std::vector<Trace::Found>& found);

}  // namespace causeway
