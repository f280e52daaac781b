// SocketFile: the control socket's place in the file system. Claims a path with mode 0600 from its
// first moment, whatever the umask; replaces what a dead process left and never what a live one
// uses; removes the file in the end. Blocks, for moments: for start-up only.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "gateway/base/outcome.h"

namespace causeway::control {

class SocketFile {
public:
    /// Binds and listens. Refused, with what to do, if another process answers at `path`, if the
    /// path is something else than a socket, or if the system does not let us.
    static Result<std::unique_ptr<SocketFile>> claim(std::string path);
    SocketFile(const SocketFile&) = delete;
    SocketFile& operator=(const SocketFile&) = delete;
    /// Removes the file, unless another process has put its own in that place.
    ~SocketFile();

    /// Gives the listening descriptor away; -1 after the first call.
    int release();
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    SocketFile(std::string path, int descriptor) : path_(std::move(path)), listening_(descriptor) {}
    std::string path_;
    int listening_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace causeway::control
