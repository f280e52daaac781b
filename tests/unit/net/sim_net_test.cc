// The simulated network keeps the promises of Socket and Network that the code above relies on.
#include "tests/support/sim_net.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway;

namespace {

/// Reads whatever comes and remembers how it was cut.
struct Reader final : SocketHandler {
    explicit Reader(Socket& from) : socket(from) {
        socket.set_handler(this);
        socket.want_read();
    }
    void on_readable() override {
        char buffer[64];
        const IoResult got = socket.read(buffer);
        if (got.status == IoResult::Status::ok) pieces.emplace_back(buffer, got.bytes);
        if (got.status == IoResult::Status::end) ended = true;
        if (got.status == IoResult::Status::failed) failed = true;
        if (!ended && !failed) socket.want_read();
    }
    void on_writable() override { ++writable; }

    Socket& socket;
    std::vector<std::string> pieces;
    bool ended = false;
    bool failed = false;
    int writable = 0;
};

struct Ends {
    SimLoop loop;
    SimNet net;
    Endpoint at = sim_endpoint("10.0.0.1", 5269);
    std::unique_ptr<Acceptor> acceptor;
    std::unique_ptr<Connecting> connecting;
    std::unique_ptr<Socket> client;
    std::unique_ptr<Socket> server;
    Outcome failure;

    explicit Ends(SimNetOptions options = {}) : net(loop, options) {
        acceptor = std::move(*net.listen(at, [this](auto socket) { server = std::move(socket); }));
    }
    void connect() {
        client.reset();
        connecting = net.connect(at, std::nullopt, [this](auto result) {
            if (result.ok()) {
                client = std::move(*result);
            } else {
                failure = result.error();
            }
        });
        CHECK_FALSE(client);
        loop.run_until_idle();
    }
};

}  // namespace

TEST_CASE("bytes arrive in order, and the end after them") {
    Ends ends;
    ends.connect();
    REQUIRE(ends.client);
    Reader reader(*ends.server);
    CHECK(ends.client->write("one ").bytes == 4);
    CHECK(ends.client->write("two").bytes == 3);
    ends.client->shutdown_write();
    ends.loop.run_until_idle();
    CHECK(reader.pieces == std::vector<std::string>{"one two"});
    CHECK(reader.ended);
    CHECK(ends.server->remote() == ends.client->local());
    CHECK(ends.client->remote() == ends.at);
}

TEST_CASE("input can be cut at every byte") {
    Ends ends({.read_piece = 1});
    ends.connect();
    Reader reader(*ends.server);
    ends.client->write("abc");
    ends.client.reset();
    ends.loop.run_until_idle();
    CHECK(reader.pieces == std::vector<std::string>{"a", "b", "c"});
    CHECK(reader.ended);
}

TEST_CASE("a full pipe asks to wait, and reports room once somebody reads") {
    Ends ends({.capacity = 10});
    ends.connect();
    Reader writer(*ends.client);
    CHECK(ends.client->write("0123456789abc").bytes == 10);
    CHECK(ends.client->write("abc").status == IoResult::Status::again);
    ends.client->want_write();
    ends.client->want_write();
    ends.loop.run_until_idle();
    CHECK(writer.writable == 0);
    Reader reader(*ends.server);
    ends.loop.run_until_idle();
    CHECK(writer.writable == 1);
    CHECK(ends.client->write("abc").bytes == 3);
}

TEST_CASE("endpoints misbehave as told") {
    Ends ends;
    ends.net.set_behaviour(ends.at, SimBehaviour::refuses);
    ends.connect();
    CHECK(ends.failure.why() == "connection refused");

    ends.failure = {};
    ends.net.set_behaviour(ends.at, SimBehaviour::swallows);
    ends.connect();
    CHECK(ends.failure.ok());
    CHECK(ends.net.pending() == 1);
    ends.connecting.reset();
    CHECK(ends.net.pending() == 0);

    ends.net.set_behaviour(ends.at, SimBehaviour::resets);
    ends.connect();
    REQUIRE(ends.client);
    Reader reader(*ends.client);
    ends.loop.run_until_idle();
    CHECK(reader.failed);

    ends.net.set_behaviour(ends.at, SimBehaviour::silent);
    ends.connect();
    Reader patient(*ends.client);
    CHECK(ends.client->write("anybody?").bytes == 8);
    ends.loop.run_until_idle();
    CHECK(patient.pieces.empty());
    CHECK_FALSE(ends.server);
    CHECK(ends.net.attempts().size() == 4);
}

TEST_CASE("a cut resets both ends") {
    Ends ends;
    ends.connect();
    Reader client(*ends.client);
    Reader server(*ends.server);
    ends.net.cut(ends.at);
    ends.loop.run_until_idle();
    CHECK(client.failed);
    CHECK(server.failed);
    ends.client.reset();
    ends.server.reset();
    CHECK(ends.net.connections() == 0);
}

TEST_CASE("a released socket goes on where it is adopted, and its old owner hears nothing") {
    Ends ends;
    ends.connect();
    auto old_owner = std::make_unique<Reader>(*ends.server);
    ends.client->write("x");
    const int descriptor = ends.server->release();
    ends.server.reset();
    ends.loop.run_until_idle();
    CHECK(old_owner->pieces.empty());
    auto adopted = ends.net.adopt(descriptor);
    REQUIRE(adopted);
    CHECK_FALSE(ends.net.adopt(descriptor));
    Reader reader(*adopted);
    ends.loop.run_until_idle();
    CHECK(reader.pieces == std::vector<std::string>{"x"});
}

TEST_CASE("acceptors on one endpoint take turns; without any the endpoint refuses") {
    Ends ends;
    std::vector<std::unique_ptr<Socket>> others;
    auto second =
        ends.net.listen(ends.at, [&](auto socket) { others.push_back(std::move(socket)); });
    ends.connect();
    auto first_client = std::move(ends.client);
    ends.connect();
    CHECK(ends.server);
    CHECK(others.size() == 1);
    second = Outcome::retry("");
    ends.acceptor.reset();
    ends.connect();
    CHECK(ends.failure.why() == "connection refused");
}
