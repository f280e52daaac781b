// A look at all that a SQLite store holds: damage, what belongs to nobody, sizes.
#pragma once

#include <string>

#include "gateway/base/outcome.h"
#include "gateway/store/limits.h"
#include "gateway/store/sqlite_jobs.h"

namespace causeway {

/// Reads everything, in one state of the store. Damage that is found is part of the report; a
/// failure (retry: cancelled; refused) says that the look itself could not be taken.
Result<StoreReport> inspect_sqlite(const std::string& path, const StoreCheck& what,
                                   const StoreLimits& limits, SqliteJobContext& context);

}  // namespace causeway
