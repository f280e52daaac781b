#include "gateway/control/server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/sanitizers.h"
#include "tests/unit/control/control_fixture.h"

using namespace causeway;
using namespace causeway::control;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

int code_of(const json::value& reply) { return reply.at("error").at("code").to_number<int>(); }

std::string message_of(const json::value& reply) {
    return reply.at("error").at("message").as_string().c_str();
}

void hold(ControlFixture& fixture) {
    fixture.on_control([&] { fixture.operations.holding = true; });
}

void await_held(ControlFixture& fixture, std::size_t number) {
    REQUIRE(fixture.eventually([&] { return fixture.operations.held.size() >= number; }));
}

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

TEST_CASE("a request is answered") {
    const ControlFixture fixture;
    LineClient client(fixture.path);
    const json::value reply = client.call(7, "user.show", R"({"jid":"juliet@a.test"})");
    CHECK(reply.at("jsonrpc") == "2.0");
    CHECK(reply.at("id") == 7);
    CHECK(reply.at("result").at("jid") == "juliet@a.test");
    CHECK(code_of(client.call(8, "user.show", R"({"jid":"x@a.test"})")) == -32001);
    CHECK(code_of(client.call(9, "frob")) == -32601);
    CHECK(code_of(client.call(10, "user.show")) == -32602);
}

TEST_CASE("lines may come in pieces, several at once, or empty") {
    const ControlFixture fixture;
    LineClient client(fixture.path);
    const std::string line = R"({"jsonrpc":"2.0","id":1,"method":"reload"})";
    for (const char c : "\n\r\n  \n" + line + "\r\n" + line + "\n" + line) {
        REQUIRE(client.send(std::string_view(&c, 1)));
    }
    REQUIRE(client.send("\nnonsense\n"));
    for (int i = 0; i < 3; ++i) {
        CHECK(client.receive().at("id") == 1);
    }
    const json::value reply = client.receive();
    CHECK(reply.at("id").is_null());
    CHECK(code_of(reply) == -32700);
}

TEST_CASE("rows come before the result") {
    const ControlFixture fixture;
    LineClient client(fixture.path);
    REQUIRE(client.request(3, "session.list"));
    const json::value rows = client.receive();
    CHECK(rows.at("method") == "rows");
    CHECK(rows.at("params").at("id") == 3);
    CHECK(rows.at("params").at("rows").as_array().size() == 2);
    CHECK(client.receive().at("result").at("count") == 2);
}

TEST_CASE("a notification is done and not answered") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    REQUIRE(client.send(
        "{\"jsonrpc\":\"2.0\",\"method\":\"user.remove\",\"params\":{\"jid\":\"juliet@a.test\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"frob\"}\n"));
    CHECK(code_of(client.call(1, "user.show", R"({"jid":"juliet@a.test"})")) == -32001);
}

TEST_CASE("answers come when they are ready, not in the order of asking") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    hold(fixture);
    REQUIRE(client.request(1, "status"));
    await_held(fixture, 1);
    CHECK(client.call(2, "reload").at("id") == 2);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().at("id") == 1);
}

TEST_CASE("an id is taken until its answer") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    hold(fixture);
    REQUIRE(client.request(1, "status"));
    REQUIRE(client.request(1, "reload"));
    const json::value reply = client.receive();
    CHECK(code_of(reply) == -32600);
    CHECK(message_of(reply) == "an earlier request with this id is not answered yet");
    await_held(fixture, 1);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().as_object().contains("result"));
    CHECK(client.call(1, "reload").as_object().contains("result"));
}

TEST_CASE("requests in flight are bounded, and a cancelled one counts until it is over") {
    ServerLimits limits;
    limits.requests = 2;
    ControlFixture fixture(limits);
    LineClient client(fixture.path);
    hold(fixture);
    REQUIRE(client.request(1, "status"));
    REQUIRE(client.request(2, "status"));
    CHECK(message_of(client.call(3, "reload")) == "a connection may have 2 requests in flight");
    REQUIRE(client.request(9, "cancel", R"({"id":1})"));
    CHECK(code_of(client.receive()) == -32800);
    CHECK(client.receive().at("id") == 9);
    CHECK(code_of(client.call(4, "reload")) == -32005);
    await_held(fixture, 2);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().at("id") == 2);
    CHECK(client.call(5, "reload").as_object().contains("result"));
}

