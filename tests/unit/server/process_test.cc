// The program itself, as a process: what it does with a standard error that is closed, full or not
// read, and that a check changes nothing.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/sanitizers.h"
#include "tests/support/test_certificates.h"

using namespace causeway;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::chrono::seconds patience{60};

std::string program_path() {
    if (const char* given = std::getenv("CAUSEWAY")) return given;
    const auto self = fs::read_symlink("/proc/self/exe");
    return (self.parent_path().parent_path() / "gateway" / "causeway").string();
}

/// A configuration that serves a.test, on no port at all.
struct Installed {
    Installed() {
        fs::create_directory(files.path_of("tls"));
        const TestCertificate made = issue({.common_name = "a.test", .dns = {"a.test"}});
        files.write("tls/a.test.crt", made.certificate_pem());
        files.write("tls/a.test.key", made.key_pem());
        files.write("causeway.toml",
                    "[[domain]]\nname = \"a.test\"\n[c2s]\nlisten = []\n"
                    "[s2s]\nlisten = []\n[server]\nthreads = 1\n"
                    "[log]\nlevel = \"debug\"\n");
    }
    /// Names, sizes and times of all files.
    [[nodiscard]] std::map<std::string, std::string> snapshot() const {
        std::map<std::string, std::string> found;
        const fs::path top = files.path_of("");
        for (const auto& entry : fs::recursive_directory_iterator(top)) {
            std::string content;
            if (entry.is_regular_file()) {
                std::ifstream in(entry.path());
                content.assign(std::istreambuf_iterator<char>(in), {});
            }
            const auto changed = entry.last_write_time().time_since_epoch().count();
            found[entry.path().string()] = content + "|" + std::to_string(changed);
        }
        found["."] = std::to_string(fs::last_write_time(top).time_since_epoch().count());
        return found;
    }

    TestDirectory files;
};

class Running {
public:
    /// `before` prepares the child's descriptors, with calls that are safe after a fork alone.
    Running(const Installed& installed, const std::vector<std::string>& more,
            const std::function<void()>& before) {
        std::vector<std::string> words{program_path(), "--config",
                                       installed.files.path_of("causeway.toml")};
        words.insert(words.end(), more.begin(), more.end());
        REQUIRE_MESSAGE(::access(words.front().c_str(), X_OK) == 0, "no program ", words.front());
        std::vector<char*> list;
        for (std::string& word : words) list.push_back(word.data());
        list.push_back(nullptr);
        child_ = ::fork();
        REQUIRE(child_ >= 0);
        if (child_ == 0) {
            before();
            ::execv(list.front(), list.data());
            ::_exit(127);
        }
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
    }

