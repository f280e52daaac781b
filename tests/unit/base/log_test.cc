#include "gateway/base/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

using causeway::log::Level;
using causeway::log::render;

namespace {

std::string logfmt(const std::string& value) {
    const std::string line = render(false, Level::info, "e", {{"k", value}});
    REQUIRE(line.starts_with("level=info event=e k="));
    return line.substr(std::string("level=info event=e k=").size());
}

std::string json(const std::string& value) {
    const std::string line = render(true, Level::info, "e", {{"k", value}});
    const std::string before = R"({"level":"info","event":"e","k":)";
    REQUIRE(line.starts_with(before));
    REQUIRE(line.ends_with("}"));
    return line.substr(before.size(), line.size() - before.size() - 1);
}

/// Standard error goes to `descriptor` while this lives.
class Redirected {
public:
    explicit Redirected(int descriptor) : saved_(::dup(STDERR_FILENO)) {
        ::dup2(descriptor, STDERR_FILENO);
    }
    Redirected(const Redirected&) = delete;
    Redirected& operator=(const Redirected&) = delete;
    ~Redirected() {
        ::dup2(saved_, STDERR_FILENO);
        ::close(saved_);
    }

private:
    int saved_;
};

/// The lines that `body` makes the log write.
template <class Body>
std::vector<std::string> written(Body body) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("causeway-log-test-" + std::to_string(::getpid()));
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    {
        const Redirected redirected(file);
        body();
        causeway::log::stop();
    }
    ::close(file);
    std::vector<std::string> lines;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::filesystem::remove(path);
    return lines;
}

}  // namespace

TEST_CASE("an event is one line of key=value") {
    CHECK(render(false, Level::warn, "s2s.refused",
                 {{"domain", "b.test"}, {"port", 5269}, {"tls", true}, {"why", "no such host"}}) ==
          R"(level=warn event=s2s.refused domain=b.test port=5269 tls=true why="no such host")");
}

TEST_CASE("an event is one JSON object") {
    CHECK(render(true, Level::error, "s2s.refused",
                 {{"to", "b.test"}, {"port", 5269}, {"tls", false}, {"why", ""}}) ==
          R"({"level":"error","event":"s2s.refused","to":"b.test",)"
          R"("port":5269,"tls":false,"why":""})");
}

TEST_CASE("values that would read as something else are quoted") {
    CHECK(logfmt("plain/resource@a.test") == "plain/resource@a.test");
    CHECK(logfmt("") == R"("")");
    CHECK(logfmt("a b") == R"("a b")");
    CHECK(logfmt("a=b") == R"("a=b")");
    CHECK(logfmt("a\"b") == R"("a\"b")");
    CHECK(logfmt("a\\b") == R"("a\\b")");
    CHECK(logfmt("m\u00fcnchen") == "m\u00fcnchen");
}

