#include "gateway/store/write_back.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace causeway {
namespace {

/// Bytes of the file that one part looks at. Few of them have been written as a rule.
constexpr off_t smallest_part = 256 << 10;
/// A large file has no more parts than that: each costs a call.
constexpr off_t parts_at_most = 8192;

}  // namespace

void write_back_gently(int file, const std::function<bool()>& goes_on) {
    struct stat status {};
    if (::fstat(file, &status) != 0) return;
    const off_t part = std::max(smallest_part, status.st_size / parts_at_most);
    for (off_t at = 0; at < status.st_size && goes_on(); at += part) {
        // Some file systems cannot do that. Then the flush does it all.
        if (::sync_file_range(file, at, part,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER) != 0) {
            return;
        }
    }
}

}  // namespace causeway