TEST_CASE("a live view goes on until it is cancelled") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    REQUIRE(client.request(5, "live"));
    REQUIRE(fixture.eventually([&] { return fixture.live != nullptr; }));
    fixture.on_control([&] { CHECK(fixture.live->notify("event", {{"n", 1}})); });
    CHECK(client.receive() ==
          json::parse(R"({"jsonrpc":"2.0","method":"event","params":{"n":1,"id":5}})"));
    REQUIRE(client.send(R"({"jsonrpc":"2.0","method":"cancel","params":{"id":5}})"
                        "\n"));
    const json::value reply = client.receive();
    CHECK(reply.at("id") == 5);
    CHECK(code_of(reply) == -32800);
    // Its id is free again, although its handler has not let go yet.
    CHECK(code_of(client.call(6, "cancel", R"({"id":5})")) == -32001);
    CHECK(client.call(5, "reload").as_object().contains("result"));
    fixture.on_control([&] {
        CHECK(fixture.live_cancelled);
        CHECK(fixture.live->cancelled());
        CHECK_FALSE(fixture.live->notify("event", {}));
        (*fixture.live)(json::value("too late"));
    });
    CHECK(client.call(6, "reload").at("id") == 6);
}

TEST_CASE("an id comes back as it was sent, and cancels its request, whatever its form") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    hold(fixture);
    for (const std::string& id : {"\"" + std::string(1'000, 'x') + "\"", std::string("null"),
                                  std::string("-1.5e3"), std::string("18446744073709551616")}) {
        CAPTURE(id);
        REQUIRE(client.send(R"({"jsonrpc":"2.0","method":"status","id":)" + id + "}\n"));
        REQUIRE(client.send(R"({"jsonrpc":"2.0","method":"cancel","params":{"id":)" + id + "}}\n"));
        const json::value reply = client.receive();
        CHECK(code_of(reply) == -32800);
        CHECK(reply.at("id") == json::parse(id));
    }
}

TEST_CASE("only what is in flight can be cancelled") {
    const ControlFixture fixture;
    LineClient client(fixture.path);
    CHECK(code_of(client.call(1, "cancel", R"({"id":5})")) == -32001);
    CHECK(code_of(client.call(1, "cancel")) == -32602);
    CHECK(code_of(client.call(1, "cancel", R"({"id":[5]})")) == -32602);
    CHECK(code_of(client.call(1, "cancel", R"({"id":1.5})")) == -32001);
    CHECK(code_of(client.call(1, "cancel", R"({"id":5,"x":1})")) == -32602);
    REQUIRE(client.send("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":5}}\n"));
    CHECK(client.call(2, "reload").at("id") == 2);
}

TEST_CASE("a view ends with its client") {
    ControlFixture fixture;
    {
        LineClient client(fixture.path);
        REQUIRE(client.request(1, "live"));
        REQUIRE(fixture.eventually([&] { return fixture.live != nullptr; }));
    }
    CHECK(fixture.eventually([&] { return fixture.live_cancelled; }));
    fixture.on_control([&] {
        CHECK(fixture.server->connections() == 0);
        CHECK(fixture.live->cancelled());
    });
}

TEST_CASE("a view ends with a client that had only stopped sending before") {
    ControlFixture fixture;
    {
        LineClient client(fixture.path);
        REQUIRE(client.request(1, "live"));
        client.finish_sending();
        REQUIRE(fixture.eventually([&] { return fixture.live != nullptr; }));
        fixture.on_control([&] { CHECK(fixture.live->notify("event", {{"n", 1}})); });
        CHECK(client.receive().at("method") == "event");
        fixture.on_control([&] { CHECK_FALSE(fixture.live_cancelled); });
    }
    CHECK(fixture.eventually([&] { return fixture.live_cancelled; }));
}

