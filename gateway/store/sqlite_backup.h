// A copy of a SQLite store while it is in use.
#pragma once

#include <string>

#include "gateway/base/outcome.h"
#include "gateway/store/limits.h"
#include "gateway/store/sqlite_jobs.h"

namespace causeway {

/// Copies the state that the store has at the beginning into the new file `to` (absolute, mode
/// 0600), which is one file and is opened like any store. It is written under another name beside
/// it and gets its own when it is whole and durable; a failure leaves nothing behind. Refused
/// (something stands at `to`, no permission, no room), retry (cancelled, the disk fails).
Result<StoreBackup> back_up_sqlite(const std::string& from, const std::string& to,
                                   const StoreLimits& limits, SqliteJobContext& context);

}  // namespace causeway
