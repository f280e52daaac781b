// SystemNetwork over real loopback sockets.
#include "gateway/net/system_network.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/sanitizers.h"
#include "tests/support/test_loop.h"

using namespace causeway;

namespace {

using std::chrono::milliseconds;

/// Runs `loop` until `done` holds; false when five seconds were not enough.
bool run_until(TestLoop& loop, const std::function<bool()>& done) { return loop.run_until(done); }

/// Runs what is ready and what becomes ready within `time`; returns how many handlers ran.
std::size_t run_for(TestLoop& loop, milliseconds time) { return loop.run_for(time); }

struct Recorder final : SocketHandler {
    int readable = 0;
    int writable = 0;
    std::function<void()> when_readable;
    std::function<void()> when_writable;
    void on_readable() override {
        ++readable;
        if (when_readable) when_readable();
    }
    void on_writable() override {
        ++writable;
        if (when_writable) when_writable();
    }
};

const Endpoint any_port{boost::asio::ip::make_address("127.0.0.1"), 0};

/// Both ends of one connection.
struct Pair {
    TestLoop loop;
    SystemNetwork network{loop.poller, loop.timers};
    std::unique_ptr<Acceptor> acceptor;
    std::unique_ptr<Connecting> connecting;
    std::unique_ptr<Socket> client;
    std::unique_ptr<Socket> server;

    Pair() {
        auto listening =
            network.listen(any_port, [this](auto socket) { server = std::move(socket); });
        REQUIRE(listening.ok());
        acceptor = std::move(*listening);
        connecting = network.connect(acceptor->local(), std::nullopt, [this](auto result) {
            REQUIRE(result.ok());
            client = std::move(*result);
            connecting.reset();
        });
        REQUIRE(run_until(loop, [this] { return client && server; }));
    }
};

std::string read_all(Socket& socket) {
    std::string all;
    char buffer[4096];
    for (;;) {
        const IoResult got = socket.read(buffer);
        if (got.status != IoResult::Status::ok) return all;
        all.append(buffer, got.bytes);
    }
}

int socket_option(int descriptor, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(descriptor, level, name, &value, &size) == 0);
    return value;
}

}  // namespace

TEST_CASE("two sockets exchange bytes and know each other's endpoints") {
    Pair pair;
    CHECK(pair.client->remote() == pair.acceptor->local());
    CHECK(pair.client->local() == pair.server->remote());
    Recorder at_server;
    pair.server->set_handler(&at_server);
    char buffer[16];
    CHECK(pair.server->read(buffer).status == IoResult::Status::again);
    pair.server->want_read();
    CHECK(pair.client->write("hello").bytes == 5);
    REQUIRE(run_until(pair.loop, [&] { return at_server.readable == 1; }));
    CHECK(read_all(*pair.server) == "hello");

    pair.client->shutdown_write();
    pair.server->want_read();
    REQUIRE(run_until(pair.loop, [&] { return at_server.readable == 2; }));
    CHECK(pair.server->read(buffer).status == IoResult::Status::end);
    CHECK(pair.server->write("still open").bytes == 10);
}

TEST_CASE("asking many times brings one callback, and not asking brings none") {
    Pair pair;
    Recorder at_server;
    pair.server->set_handler(&at_server);
    pair.server->want_read();
    pair.server->want_read();
    pair.server->want_read();
    pair.client->write("a");
    REQUIRE(run_until(pair.loop, [&] { return at_server.readable == 1; }));
    pair.client->write("b");
    run_for(pair.loop, milliseconds(30));
    CHECK(at_server.readable == 1);
    // What came meanwhile is reported as soon as somebody asks again: no edge is lost.
    pair.server->want_read();
    REQUIRE(run_until(pair.loop, [&] { return at_server.readable == 2; }));
    CHECK(read_all(*pair.server) == "ab");
}

TEST_CASE("a silenced socket says nothing") {
    Pair pair;
    Recorder at_server;
    pair.server->set_handler(&at_server);
    pair.server->want_read();
    pair.server->set_handler(nullptr);
    pair.client->write("a");
    run_for(pair.loop, milliseconds(30));
    CHECK(at_server.readable == 0);
    pair.server->set_handler(&at_server);
    pair.server->want_read();
    CHECK(run_until(pair.loop, [&] { return at_server.readable == 1; }));
}

