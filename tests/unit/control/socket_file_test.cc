#include "gateway/control/socket_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "tests/unit/control/control_fixture.h"

using namespace causeway;
using namespace causeway::control;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const std::string& path) {
    struct stat present {};
    REQUIRE(::lstat(path.c_str(), &present) == 0);
    return present.st_mode;
}

/// The umask for as long as this lives.
class Umask {
public:
    explicit Umask(mode_t mask) : before_(::umask(mask)) {}
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;
    ~Umask() { ::umask(before_); }

private:
    mode_t before_;
};

std::string refused(const std::string& path) {
    const auto file = SocketFile::claim(path);
    REQUIRE_FALSE(file.ok());
    CHECK(file.error().cause() == Cause::refused);
    CHECK(file.error().why().starts_with("control socket " + path + ": "));
    return file.error().why();
}

}  // namespace

TEST_CASE("the socket is its owner's alone, whatever the umask") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("s");
    for (const mode_t mask : {mode_t{0}, mode_t{0022}, mode_t{0777}}) {
        const Umask umask(mask);
        const auto file = SocketFile::claim(path);
        REQUIRE(file.ok());
        CHECK(mode_of(path) == (S_IFSOCK | 0600));
    }
}

TEST_CASE("the file goes with its owner") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("s");
    {
        const auto file = SocketFile::claim(path);
        REQUIRE(file.ok());
        CHECK(fs::exists(path));
    }
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("what another process has put in its place stays") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("s");
    {
        const auto file = SocketFile::claim(path);
        REQUIRE(file.ok());
        fs::remove(path);
        std::ofstream(path) << "somebody else's";
    }
    CHECK(fs::is_regular_file(path));
}

TEST_CASE("a stale socket is replaced") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("s");
    {
        // The end of a process that was killed: its descriptors are closed, its file stays.
        auto file = SocketFile::claim(path);
        REQUIRE(file.ok());
        ::close((*file)->release());
        fs::rename(path, directory.file("kept"));
    }
    fs::rename(directory.file("kept"), path);
    REQUIRE(fs::is_socket(path));
    const auto file = SocketFile::claim(path);
    CHECK(file.ok());
}

TEST_CASE("a live socket is not") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("s");
    const auto file = SocketFile::claim(path);
    REQUIRE(file.ok());
    CHECK(refused(path).find("another process answers there") != std::string::npos);
    CHECK(fs::is_socket(path));
}

TEST_CASE("a file that is no socket is left alone") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("s");
    std::ofstream(path) << "precious";
    CHECK(refused(path).find("is not a socket") != std::string::npos);
    CHECK(fs::file_size(path) == 8);
    fs::create_symlink(path, directory.file("link"));
    CHECK(refused(directory.file("link")).find("is not a socket") != std::string::npos);
}

TEST_CASE("a place that cannot be had is told") {
    const TemporaryDirectory directory;
    CHECK(refused(directory.file("no/s")).find("its directory") != std::string::npos);
    CHECK(refused(directory.file(std::string(108, 'x'))).find("1 to 107 bytes") !=
          std::string::npos);
    CHECK(refused("").find("1 to 107 bytes") != std::string::npos);
}

TEST_CASE("a directory that stays locked is not waited for without end") {
    const TemporaryDirectory directory;
    const int locked = ::open(directory.file("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(::flock(locked, LOCK_EX) == 0);
    CHECK(refused(directory.file("s")).find("keeps its directory locked") != std::string::npos);
    ::close(locked);
    CHECK(SocketFile::claim(directory.file("s")).ok());
}