TEST_CASE("a client that sends no more gets its answers, and then the end") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    hold(fixture);
    REQUIRE(client.request(1, "status"));
    REQUIRE(client.send(R"({"jsonrpc":"2.0","id":2,"method":"reload"})"));
    client.finish_sending();
    CHECK(client.receive().at("id") == 2);
    await_held(fixture, 1);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().at("id") == 1);
    CHECK(client.receive().is_null());
    CHECK(fixture.eventually([&] { return fixture.server->connections() == 0; }));
}

TEST_CASE("a request that is forgotten is answered all the same") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    hold(fixture);
    REQUIRE(client.request(1, "status"));
    await_held(fixture, 1);
    fixture.on_control([&] { fixture.operations.held.clear(); });
    CHECK(code_of(client.receive()) == -32603);
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
    hold(fixture);
    REQUIRE(first->request(1, "status"));
    REQUIRE(second.request(1, "status"));
    await_held(fixture, 2);
    LineClient third(fixture.path);
    CHECK(message_of(third.receive()) ==
          "there are 2 control connections already, all of them busy; end one");
    CHECK(third.receive().is_null());
    first.reset();
    REQUIRE(fixture.eventually([&] { return fixture.server->connections() == 1; }));
    LineClient fourth(fixture.path);
    CHECK(fourth.call(1, "reload").at("id") == 1);
}

TEST_CASE("a client that comes before the server is ready waits for it") {
    const TemporaryDirectory directory;
    FakeOperations operations;
    const CommandTable table{CommandHost{operations}};
    boost::asio::io_context context{1};
    auto server = Server::open(context, directory.file("s"), table);
    REQUIRE(server.ok());
    LineClient client(directory.file("s"));
    REQUIRE(client.request(1, "help"));
    context.poll();
    CHECK_FALSE(client.hears_within(0));
    (*server)->start();
    context.restart();
    while (!client.hears_within(0)) {
        REQUIRE(context.run_one_for(std::chrono::seconds(10)) == 1);
    }
    CHECK(client.receive().at("id") == 1);
}

TEST_CASE("the end of the server ends its connections and its file") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    hold(fixture);
    REQUIRE(client.request(1, "live"));
    REQUIRE(client.request(2, "status"));
    REQUIRE(client.request(3, "user.list"));
    await_held(fixture, 2);
    fixture.on_control([&] {
        fixture.server.reset();
        CHECK(fixture.live_cancelled);
        fixture.operations.release();
        (*fixture.live)(json::value("too late"));
    });
    CHECK(client.receive().is_null());
    CHECK_FALSE(fs::exists(fixture.path));
}

TEST_CASE("another user is turned away even where the file would let it in") {
    if (::geteuid() != 0) {
        MESSAGE("not root: nobody else to be, so the kernel's credentials are not tried");
        return;
    }
    const ControlFixture fixture;
    fs::permissions(fixture.path, fs::perms(0666));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, fixture.path.data(), fixture.path.size());
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // Between fork and exit only what is safe beside other threads.
        std::array<char, 512> line{};
        const int to = ::socket(AF_UNIX, SOCK_STREAM, 0);
        const timeval patience{10, 0};
        ::setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        const bool connected =
            ::setresuid(65'534, 65'534, 65'534) == 0 &&
            ::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        const ssize_t got = connected ? ::recv(to, line.data(), line.size(), 0) : 0;
        const ssize_t told =
            got > 0 ? ::write(pipe[1], line.data(), static_cast<std::size_t>(got)) : 0;
        ::_exit(told > 0 ? 0 : 1);
    }
    ::close(pipe[1]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    std::string line(512, '\0');
    const ssize_t got = ::read(pipe[0], line.data(), line.size());
    ::close(pipe[0]);
    REQUIRE(got > 0);
    line.resize(static_cast<std::size_t>(got));
    CHECK(message_of(json::parse(line)) ==
          "only root and the user that the server runs as may connect");
}
