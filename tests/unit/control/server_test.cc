// The control server with its clients: requests and answers, views, cancelling, and both ends.
#include "gateway/control/server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>

#include "tests/unit/control/control_fixture.h"

using namespace causeway;
using namespace causeway::control;
namespace json = boost::json;
namespace fs = std::filesystem;

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
    fixture.hold();
    REQUIRE(client.request(1, "status"));
    fixture.await_held(1);
    CHECK(client.call(2, "reload").at("id") == 2);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().at("id") == 1);
}

TEST_CASE("an id is taken until its answer") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    fixture.hold();
    REQUIRE(client.request(1, "status"));
    REQUIRE(client.request(1, "reload"));
    const json::value reply = client.receive();
    CHECK(code_of(reply) == -32600);
    CHECK(message_of(reply) == "an earlier request with this id is not answered yet");
    fixture.await_held(1);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().as_object().contains("result"));
    CHECK(client.call(1, "reload").as_object().contains("result"));
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
    fixture.hold();
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
    fixture.hold();
    REQUIRE(client.request(1, "status"));
    REQUIRE(client.send(R"({"jsonrpc":"2.0","id":2,"method":"reload"})"));
    client.finish_sending();
    CHECK(client.receive().at("id") == 2);
    fixture.await_held(1);
    fixture.on_control([&] { fixture.operations.release(); });
    CHECK(client.receive().at("id") == 1);
    CHECK(client.receive().is_null());
    CHECK(fixture.eventually([&] { return fixture.server->connections() == 0; }));
}

TEST_CASE("a request that is forgotten is answered all the same") {
    ControlFixture fixture;
    LineClient client(fixture.path);
    fixture.hold();
    REQUIRE(client.request(1, "status"));
    fixture.await_held(1);
    fixture.on_control([&] { fixture.operations.held.clear(); });
    CHECK(code_of(client.receive()) == -32603);
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
    fixture.hold();
    REQUIRE(client.request(1, "live"));
    REQUIRE(client.request(2, "status"));
    REQUIRE(client.request(3, "user.list"));
    fixture.await_held(2);
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
