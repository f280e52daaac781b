// See log_output.h. A write to a pipe or terminal whose reader sleeps would block, and O_NONBLOCK
// belongs to the open file, which the parent process shares. So a pipe or terminal is opened anew
// through /proc for a write that does not block, and a socket is told for each write.
#include "gateway/base/log_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

namespace causeway::log {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a wait lasts before the deadline is looked at again, for it may have been set
/// meanwhile.
constexpr std::chrono::milliseconds look{50};
/// For what is told before there is a log.
constexpr std::chrono::milliseconds telling_patience{1000};

class Target {
public:
    explicit Target(int descriptor) : descriptor_(descriptor) {
        struct stat status {};
        if (::fstat(descriptor, &status) != 0) return;
        // What was closed at the start and only reads (see secure_standard_streams) stays so.
        if ((::fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY) return;
        if (S_ISSOCK(status.st_mode)) {
            socket_ = true;
        } else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
            const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
            own_ = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        }
    }
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    ~Target() {
        if (own_ >= 0) ::close(own_);
    }

    [[nodiscard]] int descriptor() const { return own_ >= 0 ? own_ : descriptor_; }
    [[nodiscard]] ssize_t write(std::string_view bytes) const {
        if (socket_) {
            return ::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        // Where it could not be opened anew: poll() promises room for this much in a pipe.
        const std::size_t most =
            own_ >= 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), PIPE_BUF);
        return ::write(descriptor(), bytes.data(), most);
    }

private:
    int descriptor_;
    int own_ = -1;
    bool socket_ = false;
};

/// `over()` tells whether the time is.
template <class Over>
bool write_all(int descriptor, std::string_view line, const Over& over) {
    const Target target(descriptor);
    const std::string text = std::string(line) + '\n';
    std::string_view rest = text;
    while (!rest.empty()) {
        pollfd wait{target.descriptor(), POLLOUT, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(look.count()));
        if (ready < 0 && errno != EINTR) return false;
        if (ready > 0) {
            const ssize_t written = target.write(rest);
            if (written > 0) {
                rest.remove_prefix(static_cast<std::size_t>(written));
                continue;
            }
            if (written == 0 || (errno != EINTR && errno != EAGAIN)) return false;
        }
        if (over()) return false;
    }
    return true;
}

}  // namespace

void secure_standard_streams() {
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(standard, F_GETFD) >= 0) continue;
        const int null = ::open("/dev/null", O_RDONLY);
        if (null >= 0 && null != standard) {
            ::dup2(null, standard);
            ::close(null);
        }
    }
}

bool write_line(int descriptor, std::string_view line, std::chrono::milliseconds patience) {
    const auto end = Clock::now() + patience;
    return write_all(descriptor, line, [end] { return Clock::now() >= end; });
}

void tell(std::string_view line) { write_line(STDERR_FILENO, line, telling_patience); }

bool Output::put(std::string_view line) {
    return write_all(STDERR_FILENO, line, [this] {
        const auto deadline = deadline_.load();
        return deadline != never && Clock::now().time_since_epoch().count() >= deadline;
    });
}

void Output::finish(std::chrono::milliseconds patience) {
    deadline_ = (Clock::now() + patience).time_since_epoch().count();
}

}  // namespace causeway::log
