// Brings a database to the newest schema, step by step, each step whole or not at all.
#pragma once

#include <cstdint>
#include <span>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"
#include "gateway/store/migrations.h"
#include "gateway/store/sqlite_database.h"

namespace causeway {

/// What schema_of() tells of a database without any table.
inline constexpr std::int64_t no_schema = -1;

/// The number of the last step that the file has seen. Refused when it belongs to another program.
Result<std::int64_t> schema_of(SqliteDatabase& database);

/// What a file is refused with that has more steps than this program knows.
Outcome newer_schema(std::int64_t found, std::int64_t known);

/// Applies the steps that the file has not seen, and records them in its table `migrations` with
/// the time `now`. Refuses, and leaves the file as it was, when it belongs to another program or
/// has steps that this program does not know (it was used by a newer one).
Outcome migrate(SqliteDatabase& database, std::span<const Migration> steps, UnixMillis now);

}  // namespace causeway
