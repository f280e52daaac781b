// ChannelProxy: a connection on one shard, its owner on another; in steps on one thread, and with
// two real threads over real sockets.
#include "gateway/net/channel_proxy.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <thread>

#include "gateway/net/stream_channel.h"
#include "gateway/net/system_network.h"
#include "gateway/net/websocket.h"
#include "tests/support/memory_channel.h"
#include "tests/support/sim_clock.h"
#include "tests/support/websocket_frames.h"

using namespace causeway;

namespace {

struct Recorder : ChannelHandler {
    void on_bytes(std::string_view bytes) override {
        messages.emplace_back(bytes);
        if (when_message) when_message(bytes);
    }
    void on_secured() override {}
    void on_channel_closed(const Outcome& why) override {
        ++closed;
        reason = why;
        if (when_closed) when_closed();
    }
    void on_drained() override { ++drained; }

    std::vector<std::string> messages;
    std::function<void(std::string_view)> when_message;
    std::function<void()> when_closed;
    Outcome reason;
    int closed = 0;
    int drained = 0;
};

struct Rig {
    Rig() {
        proxy = make_proxy(shards[0], std::make_unique<MemoryChannel>(shards[0], wire), shards[1]);
    }
    ~Rig() {
        proxy.reset();
        run();
    }
    void open() {
        proxy->set_handler(&recorder);
        run();
    }
    void run() {
        for (int quiet = 0; quiet < 3;) quiet = shards.run_until_idle() == 0 ? quiet + 1 : 0;
    }
    void receive(std::string_view bytes) { wire->channel->receive(bytes); }

    SimClock clock;
    Shards shards{2, clock};
    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
    Recorder recorder;
    std::unique_ptr<Channel> proxy;
};

}  // namespace

TEST_CASE("bytes pass both ways, in order, and facts are copied") {
    Rig rig;
    CHECK(rig.wire->paused);
    rig.open();
    CHECK_FALSE(rig.wire->paused);
    CHECK(rig.proxy->remote().port() == 40000);
    CHECK(rig.proxy->kind() == TransportKind::tcp);
    CHECK_FALSE(rig.proxy->framed());
    CHECK(rig.proxy->tls() == nullptr);
    CHECK_FALSE(static_cast<ChannelProxy&>(*rig.proxy).tls_facts().has_value());
    CHECK(rig.proxy->detach() == nullptr);
    rig.receive("one");
    rig.receive("two");
    CHECK(rig.recorder.messages.empty());
    rig.run();
    CHECK(rig.recorder.messages == std::vector<std::string>{"one", "two"});
    rig.proxy->write("three ");
    rig.proxy->write("four");
    CHECK(rig.proxy->queued() == 10);
    CHECK(rig.wire->sent.empty());
    rig.run();
    CHECK(rig.wire->sent == "three four");
    CHECK(rig.proxy->queued() == 0);
    CHECK(rig.recorder.drained == 1);
}

TEST_CASE("on one shard there is no proxy") {
    Rig rig;
    auto original = std::make_unique<MemoryChannel>(rig.shards[0], rig.wire);
    const Channel* before = original.get();
    auto same = make_proxy(rig.shards[0], std::move(original), rig.shards[0]);
    CHECK(same.get() == before);
}

TEST_CASE("a slow connection shows in queued()") {
    Rig rig;
    rig.open();
    rig.wire->stalled = true;
    rig.proxy->write(std::string(1000, 'x'));
    rig.run();
    rig.proxy->write(std::string(500, 'y'));
    rig.run();
    CHECK(rig.proxy->queued() == 1500);
    CHECK(rig.recorder.drained == 0);
    rig.wire->channel->unstall();
    rig.run();
    CHECK(rig.proxy->queued() == 0);
    CHECK(rig.recorder.drained == 1);
    CHECK(rig.wire->sent.size() == 1500);
}

