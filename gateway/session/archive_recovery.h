// What stands in archives above the archive mark when the process starts was on its way to somebody
// when the one before ended. It is listed for the next session of its account, which then gets it
// once more if it had it already.
#pragma once

#include <cstdint>

#include "gateway/session/hub.h"

namespace causeway {

/// Begins to list; `newest` is above every id of the runs before. On the shard of `hub`; accounts
/// that are in use already are told.
void list_after_crash(Hub& hub, std::uint64_t newest);

}  // namespace causeway
