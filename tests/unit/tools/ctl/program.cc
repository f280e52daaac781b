#include "tests/unit/tools/ctl/program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace causeway::ctl {

namespace {

constexpr int patience_milliseconds = 20'000;

std::string program_path() {
    if (const char* given = std::getenv("CAUSEWAYCTL")) {
        return given;
    }
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    return (self.parent_path().parent_path() / "tools" / "causewayctl").string();
}

/// The arguments as exec wants them; pointers into `arguments`.
std::vector<char*> pointers(std::vector<std::string>& arguments) {
    std::vector<char*> list;
    for (std::string& argument : arguments) {
        list.push_back(argument.data());
    }
    list.push_back(nullptr);
    return list;
}

/// The program with its arguments; fails the test if it has not been built.
std::vector<std::string> command_line(const std::vector<std::string>& arguments) {
    std::vector<std::string> all{program_path()};
    REQUIRE_MESSAGE(::access(all.front().c_str(), X_OK) == 0, "no program ", all.front());
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
}

int status_of(pid_t child) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class TemporaryFile {
public:
    TemporaryFile() : file_(std::tmpfile()) { REQUIRE(file_ != nullptr); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { std::fclose(file_); }
    [[nodiscard]] int descriptor() const { return ::fileno(file_); }
    void fill(const std::string& text) {
        std::fwrite(text.data(), 1, text.size(), file_);
        std::rewind(file_);
    }
    std::string content() {
        std::string text;
        std::array<char, 4096> some{};
        std::rewind(file_);
        while (const std::size_t got = std::fread(some.data(), 1, some.size(), file_)) {
            text.append(some.data(), got);
        }
        return text;
    }

private:
    std::FILE* file_;
};

/// Reads from the terminal until it has shown `text` once more, or its other side is closed.
bool read_until(int terminal, std::string_view text, std::string& shown) {
    const std::size_t from = shown.size();
    while (text.empty() || shown.find(text, from) == std::string::npos) {
        pollfd wait{terminal, POLLIN, 0};
        REQUIRE_MESSAGE(::poll(&wait, 1, patience_milliseconds) == 1, "silent after: ", shown);
        std::array<char, 4096> some{};
        const ssize_t got = ::read(terminal, some.data(), some.size());
        if (got <= 0) {
            return false;
        }
        shown.append(some.data(), static_cast<std::size_t>(got));
    }
    return true;
}

}  // namespace

Ran run_program(const std::vector<std::string>& arguments, const std::string& input) {
    std::vector<std::string> all = command_line(arguments);
    const std::vector<char*> list = pointers(all);
    TemporaryFile in;
    TemporaryFile out;
    TemporaryFile err;
    in.fill(input);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // A session of its own has no terminal, whoever runs the tests.
        ::setsid();
        ::dup2(in.descriptor(), STDIN_FILENO);
        ::dup2(out.descriptor(), STDOUT_FILENO);
        ::dup2(err.descriptor(), STDERR_FILENO);
        ::execv(list.front(), list.data());
        ::_exit(127);
    }
    const int status = status_of(child);
    return {status, out.content(), err.content()};
}

Ran run_on_terminal(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& typed) {
    std::vector<std::string> all = command_line(arguments);
    const std::vector<char*> list = pointers(all);
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0);
    REQUIRE(::grantpt(terminal) == 0);
    REQUIRE(::unlockpt(terminal) == 0);
    const std::string name = ::ptsname(terminal);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::setsid();
        const int line = ::open(name.c_str(), O_RDWR);  // becomes the controlling terminal
        for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
            ::dup2(line, descriptor);
        }
        ::execv(list.front(), list.data());
        ::_exit(127);
    }
    Ran ran;
    bool open = true;
    for (const std::string& text : typed) {
        // Echo is off before the prompt stands: what is typed after it is not shown.
        open = open && read_until(terminal, ": ", ran.out);
        if (open) {
            const std::string entered = text + "\n";
            REQUIRE(::write(terminal, entered.data(), entered.size()) ==
                    static_cast<ssize_t>(entered.size()));
        }
    }
    if (open) {
        read_until(terminal, {}, ran.out);
    }
    ran.status = status_of(child);
    ::close(terminal);
    return ran;
}

}  // namespace causeway::ctl