TEST_CASE("an owner that does not take its input stops the connection within the window") {
    for (const std::size_t size : {1000UL, 0UL}) {
        Rig rig;
        rig.open();
        rig.proxy->pause_reading();
        int sent = 0;
        for (; sent < 10'000 && !rig.wire->paused; ++sent) {
            rig.receive(std::string(size, 'x'));
            rig.run();
        }
        CHECK(sent < 1100);
        CHECK(rig.recorder.messages.empty());
        rig.proxy->resume_reading();
        CHECK(rig.recorder.messages.empty());
        rig.run();
        CHECK(rig.recorder.messages.size() == static_cast<std::size_t>(sent));
        CHECK_FALSE(rig.wire->paused);
        // And again, paused from within.
        rig.recorder.when_message = [&](std::string_view) { rig.proxy->hold(); };
        rig.receive("one");
        rig.receive("two");
        rig.run();
        CHECK(rig.recorder.messages.back() == "one");
        rig.recorder.when_message = nullptr;
        rig.proxy->resume_reading();
        rig.run();
        CHECK(rig.recorder.messages.back() == "two");
    }
}

TEST_CASE("closing from the owner's side sends what was written first") {
    Rig rig;
    rig.open();
    rig.proxy->write("last");
    rig.proxy->close();
    rig.proxy->close();
    rig.proxy->write("too late");
    rig.run();
    CHECK(rig.wire->sent == "last");
    CHECK(rig.wire->closing);
    CHECK(rig.recorder.closed == 0);
    rig.wire->channel->end();
    rig.run();
    CHECK(rig.recorder.closed == 1);
    CHECK(rig.recorder.reason.ok());
    rig.proxy.reset();
    rig.run();
    CHECK(rig.wire->channel == nullptr);
}

TEST_CASE("the end of the connection comes behind its last message") {
    Rig rig;
    rig.open();
    rig.proxy->pause_reading();
    rig.receive("last");
    rig.wire->channel->end(Outcome::retry("connection reset"));
    rig.run();
    CHECK(rig.recorder.closed == 0);
    rig.proxy->resume_reading();
    rig.run();
    CHECK(rig.recorder.messages == std::vector<std::string>{"last"});
    CHECK(rig.recorder.closed == 1);
    CHECK(rig.recorder.reason.why() == "connection reset");
    rig.proxy->write("x");
    rig.proxy->close();
    rig.run();
    CHECK(rig.recorder.closed == 1);
}

TEST_CASE("an end on the way to the other shard is not lost") {
    Rig rig;
    rig.wire->channel->end();
    rig.run();
    CHECK(rig.recorder.closed == 0);
    rig.open();
    CHECK(rig.recorder.closed == 1);
}

TEST_CASE("a proxy may go at any moment, and the connection goes with it") {
    for (int moment = 0; moment < 12; ++moment) {
        CAPTURE(moment);
        Rig rig;
        if (moment > 0) rig.proxy->set_handler(&rig.recorder);
        if (moment > 1) rig.run();
        if (moment > 2) rig.receive("in");
        if (moment > 3) rig.proxy->write("out");
        if (moment > 4) rig.shards[0].turn(Duration::zero());
        if (moment > 5) rig.shards[1].turn(Duration::zero());
        if (moment > 6) rig.proxy->close();
        if (moment > 7) rig.shards[1].turn(Duration::zero());
        if (moment > 8) rig.shards[0].turn(Duration::zero());
        if (moment > 9) rig.wire->channel->end();
        if (moment > 10) rig.shards[0].turn(Duration::zero());
        rig.proxy->set_handler(nullptr);
        rig.shards[1].condemn(std::move(rig.proxy));
        rig.run();
        CHECK(rig.wire->channel == nullptr);
        CHECK(rig.recorder.closed == 0);
    }
    // Within a callback.
    Rig rig;
    rig.open();
    rig.recorder.when_message = [&](std::string_view) {
        rig.proxy->set_handler(nullptr);
        rig.shards[1].condemn(std::move(rig.proxy));
    };
    rig.receive("one");
    rig.receive("two");
    rig.run();
    CHECK(rig.recorder.messages.size() == 1);
    CHECK(rig.wire->channel == nullptr);
}