    void signal(int number) const { ::kill(child_, number); }
    /// Exit status, or nothing if it has not ended in time.
    std::optional<int> status() {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < until) {
            int status = 0;
            if (::waitpid(child_, &status, WNOHANG) == child_) {
                child_ = 0;
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return std::nullopt;
    }

private:
    pid_t child_ = 0;
};

/// One request to the control socket, which exists a moment after the start; the result.
json::value ask(const Installed& installed, const std::string& line) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = installed.files.path_of("causeway.sock");
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto until = std::chrono::steady_clock::now() + patience;
    const int to = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    REQUIRE(::write(to, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    ::shutdown(to, SHUT_WR);
    std::string reply;
    std::array<char, 65536> some{};
    pollfd wait{to, POLLIN, 0};
    while (::poll(&wait, 1, 60'000) == 1) {
        const ssize_t got = ::read(to, some.data(), some.size());
        if (got <= 0) break;
        reply.append(some.data(), static_cast<std::size_t>(got));
    }
    ::close(to);
    REQUIRE_FALSE(reply.empty());
    return json::parse(reply).at("result");
}

constexpr const char* status_request = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
constexpr const char* level_request =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"log.level\",\"params\":{\"level\":\"debug\"}}\n";

/// Starts, answers, logs, ends, and has counted what standard error did not take.
void serves_and_ends(const std::function<void()>& before, bool counts) {
    const Installed installed;
    Running server(installed, {}, before);
    ask(installed, level_request);
    std::int64_t dropped = 0;
    for (int i = 0; i < 200 && counts && dropped == 0; ++i) {
        dropped = ask(installed, status_request).at("log_dropped").to_number<std::int64_t>();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (counts) CHECK(dropped > 0);
    server.signal(SIGTERM);
    const auto status = server.status();
    REQUIRE(status.has_value());
    CHECK(*status == 0);
}

}  // namespace

TEST_CASE("process: a standard error that is closed costs nothing but the log" *
          doctest::skip(causeway::test::sanitized)) {
    serves_and_ends([] { ::close(STDERR_FILENO); }, true);
    serves_and_ends(
        [] {
            for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
                ::close(standard);
            }
        },
        true);
}

TEST_CASE("process: a standard error that is full costs nothing but the log" *
          doctest::skip(causeway::test::sanitized)) {
    serves_and_ends([] { ::dup2(::open("/dev/full", O_WRONLY), STDERR_FILENO); }, true);
}

TEST_CASE("process: a standard error that nobody reads does not hold up the start or the end" *
          doctest::skip(causeway::test::sanitized)) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
    const std::string page(4096, 'x');
    while (::write(ends[1], page.data(), page.size()) > 0) {
    }
    ::fcntl(ends[1], F_SETFL, 0);
    serves_and_ends([&] { ::dup2(ends[1], STDERR_FILENO); }, false);
    ::close(ends[0]);
    // A reader that is gone.
    serves_and_ends([&] { ::dup2(ends[1], STDERR_FILENO); }, true);
    ::close(ends[1]);

    // A socket, as under a service manager.
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    while (::send(ends[1], page.data(), page.size(), MSG_DONTWAIT) > 0) {
    }
    serves_and_ends([&] { ::dup2(ends[1], STDERR_FILENO); }, false);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("process: an error that cannot be told still ends with its status" *
          doctest::skip(causeway::test::sanitized)) {
    const Installed installed;
    fs::remove(installed.files.path_of("tls/a.test.key"));
    const auto to_full = [] {
        ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
        ::dup2(STDOUT_FILENO, STDERR_FILENO);
    };
    CHECK(Running(installed, {}, to_full).status() == 2);
    const Installed whole;
    CHECK(Running(whole, {"--check"}, to_full).status() == 1);
}

TEST_CASE("process: a check creates and changes nothing" *
          doctest::skip(causeway::test::sanitized)) {
    const Installed installed;
    const auto quietly = [] {
        ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
        ::dup2(STDOUT_FILENO, STDERR_FILENO);
    };
    const auto check_changes_nothing = [&] {
        const auto before = installed.snapshot();
        CHECK(Running(installed, {"--check"}, quietly).status() == 0);
        CHECK(installed.snapshot() == before);
    };
    check_changes_nothing();
    CHECK_FALSE(fs::exists(installed.files.path_of("causeway.db")));
    {
        // After a crash the write-ahead log stays; a check must not clean it up.
        Running server(installed, {}, quietly);
        ask(installed, status_request);
        server.signal(SIGKILL);
        server.status();
    }
    REQUIRE(fs::exists(installed.files.path_of("causeway.db-wal")));
    fs::remove(installed.files.path_of("causeway.sock"));
    check_changes_nothing();
    {
        Running server(installed, {}, quietly);
        ask(installed, status_request);
        server.signal(SIGTERM);
        CHECK(server.status() == 0);
    }
    REQUIRE_FALSE(fs::exists(installed.files.path_of("causeway.db-wal")));
    check_changes_nothing();
    fs::resize_file(installed.files.path_of("causeway.db"), 0);
    check_changes_nothing();
}
