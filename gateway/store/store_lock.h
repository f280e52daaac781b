// One process at a time: two servers on one file would both send what waits there, and each would
// miss what the other has stored.
#pragma once

#include <string>

#include "gateway/base/outcome.h"

namespace causeway {

/// Holds a lock on the database file for as long as it lives. It is not one of SQLite's own locks,
/// so that a look or a backup by other programs goes on working.
class StoreLock {
public:
    /// The file must exist. Refused, with the path, while another process holds it. Make it before
    /// SQLite opens the file and let go of it after SQLite has closed it: closing any descriptor of
    /// a file drops the locks that SQLite holds on it in this process (POSIX).
    static Result<StoreLock> claim(const std::string& path);

    StoreLock(StoreLock&& other) noexcept;
    StoreLock& operator=(StoreLock&&) = delete;
    StoreLock(const StoreLock&) = delete;
    StoreLock& operator=(const StoreLock&) = delete;
    ~StoreLock();

    /// The database file, open for reading, for as long as this lives.
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    explicit StoreLock(int descriptor) : descriptor_(descriptor) {}

    int descriptor_;
};

}  // namespace causeway
