// Asking for passwords; see password.h. The terminal gets its echo back on every way out, an
// interrupt included: while the question stands, signals only end the read.
#include "tools/ctl/password.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>

namespace causeway::ctl {

namespace {

constexpr std::size_t longest = 1023;

volatile std::sig_atomic_t caught = 0;

extern "C" void remember(int signal_number) { caught = signal_number; }

/// Signals that would end us are remembered, and raised again when this goes.
class SignalGuard {
public:
    SignalGuard() {
        caught = 0;
        struct sigaction action {};
        action.sa_handler = remember;  // no SA_RESTART: the read has to end
        for (std::size_t i = 0; i < signals.size(); ++i) {
            ::sigaction(signals[i], &action, &old_[i]);
        }
    }
    SignalGuard(const SignalGuard&) = delete;
    SignalGuard& operator=(const SignalGuard&) = delete;
    ~SignalGuard() {
        for (std::size_t i = 0; i < signals.size(); ++i) {
            ::sigaction(signals[i], &old_[i], nullptr);
        }
        if (caught != 0) {
            static_cast<void>(std::raise(caught));
        }
    }

private:
    static constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    std::array<struct sigaction, signals.size()> old_{};
};

class Terminal {
public:
    Terminal() : descriptor_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
        if (descriptor_ >= 0 && ::tcgetattr(descriptor_, &before_) == 0) {
            termios silent = before_;
            silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            silent.c_lflag |= ECHONL | ICANON;
            ready_ = ::tcsetattr(descriptor_, TCSAFLUSH, &silent) == 0;
        }
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal() {
        if (ready_) {
            ::tcsetattr(descriptor_, TCSAFLUSH, &before_);
        }
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    [[nodiscard]] bool ready() const { return ready_; }

    std::optional<std::string> ask(std::string_view prompt) const;

private:
    int descriptor_;
    bool ready_ = false;
    termios before_{};
};

/// One line without its end; nothing when interrupted, at the end of input, or too long.
std::optional<std::string> line_of(int descriptor) {
    std::string line;
    char c = 0;
    while (caught == 0) {
        const ssize_t got = ::read(descriptor, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return line.empty() ? std::nullopt : std::optional(line);
        }
        if (c == '\n') {
            if (!line.empty() && line.back() == '\r') {
                line.pop_back();
            }
            return line;
        }
        line += c;
        if (line.size() > longest) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<std::string> Terminal::ask(std::string_view prompt) const {
    if (::write(descriptor_, prompt.data(), prompt.size()) < 0) {
        return std::nullopt;
    }
    return line_of(descriptor_);
}

}  // namespace

Result<std::string> ask_password(const std::string& whose) {
    const SignalGuard signals;
    const Terminal terminal;
    if (!terminal.ready()) {
        return Outcome::policy(
            "there is no terminal to ask for the password on; give it on standard "
            "input with --password-stdin");
    }
    const auto first = terminal.ask("New password for " + whose + ": ");
    if (!first || first->empty()) {
        return Outcome::malformed("no password was given (1 to 1023 bytes); nothing is changed");
    }
    const auto second = terminal.ask("The same again: ");
    if (second != first) {
        return Outcome::malformed("the two passwords differ; nothing is changed");
    }
    return *first;
}

Result<std::string> read_password() {
    const auto line = line_of(STDIN_FILENO);
    if (!line || line->empty()) {
        return Outcome::malformed(
            "standard input begins with no password: one line of 1 to 1023 bytes is wanted");
    }
    return *line;
}

}  // namespace causeway::ctl
