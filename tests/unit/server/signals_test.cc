// The program itself, as a process: what signals do to it, and when.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/sanitizers.h"
#include "tests/support/test_certificates.h"

using namespace causeway;

namespace {

constexpr std::chrono::seconds patience{60};

std::string program_path() {
    if (const char* given = std::getenv("CAUSEWAY")) return given;
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    return (self.parent_path().parent_path() / "gateway" / "causeway").string();
}

/// An endpoint at loopback where nobody listens at the moment.
std::string free_endpoint() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(probe, generic, size) == 0);
    REQUIRE(::getsockname(probe, generic, &size) == 0);
    ::close(probe);
    return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

bool eventually(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

/// A server of a.test; a SIGHUP already waits for it when it begins.
class HungUpAtStart {
public:
    HungUpAtStart() {
        std::filesystem::create_directory(files_.path_of("tls"));
        const TestCertificate made = issue({.common_name = "a.test", .dns = {"a.test"}});
        files_.write("tls/a.test.crt", made.certificate_pem());
        files_.write("tls/a.test.key", made.key_pem());
        const std::string path =
            files_.write("causeway.toml", "[[domain]]\nname = \"a.test\"\n[c2s]\nlisten = [\"" +
                                              free_endpoint() + "\"]\n[s2s]\nlisten = [\"" +
                                              free_endpoint() + "\"]\n[server]\nthreads = 1\n");
        const std::string program = program_path();
        const std::string log = files_.path_of("log");
        REQUIRE_MESSAGE(::access(program.c_str(), X_OK) == 0, "no program ", program);
        // A blocked signal stays pending through exec.
        sigset_t signals;
        sigset_t before;
        sigemptyset(&signals);
        sigaddset(&signals, SIGHUP);
        ::pthread_sigmask(SIG_BLOCK, &signals, &before);
        child_ = ::fork();
        if (child_ > 0) ::kill(child_, SIGHUP);
        if (child_ != 0) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        REQUIRE(child_ >= 0);
        if (child_ != 0) return;
        ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
        ::execl(program.c_str(), program.c_str(), "--config", path.c_str(), nullptr);
        ::_exit(127);
    }
    HungUpAtStart(const HungUpAtStart&) = delete;
    HungUpAtStart& operator=(const HungUpAtStart&) = delete;
    ~HungUpAtStart() {
        if (child_ <= 0) return;
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }

    bool logs(const std::string& words) const {
        return eventually([&] {
            std::ifstream in(files_.path_of("log"));
            const std::string all{std::istreambuf_iterator<char>(in), {}};
            return all.find(words) != std::string::npos;
        });
    }
    void signal(int number) const { ::kill(child_, number); }
    /// 128 and more: ended by a signal.
    std::optional<int> status() {
        int found = 0;
        if (!eventually([&] { return ::waitpid(child_, &found, WNOHANG) == child_; })) return {};
        child_ = 0;
        return WIFEXITED(found) ? WEXITSTATUS(found) : 128 + WTERMSIG(found);
    }

private:
    TestDirectory files_;
    pid_t child_ = 0;
};

}  // namespace

TEST_CASE("signals: a reload asked for at the start is done once the server is ready" *
          doctest::skip(causeway::test::sanitized)) {
    HungUpAtStart server;
    CHECK(server.logs("event=server.reloaded"));
    for (const int meaningless : {SIGUSR1, SIGUSR2, SIGXFSZ, SIGPIPE}) server.signal(meaningless);
    server.signal(SIGTERM);
    CHECK(server.logs("event=server.stopped"));
    CHECK(server.status() == 0);
}