TEST_CASE("a full socket asks to wait and reports when there is room") {
    Pair pair;
    const std::string block(256 * 1024, 'x');
    std::size_t sent = 0;
    IoResult last;
    while ((last = pair.client->write(block)).status == IoResult::Status::ok) sent += last.bytes;
    CHECK(last.status == IoResult::Status::again);
    Recorder at_client;
    pair.client->set_handler(&at_client);
    pair.client->want_write();
    pair.client->want_write();
    run_for(pair.loop, milliseconds(20));
    CHECK(at_client.writable == 0);
    std::size_t received = 0;
    REQUIRE(run_until(pair.loop, [&] {
        received += read_all(*pair.server).size();
        return at_client.writable > 0;
    }));
    CHECK(at_client.writable == 1);
    CHECK(received <= sent);
}

TEST_CASE("a socket destroyed in its own callback stays silent though both waits were ready") {
    Pair pair;
    Recorder at_server;
    pair.server->set_handler(&at_server);
    pair.client->write("x");
    int calls = 0;
    at_server.when_readable = at_server.when_writable = [&] {
        ++calls;
        pair.server.reset();
    };
    pair.server->want_read();
    pair.server->want_write();
    REQUIRE(run_until(pair.loop, [&] { return calls > 0; }));
    run_for(pair.loop, milliseconds(20));
    CHECK(calls == 1);
}

TEST_CASE("a socket destroyed after its wait completed but before the callback stays silent") {
    Pair first;
    std::unique_ptr<Socket> second;
    first.acceptor =
        std::move(*first.network.listen(any_port, [&](auto s) { second = std::move(s); }));
    std::unique_ptr<Socket> peer;
    auto connecting = first.network.connect(first.acceptor->local(), std::nullopt,
                                            [&](auto result) { peer = std::move(*result); });
    REQUIRE(run_until(first.loop, [&] { return second && peer; }));
    // Both become readable before the loop looks: whichever is told first destroys the other.
    Recorder one;
    Recorder two;
    first.server->set_handler(&one);
    second->set_handler(&two);
    one.when_readable = [&] { second.reset(); };
    two.when_readable = [&] { first.server.reset(); };
    first.server->want_read();
    second->want_read();
    first.client->write("x");
    peer->write("x");
    run_for(first.loop, milliseconds(50));
    CHECK(one.readable + two.readable == 1);
}

TEST_CASE("a descriptor released by one shard goes on in another, and the first hears nothing") {
    Pair pair;
    Recorder old_owner;
    pair.server->set_handler(&old_owner);
    pair.server->want_read();
    pair.server->want_write();
    const int descriptor = pair.server->release();
    REQUIRE(descriptor >= 0);
    CHECK(pair.server->release() == -1);
    pair.server.reset();

    TestLoop other;
    SystemNetwork network(other.poller, other.timers);
    auto adopted = network.adopt(descriptor);
    REQUIRE(adopted != nullptr);
    CHECK(adopted->remote() == pair.client->local());
    Recorder new_owner;
    adopted->set_handler(&new_owner);
    adopted->want_read();
    pair.client->write("moved");
    REQUIRE(run_until(other, [&] { return new_owner.readable == 1; }));
    CHECK(read_all(*adopted) == "moved");
    run_for(pair.loop, milliseconds(20));
    CHECK(old_owner.readable + old_owner.writable == 0);
}

TEST_CASE("a reset connection is read as failed and does not end the process when written to") {
    Pair pair;
    Recorder at_client;
    pair.client->set_handler(&at_client);
    pair.client->want_read();
    pair.client->write("unread bytes make the close a reset");
    pair.server.reset();
    REQUIRE(run_until(pair.loop, [&] { return at_client.readable == 1; }));
    char buffer[16];
    const IoResult got = pair.client->read(buffer);
    CHECK(got.status == IoResult::Status::failed);
    CHECK(describe_socket_error(got.error) == "connection reset");
    CHECK(pair.client->write("x").status == IoResult::Status::failed);
    CHECK(pair.client->remote() == pair.acceptor->local());
}

