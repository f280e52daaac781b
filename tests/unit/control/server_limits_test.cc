// What the control server bounds: lines, requests, what nobody reads, connections, descriptors.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gateway/control/server.h"
#include "tests/support/sanitizers.h"
#include "tests/unit/control/control_fixture.h"

using namespace causeway;
using namespace causeway::control;
namespace json = boost::json;

namespace {

/// As long as it lives, this process can open no further file.
class NoDescriptors {
public:
    NoDescriptors() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const rlimit few{.rlim_cur = 256, .rlim_max = before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
        for (int one = 0; (one = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) {
            taken_.push_back(one);
        }
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() {
        for (const int one : taken_) ::close(one);
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }

private:
    rlimit before_{};
    std::vector<int> taken_;
};

}  // namespace

TEST_CASE("who connects while no descriptor is left is answered, and so is the next" *
          doctest::skip(causeway::test::sanitized)) {
    const ControlFixture fixture;
    // The client's own descriptors are taken before; the server's end of each comes after.
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    REQUIRE(fixture.path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, fixture.path.data(), fixture.path.size());
    std::array<int, 2> callers{};
    for (int& caller : callers) caller = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const NoDescriptors full;
    for (const int caller : callers) {
        REQUIRE(::connect(caller, reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                0);
        constexpr std::string_view line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"reload\"}\n";
        REQUIRE(::send(caller, line.data(), line.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(line.size()));
        pollfd wait{.fd = caller, .events = POLLIN, .revents = 0};
        REQUIRE(::poll(&wait, 1, 10'000) == 1);
        std::array<char, 512> answer{};
        CHECK(::recv(caller, answer.data(), answer.size(), 0) > 0);
        ::close(caller);
    }
}

TEST_CASE("requests in flight are bounded, and a cancelled one counts until it is over") {
    ServerLimits limits;
    limits.requests = 2;
    ControlFixture fixture(limits);
    LineClient client(fixture.path);
    fixture.hold();
    REQUIRE(client.request(1, "status"));
    REQUIRE(client.request(2, "status"));
    CHECK(message_of(client.call(3, "reload")) == "a connection may have 2 requests in flight");
    REQUIRE(client.request(9, "cancel", R"({"id":1})"));
    CHECK(code_of(client.receive()) == -32800);
    CHECK(client.receive().at("id") == 9);
    CHECK(code_of(client.call(4, "reload")) == -32005);
    fixture.await_held(2);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().at("id") == 2);
    CHECK(client.call(5, "reload").as_object().contains("result"));
}

TEST_CASE("a line that is too long ends the connection with a reason") {
    ServerLimits limits;
    limits.line_bytes = 100'000;
    ControlFixture fixture(limits);
    LineClient client(fixture.path);
    const std::string fits = R"({"jsonrpc":"2.0","id":1,"method":"reload"})";
    REQUIRE(client.send(fits + std::string(100'000 - fits.size(), ' ') + "\n"));
    CHECK(client.receive().at("id") == 1);
    client.send(std::string(400'000, 'x'));
    CHECK(message_of(client.receive()) == "a line may have 100000 bytes");
    CHECK(client.receive().is_null());
}

TEST_CASE("a reader that does not read holds a bounded part of a list") {
    ServerLimits limits;
    limits.output_bytes = 50'000;
    ControlFixture fixture(limits);
    constexpr std::size_t rows = 20'000;
    fixture.on_control([&] {
        fixture.operations.rows_per_page = 100;
        fixture.operations.stanzas.resize(rows);
    });
    LineClient client(fixture.path);
    REQUIRE(client.request(1, "queue.show", R"({"domain":"b.test"})"));
    // The list comes to a stand when the socket and the output are full: the same number of pages
    // in many turns one after the other.
    std::size_t before = 0;
    int still = 0;
    const auto stands = [&] {
        still = fixture.operations.pages_asked == before && before > 0 ? still + 1 : 0;
        before = fixture.operations.pages_asked;
        return still > 1'000;
    };
    REQUIRE(fixture.eventually(stands));
    CHECK(before < rows / 100 / 2);
    // Nor are its requests read.
    REQUIRE(client.request(2, "log.level", R"({"level":"debug"})"));
    still = 0;
    REQUIRE(fixture.eventually(stands));
    fixture.on_control([&] { CHECK(fixture.operations.log_level == "info"); });
    std::size_t received = 0;
    for (int answers = 0; answers < 2;) {
        const json::value line = client.receive();
        REQUIRE(line.is_object());
        if (line.as_object().contains("method")) {
            received += line.at("params").at("rows").as_array().size();
        } else {
            CHECK(line.as_object().contains("result"));
            ++answers;
        }
    }
    CHECK(received == rows);
    fixture.on_control([&] { CHECK(fixture.operations.log_level == "debug"); });
}

TEST_CASE("nor can a client that does not read pile up requests") {
    ServerLimits limits;
    limits.output_bytes = 10'000;
    const ControlFixture fixture(limits);
    LineClient client(fixture.path);
    // Each asks for more than it is long, so that the answers stop the reading.
    std::string requests;
    for (int i = 0; i < 100; ++i) {
        requests += "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\"}\n";
    }
    constexpr std::size_t far_too_much = 16 * 1024 * 1024;
    std::size_t taken = 0;
    for (ssize_t sent = 1; sent > 0 && taken < far_too_much;) {
        pollfd wait{client.descriptor(), POLLOUT, 0};
        constexpr int surely_stopped_milliseconds = 300;
        sent = ::poll(&wait, 1, surely_stopped_milliseconds) == 1
                   ? ::send(client.descriptor(), requests.data(), requests.size(),
                            MSG_NOSIGNAL | MSG_DONTWAIT)
                   : 0;
        taken += sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
    CHECK(taken < far_too_much);
}

TEST_CASE("lists beside other answers lose no row, however little may be unread") {
    ServerLimits limits;
    limits.output_bytes = 1'000;
    ControlFixture fixture(limits);
    fixture.on_control([&] {
        fixture.operations.rows_per_page = 50;
        fixture.operations.stanzas.resize(5'000);
    });
    LineClient client(fixture.path);
    std::string requests;
    constexpr std::size_t others = 300;
    for (std::size_t id = 0; id < others; ++id) {
        const std::string method =
            id < 3 ? R"("queue.show","params":{"domain":"b.test"})" : R"("help")";
        requests +=
            R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":)" + method + "}\n";
    }
    REQUIRE(client.send(requests));
    std::array<std::size_t, 3> received{};
    for (std::size_t answers = 0; answers < others;) {
        const json::value line = client.receive();
        REQUIRE(line.is_object());
        if (line.as_object().contains("method")) {
            const json::value& params = line.at("params");
            received.at(params.at("id").to_number<std::size_t>()) +=
                params.at("rows").as_array().size();
        } else {
            CHECK(line.as_object().contains("result"));
            ++answers;
        }
    }
    CHECK(received == std::array<std::size_t, 3>{5'000, 5'000, 5'000});
}

TEST_CASE("of too many connections the one that is idle for longest gives way") {
    ServerLimits limits;
    limits.connections = 2;
    ControlFixture fixture(limits);
    LineClient first(fixture.path);
    LineClient second(fixture.path);
    CHECK(first.call(1, "reload").at("id") == 1);
    CHECK(second.call(1, "reload").at("id") == 1);
    CHECK(first.call(2, "reload").at("id") == 2);
    LineClient third(fixture.path);
    CHECK(third.call(1, "reload").at("id") == 1);
    CHECK(message_of(second.receive()) ==
          "this connection was idle and was ended in favour of a new one");
    CHECK(second.receive().is_null());
    CHECK(first.call(3, "reload").at("id") == 3);
    fixture.on_control([&] { CHECK(fixture.server->connections() == 2); });
}

TEST_CASE("connections held without a word do not keep the administrator out") {
    ServerLimits limits;
    limits.connections = 16;
    ControlFixture fixture(limits);
    std::vector<std::unique_ptr<LineClient>> holders;
    for (std::size_t i = 0; i < limits.connections; ++i) {
        holders.push_back(std::make_unique<LineClient>(fixture.path));
        // Some have begun a request that never ends.
        if (i % 2 == 0) REQUIRE(holders.back()->send("{"));
    }
    REQUIRE(fixture.eventually([&] { return fixture.server->connections() == 16; }));
    LineClient administrator(fixture.path);
    CHECK(administrator.call(1, "status").as_object().contains("result"));
}

TEST_CASE("a busy connection does not give way, and one more is told so") {
    ServerLimits limits;
    limits.connections = 2;
    ControlFixture fixture(limits);
    auto first = std::make_unique<LineClient>(fixture.path);
    LineClient second(fixture.path);
    fixture.hold();
    REQUIRE(first->request(1, "status"));
    REQUIRE(second.request(1, "status"));
    fixture.await_held(2);
    LineClient third(fixture.path);
    CHECK(message_of(third.receive()) ==
          "there are 2 control connections already, all of them busy; end one");
    CHECK(third.receive().is_null());
    first.reset();
    REQUIRE(fixture.eventually([&] { return fixture.server->connections() == 1; }));
    LineClient fourth(fixture.path);
    CHECK(fourth.call(1, "reload").at("id") == 1);
}
