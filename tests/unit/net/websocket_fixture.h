// A WebSocketChannel over a Channel in memory, and a handler that remembers what it is told.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/net/websocket.h"
#include "tests/support/memory_channel.h"
#include "tests/support/sim_clock.h"
#include "tests/support/websocket_frames.h"

namespace causeway::test {

struct MessageRecorder : ChannelHandler {
    void on_bytes(std::string_view bytes) override {
        messages.emplace_back(bytes);
        if (when_message) when_message();
    }
    void on_secured() override {}
    void on_channel_closed(const Outcome& why) override {
        ++closed;
        reason = why;
    }
    void on_drained() override { ++drained; }

    std::vector<std::string> messages;
    std::function<void()> when_message;
    Outcome reason;
    int closed = 0;
    int drained = 0;
};

struct Socketed {
    static constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";

    explicit Socketed(std::size_t limit = 1000) {
        auto below = std::make_unique<MemoryChannel>(shard, wire);
        channel = std::make_unique<WebSocketChannel>(shard, std::move(below), key, limit);
        channel->set_handler(&recorder);
        run();
        response = std::exchange(wire->sent, {});
    }
    ~Socketed() { channel.reset(); }

    void run() {
        while (shard.turn(Duration::zero()) != 0) {
        }
        shard.turn(Duration::zero());  // what was posted by flushing
        while (shard.turn(Duration::zero()) != 0) {
        }
    }
    void pass(Duration time) {
        clock.advance(time);
        run();
    }
    void receive(std::string_view bytes) {
        if (wire->channel != nullptr) wire->channel->receive(bytes);
        run();
    }
    /// Everything that was sent since, as frames.
    std::vector<Frame> frames() {
        auto taken = take_server_frames(wire->sent);
        REQUIRE(taken.has_value());
        REQUIRE(wire->sent.empty());
        return *taken;
    }
    std::string close_code() {
        const auto sent = frames();
        REQUIRE(sent.size() == 1);
        REQUIRE(sent[0].kind == FrameKind::close);
        return sent[0].payload.substr(0, 2);
    }

    SimClock clock;
    Shard shard{0, 1, clock};
    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
    MessageRecorder recorder;
    std::unique_ptr<WebSocketChannel> channel;
    std::string response;
};

inline std::string text(std::string_view payload) { return client_frame(FrameKind::text, payload); }

}  // namespace causeway::test
