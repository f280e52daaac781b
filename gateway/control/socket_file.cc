// Claiming the control socket's path; see socket_file.h. Two servers that start at once on the same
// stale file would each think it theirs: a lock on the directory, held while the file is examined,
// replaced and listened on, puts one after the other and leaves nothing behind.
#include "gateway/control/socket_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace causeway::control {

namespace {

constexpr int backlog = 16;
constexpr int lock_attempts = 200;
constexpr std::chrono::milliseconds lock_pause{10};

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    [[nodiscard]] int get() const { return number_; }
    int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

std::string reason(int error) { return std::generic_category().message(error); }

Outcome refused(const std::string& path, const std::string& what) {
    return Outcome::refused("control socket " + path + ": " + what);
}

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return refused(path, "a Unix socket's path has 1 to " +
                                 std::to_string(sizeof address.sun_path - 1) + " bytes, this has " +
                                 std::to_string(path.size()));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

int new_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

/// Locks the directory for as long as `directory` is open. Others hold it for moments.
Outcome lock_socket(const Descriptor& directory, const std::string& path) {
    for (int attempt = 0; attempt < lock_attempts; ++attempt) {
        if (::flock(directory.get(), LOCK_EX | LOCK_NB) == 0) {
            return {};
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return refused(path, "cannot lock its directory: " + reason(errno));
        }
        std::this_thread::sleep_for(lock_pause);
    }
    return refused(path, "another process keeps its directory locked");
}

/// Removes a socket that nobody listens on; ok too when there is nothing.
Outcome clear_stale(const std::string& path, const sockaddr_un& address) {
    struct stat present {};
    if (::lstat(path.c_str(), &present) != 0) {
        return errno == ENOENT ? Outcome{} : refused(path, reason(errno));
    }
    if (!S_ISSOCK(present.st_mode)) {
        return refused(path, "is there and is not a socket; move it away or set control.socket");
    }
    const Descriptor probe(new_socket());
    if (probe.get() < 0) {
        return refused(path, reason(errno));
    }
    if (::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN) {
        return refused(path,
                       "another process answers there; stop it first (causewayctl shutdown) or set "
                       "control.socket to another path");
    }
    if (errno != ECONNREFUSED) {
        return refused(path, "is in use or not ours: " + reason(errno));
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return refused(path, "cannot remove the stale socket: " + reason(errno));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<SocketFile>> SocketFile::claim(std::string path) {
    const auto address = address_of(path);
    if (!address) {
        return address.error();
    }
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    const std::string directory_name = parent.empty() ? "." : parent.string();
    const Descriptor directory(::open(directory_name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) {
        return refused(path, "its directory " + directory_name +
                                 " cannot be opened: " + reason(errno) +
                                 "; make it, or set control.socket to another path");
    }
    if (Outcome locked = lock_socket(directory, path); !locked) {
        return locked;
    }
    if (Outcome cleared = clear_stale(path, *address); !cleared) {
        return cleared;
    }
    Descriptor socket(new_socket());
    // The file gets the mode of the socket less the umask: set before bind, there is no moment in
    // which others could connect.
    if (socket.get() < 0 || ::fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0 ||
        ::bind(socket.get(), generic(*address), sizeof *address) != 0) {
        return refused(path, reason(errno));
    }
    std::unique_ptr<SocketFile> file(new SocketFile(std::move(path), socket.release()));
    struct stat own {};
    if (::lstat(file->path_.c_str(), &own) != 0) {
        return refused(file->path_, reason(errno));
    }
    file->device_ = own.st_dev;
    file->inode_ = own.st_ino;
    // A umask that takes our own bits away would lock the owner out.
    if (::chmod(file->path_.c_str(), S_IRUSR | S_IWUSR) != 0 ||
        ::listen(file->listening_, backlog) != 0) {
        return refused(file->path_, reason(errno));
    }
    return file;
}

SocketFile::~SocketFile() {
    if (listening_ >= 0) {
        ::close(listening_);
    }
    struct stat present {};
    if (inode_ != 0 && ::lstat(path_.c_str(), &present) == 0 && present.st_dev == device_ &&
        present.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
}

int SocketFile::release() { return std::exchange(listening_, -1); }

}  // namespace causeway::control