TEST_CASE("sockets have no delay, and links notice a dead peer") {
    Pair pair;
    const int client = pair.client->release();
    const int server = pair.server->release();
    for (const int descriptor : {client, server}) {
        CHECK(socket_option(descriptor, IPPROTO_TCP, TCP_NODELAY) != 0);
        CHECK(socket_option(descriptor, SOL_SOCKET, SO_KEEPALIVE) != 0);
        CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(socket_option(client, IPPROTO_TCP, TCP_KEEPIDLE) ==
          SocketOptions{}.link_keepalive_idle_s);
    CHECK(socket_option(client, IPPROTO_TCP, TCP_USER_TIMEOUT) ==
          SocketOptions{}.link_user_timeout_ms);
    ::close(client);
    ::close(server);
}

TEST_CASE("connecting reports refusal later, binds its source, and is silent when cancelled") {
    TestLoop loop;
    SystemNetwork network(loop.poller, loop.timers);
    Endpoint closed;
    {
        auto acceptor = network.listen(any_port, [](auto) {});
        REQUIRE(acceptor.ok());
        closed = (*acceptor)->local();
    }
    Outcome outcome;
    std::unique_ptr<Connecting> connecting =
        network.connect(closed, std::nullopt, [&](auto result) {
            outcome = result.error();
            connecting.reset();
        });
    CHECK(outcome.ok());
    REQUIRE(run_until(loop, [&] { return !outcome.ok(); }));
    CHECK(outcome.cause() == Cause::retry);
    CHECK(outcome.why() == "connection refused");

    // An address that no interface has fails before the attempt, and still not from within.
    outcome = {};
    connecting = network.connect(closed, boost::asio::ip::make_address("192.0.2.1"),
                                 [&](auto result) { outcome = result.error(); });
    CHECK(outcome.ok());
    REQUIRE(run_until(loop, [&] { return !outcome.ok(); }));
    CHECK(outcome.why() == "address not available here");

    std::unique_ptr<Socket> accepted;
    auto acceptor = network.listen(any_port, [&](auto socket) { accepted = std::move(socket); });
    std::unique_ptr<Socket> client;
    connecting = network.connect((*acceptor)->local(), boost::asio::ip::make_address("127.77.1.9"),
                                 [&](auto result) { client = std::move(*result); });
    REQUIRE(run_until(loop, [&] { return accepted && client; }));
    CHECK(accepted->remote().address().to_string() == "127.77.1.9");

    bool called = false;
    connecting = network.connect((*acceptor)->local(), std::nullopt, [&](auto) { called = true; });
    connecting.reset();
    run_for(loop, milliseconds(30));
    CHECK_FALSE(called);
}

TEST_CASE("an acceptor may be destroyed in its own callback") {
    TestLoop loop;
    SystemNetwork network(loop.poller, loop.timers);
    std::unique_ptr<Acceptor> acceptor;
    int accepted = 0;
    acceptor = std::move(*network.listen(any_port, [&](auto) {
        ++accepted;
        acceptor.reset();
    }));
    const Endpoint at = acceptor->local();
    std::vector<std::unique_ptr<Connecting>> attempts;
    for (int i = 0; i < 3; ++i) attempts.push_back(network.connect(at, std::nullopt, [](auto) {}));
    REQUIRE(run_until(loop, [&] { return accepted > 0; }));
    run_for(loop, milliseconds(20));
    CHECK(accepted == 1);
}

TEST_CASE("shards share an endpoint; another program's use of it is reported with advice") {
    TestLoop loop;
    SystemNetwork network(loop.poller, loop.timers);
    auto first = network.listen(any_port, [](auto) {});
    REQUIRE(first.ok());
    const Endpoint at = (*first)->local();
    auto second = network.listen(at, [](auto) {});
    CHECK(second.ok());

    const Outcome taken = check_endpoint_free(at);
    CHECK(taken.cause() == Cause::retry);
    CHECK(taken.why() == "cannot listen on " + to_string(at) +
                             ": address in use; stop the program that listens there or choose "
                             "another port");
    first = Outcome::retry("");
    second = Outcome::retry("");
    CHECK(check_endpoint_free(at).ok());

    auto absent = network.listen({boost::asio::ip::make_address("192.0.2.1"), 5222}, [](auto) {});
    REQUIRE_FALSE(absent.ok());
    CHECK(absent.error().cause() == Cause::absent);
    CHECK(absent.error().why() ==
          "cannot listen on 192.0.2.1:5222: address not available here; choose an address that an "
          "interface of this machine has");
}

namespace {

/// The number of descriptors allowed, put back at the end.
class DescriptorLimit {
public:
    DescriptorLimit() { REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0); }
    DescriptorLimit(const DescriptorLimit&) = delete;
    DescriptorLimit& operator=(const DescriptorLimit&) = delete;
    ~DescriptorLimit() { restore(); }
    void restore() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    void set(int count) {
        rlimit low = before_;
        low.rlim_cur = static_cast<rlim_t>(count);
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    }

private:
    rlimit before_{};
};

/// An acceptor and callers whose descriptors exist already.
struct Scarcity {
    TestLoop loop;
    SystemNetwork network{loop.poller, loop.timers};
    std::vector<std::unique_ptr<Socket>> accepted;
    std::unique_ptr<Acceptor> acceptor;
    std::vector<int> callers;
    DescriptorLimit limit;

    Scarcity() {
        acceptor = std::move(*network.listen(
            any_port, [this](auto socket) { accepted.push_back(std::move(socket)); }));
        for (int i = 0; i < 5; ++i) callers.push_back(::socket(AF_INET, SOCK_STREAM, 0));
    }
    Scarcity(const Scarcity&) = delete;
    Scarcity& operator=(const Scarcity&) = delete;
    ~Scarcity() {
        for (const int caller : callers) ::close(caller);
    }
    void call(std::size_t caller) {
        const Endpoint at = acceptor->local();
        REQUIRE(::connect(callers[caller], at.data(), static_cast<socklen_t>(at.size())) == 0);
    }
};

}  // namespace

