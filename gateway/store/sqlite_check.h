// What would become of a store's file if it were opened: found out without opening it as a database
// that is in use. Nothing is created, migrated, locked or cleaned up, not even by root.
#pragma once

#include <string>

#include "gateway/base/outcome.h"
#include "gateway/store/migrations.h"

namespace causeway {

/// A sentence such as "will be created". Refused if open_sqlite() would be: another program's file,
/// a newer schema, no regular file, a folder that does not exist, no permission.
Result<std::string> check_sqlite(const std::string& path,
                                 std::span<const Migration> migrations = sqlite_migrations());

}  // namespace causeway
