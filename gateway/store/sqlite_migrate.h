// Brings a database to the newest schema, step by step, each step whole or not at all.
#pragma once

#include <span>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"
#include "gateway/store/migrations.h"
#include "gateway/store/sqlite_database.h"

namespace causeway {

/// Applies the steps that the file has not seen, and records them in its table `migrations` with
/// the time `now`. Refuses, and leaves the file as it was, when it belongs to another program or
/// has steps that this program does not know (it was used by a newer one).
Outcome migrate(SqliteDatabase& database, std::span<const Migration> steps, UnixMillis now);

}  // namespace causeway