TEST_CASE("an address of IPv4 is told as such, whatever listener it came to") {
    const auto told = [](const char* address) {
        return to_string(Endpoint(boost::asio::ip::make_address(address), 5222));
    };
    CHECK(told("192.0.2.1") == "192.0.2.1:5222");
    CHECK(told("::ffff:192.0.2.1") == "192.0.2.1:5222");
    CHECK(told("2001:db8::1") == "[2001:db8::1]:5222");
    CHECK(told("::") == "[::]:5222");
}

TEST_CASE("without descriptors an acceptor turns callers away and recovers" *
          doctest::skip(causeway::test::sanitized)) {
    Scarcity f;
    f.limit.set(f.callers.back() + 1);
    for (std::size_t i = 0; i < 4; ++i) f.call(i);
    run_for(f.loop, milliseconds(150));
    CHECK(f.accepted.empty());
    char byte = 0;
    const ssize_t end_seen = ::recv(f.callers[0], &byte, 1, MSG_DONTWAIT);
    CHECK((end_seen == 0 || errno == ECONNRESET));
    f.limit.restore();
    f.call(4);
    CHECK(run_until(f.loop, [&] { return f.accepted.size() == 1; }));
}

TEST_CASE("where not even turning away is possible an acceptor rests instead of spinning" *
          doctest::skip(causeway::test::sanitized)) {
    Scarcity f;
    f.limit.set(3);
    f.call(0);
    const std::size_t handlers = run_for(f.loop, milliseconds(350));
    f.limit.restore();
    CHECK(f.accepted.empty());
    CHECK(handlers >= 2);
    CHECK(handlers <= 12);
    CHECK(run_until(f.loop, [&] { return f.accepted.size() == 1; }));
    // The spare descriptor is there again for the next time.
    f.limit.set(f.callers.back() + 1);
    f.call(1);
    run_for(f.loop, milliseconds(50));
    char byte = 0;
    const ssize_t end_seen = ::recv(f.callers[1], &byte, 1, MSG_DONTWAIT);
    CHECK((end_seen == 0 || errno == ECONNRESET));
}
