// Poller over pairs of local sockets.
#include "gateway/shard/poller.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>
#include <thread>

namespace causeway::test {
namespace {

struct Ends {
    Ends() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0); }
    Ends(const Ends&) = delete;
    Ends& operator=(const Ends&) = delete;
    ~Ends() {
        for (const int end : ends) ::close(end);
    }
    int ends[2] = {-1, -1};
};

/// Counts what it is told.
struct Watched final : Polled {
    Watched(Poller& poller, int descriptor) : Polled(poller) { REQUIRE(watch(descriptor)); }
    void on_ready(Direction direction) override {
        told += direction == Direction::read ? 'r' : 'w';
        if (when_ready) when_ready(direction);
    }
    /// Reads at most `most` bytes and says what the owner of a stream says.
    std::string take(std::size_t most) {
        std::string into(most, '\0');
        const ssize_t got = ::recv(descriptor(), into.data(), most, 0);
        if (got < 0) would_block(Direction::read);
        if (got > 0 && static_cast<std::size_t>(got) < most) short_read();
        into.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return into;
    }
    std::string told;
    std::function<void(Direction)> when_ready;
};

void send(int descriptor, std::string_view bytes, int flags = 0) {
    REQUIRE(::send(descriptor, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
}

constexpr Duration soon{200};

}  // namespace

TEST_CASE("poller: who asked is told once, and who did not is told when it asks") {
    const Ends ends;
    Poller poller;
    Watched watched(poller, ends.ends[0]);
    send(ends.ends[1], "a");
    CHECK(poller.poll(soon) == 0);
    watched.want(Direction::read);
    CHECK(watched.told.empty());
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.told == "r");
    // It took nothing, so that it is told again as soon as it asks.
    CHECK(poller.poll(Duration::zero()) == 0);
    watched.want(Direction::read);
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.told == "rr");
}

TEST_CASE("poller: after a short read only more input makes it ready, and no edge is lost") {
    const Ends ends;
    Poller poller;
    Watched watched(poller, ends.ends[0]);
    watched.want(Direction::read);
    send(ends.ends[1], "ab");
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.take(10) == "ab");
    watched.want(Direction::read);
    CHECK(poller.poll(Duration::zero()) == 0);
    send(ends.ends[1], "cdef");
    CHECK(poller.poll(soon) == 1);
    // A full read promises more.
    CHECK(watched.take(2) == "cd");
    watched.want(Direction::read);
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.take(2) == "ef");
    watched.want(Direction::read);
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.take(2).empty());
    watched.want(Direction::read);
    CHECK(poller.poll(Duration::zero()) == 0);
}

TEST_CASE("poller: the end that came with the last bytes is told") {
    const Ends ends;
    Poller poller;
    Watched watched(poller, ends.ends[0]);
    watched.want(Direction::read);
    send(ends.ends[1], "bye");
    ::shutdown(ends.ends[1], SHUT_WR);
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.take(10) == "bye");
    watched.want(Direction::read);
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.told == "rr");
}

TEST_CASE("poller: urgent data, at which a read stops short, hides nothing that is behind it") {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&at), size) == 0);
    const int server = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    REQUIRE(server >= 0);
    {
        Poller poller;
        Watched watched(poller, server);
        std::string got;
        watched.when_ready = [&](Direction) {
            got += watched.take(100);
            watched.want(Direction::read);
        };
        send(client, "before");
        send(client, "!", MSG_OOB);
        send(client, "behind");
        watched.want(Direction::read);
        for (int i = 0; i < 20 && got.size() < 12; ++i) poller.poll(Duration(20));
        CHECK(got == "beforebehind");
        // It is not asked over and over for what is not there.
        watched.told.clear();
        for (int i = 0; i < 20; ++i) poller.poll(Duration::zero());
        CHECK(watched.told.size() <= 2);
    }
    for (const int descriptor : {client, server, listener}) ::close(descriptor);
}

TEST_CASE("poller: both directions have their turn though one is always ready") {
    const Ends ends;
    Poller poller;
    Watched watched(poller, ends.ends[0]);
    send(ends.ends[1], "never read");
    watched.when_ready = [&](Direction direction) { watched.want(direction); };
    watched.want(Direction::read);
    watched.want(Direction::write);
    for (int i = 0; i < 6; ++i) CHECK(poller.poll(soon) == 1);
    CHECK(watched.told == "rwrwrw");
}

TEST_CASE("poller: a full descriptor is told of when there is room") {
    const Ends ends;
    Poller poller;
    Watched watched(poller, ends.ends[0]);
    const std::string block(65536, 'x');
    while (::send(ends.ends[0], block.data(), block.size(), MSG_NOSIGNAL) > 0) {
    }
    watched.would_block(Direction::write);
    poller.poll(Duration::zero());
    watched.would_block(Direction::write);
    watched.want(Direction::write);
    CHECK(poller.poll(Duration::zero()) == 0);
    std::string into(65536, '\0');
    while (::recv(ends.ends[1], into.data(), into.size(), 0) > 0) {
    }
    CHECK(poller.poll(soon) == 1);
    CHECK(watched.told == "w");
}

TEST_CASE("poller: who ends in its own call, or in another's, hears nothing more") {
    const Ends one;
    const Ends two;
    Poller poller;
    auto first = std::make_unique<Watched>(poller, one.ends[0]);
    auto second = std::make_unique<Watched>(poller, two.ends[0]);
    int calls = 0;
    // What is captured goes with the owner of the call: the call takes it along.
    first->when_ready = second->when_ready = [&](Direction) {
        int& counted = calls;
        auto ended = std::array{std::move(first), std::move(second)};
        ++counted;
    };
    for (Watched* each : {first.get(), second.get()}) {
        each->want(Direction::read);
        each->want(Direction::write);
    }
    send(one.ends[1], "x");
    send(two.ends[1], "x");
    CHECK(poller.poll(soon) == 1);
    CHECK(poller.poll(Duration::zero()) == 0);
    CHECK(calls == 1);
}

TEST_CASE("poller: an owner that reads in its own way has epoll look again") {
    const Ends ends;
    Poller poller;
    Watched watched(poller, ends.ends[0]);
    send(ends.ends[1], "ab");
    watched.when_ready = [&](Direction) {
        watched.check_again();
        char byte = 0;
        static_cast<void>(::recv(ends.ends[0], &byte, 1, 0));
        watched.want(Direction::read);
    };
    watched.want(Direction::read);
    CHECK(poller.poll(soon) == 1);
    CHECK(poller.poll(soon) == 1);
    CHECK(poller.poll(Duration::zero()) <= 1);  // it may have been seen before the second byte went
    CHECK(poller.poll(Duration::zero()) == 0);
}

TEST_CASE("poller: what is forced is told in the next turn") {
    const Ends ends;
    Poller poller;
    Watched watched(poller, ends.ends[0]);
    watched.force_ready(Direction::read);
    CHECK(watched.told.empty());
    CHECK(poller.poll(Duration(10'000)) == 1);
    CHECK(watched.told == "r");
}

TEST_CASE("poller: another thread ends the wait, before it begins as well") {
    Poller poller;
    const auto begin = std::chrono::steady_clock::now();
    poller.wake();
    poller.poll(Duration(10'000));
    std::thread other([&] { poller.wake(); });
    poller.poll(Duration(10'000));
    other.join();
    poller.wake();
    poller.poll(Duration(10'000));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(9));
}

}  // namespace causeway::test
