// A look at all that a SQLite store holds: damage, what belongs to nobody, sizes.
#pragma once

#include <string>

#include "gateway/base/outcome.h"
#include "gateway/store/limits.h"
#include "gateway/store/sqlite_jobs.h"

namespace causeway {

class SqliteDatabase;

/// The first damage of the file that is found, in one line; empty if there is none. Indexes are not
/// compared with what they are of, which takes several times as long. A failure (retry) says that
/// the look itself could not be taken, or was cancelled.
Result<std::string> find_damage(SqliteDatabase& database, SqliteJobContext& context);

/// Reads everything, in one state of the store. Damage that is found is part of the report; a
/// failure (retry: cancelled; refused) says that the look itself could not be taken.
Result<StoreReport> inspect_sqlite(const std::string& path, const StoreCheck& what,
                                   const StoreLimits& limits, SqliteJobContext& context);

}  // namespace causeway