namespace {

/// The owner of a proxy on shard 1: sends every message back, and closes when asked to.
struct Echo {
    explicit Echo(Shard& at) : shard(at) {
        recorder.when_message = [this](std::string_view message) {
            recorder.messages.clear();
            if (message == "close") {
                channel->close();
            } else {
                channel->write(message);
            }
        };
    }
    Shard& shard;
    Recorder recorder;
    std::unique_ptr<Channel> channel;
};

void send_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        REQUIRE(sent > 0);
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::vector<Frame> read_frames(int descriptor, std::string& input, std::size_t count) {
    std::vector<Frame> frames;
    char buffer[4096];
    while (frames.size() < count) {
        const ssize_t got = ::recv(descriptor, buffer, sizeof buffer, 0);
        REQUIRE(got > 0);
        input.append(buffer, static_cast<std::size_t>(got));
        auto taken = take_server_frames(input);
        REQUIRE(taken.has_value());
        for (Frame& frame : *taken) frames.push_back(std::move(frame));
    }
    return frames;
}

/// Reads to the end of the HTTP header.
void pass_header(int descriptor) {
    std::string header;
    while (header.find("\r\n\r\n") == std::string::npos) {
        char byte = 0;
        REQUIRE(::recv(descriptor, &byte, 1, 0) == 1);
        header += byte;
    }
}

/// Sends many messages, and counts the rounds in which they did not come back as they were.
std::size_t wrong_echoes(int descriptor, std::string& input) {
    constexpr std::size_t rounds = 200;
    std::size_t wrong = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<Frame> expected;
        std::string bytes;
        for (std::size_t i = 0; i < 10; ++i) {
            const std::string message(round * 37 % 900 + i, static_cast<char>('a' + i));
            bytes += client_frame(FrameKind::text, message);
            expected.push_back({FrameKind::text, message});
        }
        send_all(descriptor, bytes);
        if (read_frames(descriptor, input, expected.size()) != expected) ++wrong;
    }
    return wrong;
}

}  // namespace

TEST_CASE("two threads: a WebSocket on one, its owner on the other") {
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    REQUIRE(::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);

    const SystemClock clock;
    Shards shards(2, clock);
    auto network = std::make_unique<SystemNetwork>(shards[0].poller(), shards[0].timers());
    auto echo = std::make_unique<Echo>(shards[1]);
    std::promise<void> over;
    echo->recorder.when_closed = [&] {
        shards[1].condemn(std::move(echo->channel));
        over.set_value();
    };
    shards[0].post([&] {
        auto below = std::make_unique<StreamChannel>(shards[0], network->adopt(ends[1]));
        auto websocket = std::make_unique<WebSocketChannel>(shards[0], std::move(below),
                                                            "dGhlIHNhbXBsZSBub25jZQ==", 100'000);
        const auto proxy = std::make_shared<std::unique_ptr<Channel>>(
            make_proxy(shards[0], std::move(websocket), shards[1]));
        shards[1].post([&echo, proxy] {
            echo->channel = std::move(*proxy);
            echo->channel->set_handler(&echo->recorder);
        });
    });
    std::thread first([&] { shards[0].run(); });
    std::thread second([&] { shards[1].run(); });

    pass_header(ends[0]);
    std::string input;
    CHECK(wrong_echoes(ends[0], input) == 0);
    send_all(ends[0], client_frame(FrameKind::text, "close"));
    const auto last = read_frames(ends[0], input, 1);
    CHECK(last[0].kind == FrameKind::close);
    send_all(ends[0], client_frame(FrameKind::close, last[0].payload));
    char byte = 0;
    CHECK(::recv(ends[0], &byte, 1, 0) == 0);
    ::close(ends[0]);
    CHECK(over.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    shards[0].stop();
    shards[1].stop();
    first.join();
    second.join();
    // What the threads still owed each other.
    shards.run_until_idle();
    CHECK(echo->channel == nullptr);
    CHECK(echo->recorder.closed == 1);
    network.reset();
}
