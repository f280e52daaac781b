#include "gateway/store/store_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace causeway {

Result<StoreLock> StoreLock::claim(const std::string& path) {
    StoreLock lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    int taken = -1;
    if (lock.descriptor_ >= 0) {
        do {
            taken = ::flock(lock.descriptor_, LOCK_EX | LOCK_NB);
        } while (taken != 0 && errno == EINTR);
    }
    if (taken == 0) return lock;
    if (lock.descriptor_ >= 0 && errno == EWOULDBLOCK) {
        return Outcome::refused(
            fmt::format("{} is in use by another causeway; stop that first (causewayctl shutdown) "
                        "or set store.url to another path",
                        path));
    }
    return Outcome::refused(
        fmt::format("cannot lock {}: {}", path, std::generic_category().message(errno)));
}

StoreLock::StoreLock(StoreLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

StoreLock::~StoreLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace causeway
