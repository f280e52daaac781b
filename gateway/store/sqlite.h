// Store in a SQLite file (3.37 or later): one writer thread with group commit, two reader threads.
// Everything that runs here reaches the caller through its Executor, which must outlive the store
// or be stopped after it.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "gateway/store/limits.h"
#include "gateway/store/migrations.h"
#include "gateway/store/store.h"

namespace causeway {

/// Opens or creates the file (mode 0600; its folder must exist), brings it to the newest schema and
/// starts the threads. Fails with Cause::refused and a sentence when the file is another program's,
/// was used by a newer version, is damaged, or cannot be opened; with Cause::retry when it is
/// locked or the disk is full.
Result<std::unique_ptr<Store>> open_sqlite(
    const std::string& path, const StoreLimits& limits = {},
    std::span<const Migration> migrations = sqlite_migrations());

}  // namespace causeway