TEST_CASE("no value can begin a new line, move the cursor or reorder the text") {
    CHECK(logfmt("a\nlevel=error event=forged") == R"("a\nlevel=error event=forged")");
    CHECK(logfmt("a\r\tb") == R"("a\r\tb")");
    CHECK(logfmt("\x1b[2J") == R"("\u001b[2J")");
    CHECK(logfmt(std::string("\0", 1)) == R"("\u0000")");
    CHECK(logfmt("\x7f") == R"("\u007f")");
    CHECK(logfmt("\u0085") == R"("\u0085")");
    CHECK(logfmt("\u2028") == R"("\u2028")");
    CHECK(logfmt("\u202e\u2066\u200f\u061c") == R"("\u202e\u2066\u200f\u061c")");
    CHECK(json("a\n\x1b\"\\\u202e") == R"("a\n\u001b\"\\\u202e")");
}

TEST_CASE("bytes that are not UTF-8 are told one by one") {
    CHECK(logfmt("a\xff\x62") == R"("a\xFFb")");
    CHECK(logfmt("\xc3") == R"("\xC3")");
    CHECK(logfmt("\xc0\xaf") == R"("\xC0\xAF")");
    CHECK(logfmt("\xed\xa0\x80") == R"("\xED\xA0\x80")");
    CHECK(logfmt("\xe2\x82"
                 "b") == R"("\xE2\x82b")");
    CHECK(json("a\xff\x62") == R"("a\ufffdb")");
}

TEST_CASE("long values are cut between characters") {
    CHECK(logfmt(std::string(512, 'a')) == std::string(512, 'a'));
    CHECK(logfmt(std::string(513, 'a')) == std::string(512, 'a') + "\u2026");
    CHECK(logfmt(std::string(511, 'a') + "\u00fc") == std::string(511, 'a') + "\u2026");
    CHECK(logfmt(std::string(510, 'a') + "\u00fcb") == std::string(510, 'a') + "\u00fc\u2026");
    CHECK(logfmt(std::string(100'000, '\x80')).size() < 4 * 512 + 16);
}

TEST_CASE("levels have names") {
    for (const Level level : {Level::error, Level::warn, Level::info, Level::debug}) {
        const auto parsed = causeway::log::parse_level(causeway::log::to_string(level));
        REQUIRE(parsed.ok());
        CHECK(*parsed == level);
    }
    CHECK_FALSE(causeway::log::parse_level("INFO").ok());
    CHECK_FALSE(causeway::log::parse_level("").ok());
}

TEST_CASE("nothing is enabled before configure and after stop") {
    CHECK_FALSE(causeway::log::enabled(Level::error));
    const auto lines = written([] { CAUSEWAY_LOG(error, "lost"); });
    CHECK(lines.empty());
    CHECK_FALSE(causeway::log::enabled(Level::error));
}

TEST_CASE("fields are evaluated only when their level is enabled") {
    int evaluated = 0;
    const auto lines = written([&] {
        causeway::log::configure(Level::info, false);
        CAUSEWAY_LOG(debug, "hidden", {"n", ++evaluated});
        CHECK(evaluated == 0);
        causeway::log::set_level(Level::debug);
        CHECK(causeway::log::level() == Level::debug);
        CAUSEWAY_LOG(debug, "seen", {"n", ++evaluated});
    });
    CHECK(evaluated == 1);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].ends_with("level=debug event=seen n=1"));
}

TEST_CASE("each line has its time, and the format can change between two lines") {
    const auto lines = written([] {
        causeway::log::configure(Level::info, false);
        CAUSEWAY_LOG(info, "one", {"who", "a b"});
        causeway::log::configure(Level::info, true);
        CAUSEWAY_LOG(info, "two");
    });
    REQUIRE(lines.size() == 2);
    // time=2026-01-31T12:00:00.000Z
    CHECK(lines[0].size() == std::string("time=2026-01-31T12:00:00.000Z ").size() +
                                 std::string("level=info event=one who=\"a b\"").size());
    CHECK(lines[0].starts_with("time=2"));
    CHECK(lines[0].find("Z level=info event=one who=\"a b\"") != std::string::npos);
    CHECK(lines[1].starts_with(R"({"time":"2)"));
    CHECK(lines[1].ends_with(R"(Z","level":"info","event":"two"})"));
}

TEST_CASE("threads write whole lines") {
    constexpr int threads = 4;
    constexpr int each = 500;
    const auto lines = written([] {
        causeway::log::configure(Level::info, false);
        std::vector<std::jthread> writers;
        for (int t = 0; t < threads; ++t) {
            writers.emplace_back([t] {
                for (int i = 0; i < each; ++i) CAUSEWAY_LOG(info, "n", {"t", t}, {"i", i});
            });
        }
    });
    CHECK(lines.size() == threads * each);
    for (const auto& line : lines) CHECK(line.find(" level=info event=n t=") != std::string::npos);
}

TEST_CASE("a reader that does not read costs the oldest events, which are counted") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    constexpr std::size_t total = 20'000;
    std::string text;
    {
        const Redirected redirected(ends[1]);
        causeway::log::configure(Level::info, false);
        // Nobody reads yet: the pipe fills, then the queue, and the writes below still return.
        for (std::size_t i = 0; i < total; ++i) CAUSEWAY_LOG(info, "n", {"i", i});
        CHECK(causeway::log::dropped() > 0);
        std::jthread reader([&] {
            std::array<char, 65536> buffer{};
            for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
                text.append(buffer.data(), static_cast<std::size_t>(n));
            }
        });
        causeway::log::stop();
        ::close(ends[1]);
        ::dup2(ends[0], STDERR_FILENO);  // the pipe's last writer goes, so that the reader ends
    }
    ::close(ends[0]);
    std::size_t lines = 0;
    std::size_t dropped = 0;
    std::size_t start = 0;
    for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos;
         start = end + 1) {
        const std::string line = text.substr(start, end - start);
        const std::string told = "level=warn event=log.dropped count=";
        const auto at = line.find(told);
        if (at == std::string::npos) {
            ++lines;
        } else {
            dropped += std::stoull(line.substr(at + told.size()));
        }
    }
    CHECK(dropped == causeway::log::dropped());
    CHECK(lines + dropped == total);
    CHECK(text.find("i=" + std::to_string(total - 1) + "\n") != std::string::npos);
}
