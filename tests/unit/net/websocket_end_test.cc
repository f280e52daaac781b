// WebSocketChannel: how a connection ends, and that it can be torn down at any moment.
#include "tests/unit/net/websocket_fixture.h"

using namespace causeway;
using namespace causeway::test;

TEST_CASE("close sends what is queued, then waits for the peer's close frame and for its end") {
    for (const bool busy : {false, true}) {
        CAPTURE(busy);
        Socketed s;
        // Half a message has come: the rest is read and dropped.
        const std::string half = text(std::string(500, 'x'));
        if (busy) s.receive(half.substr(0, 250));
        s.channel->write("last words");
        s.channel->close();
        s.channel->close();
        s.channel->write("after");
        s.run();
        const auto frames = s.frames();
        REQUIRE(frames.size() == 2);
        CHECK(frames[0] == Frame{FrameKind::text, "last words"});
        CHECK(frames[1] == Frame{FrameKind::close, close_payload(1000)});
        if (busy) s.receive(half.substr(250));
        s.receive(text("crossing") + client_frame(FrameKind::ping, "crossing"));
        CHECK_FALSE(s.wire->closing);
        s.receive(client_frame(FrameKind::close, close_payload(1000)));
        CHECK(s.wire->closing);
        CHECK(s.recorder.closed == 0);
        s.wire->channel->end();
        CHECK(s.recorder.closed == 1);
        CHECK(s.recorder.reason.ok());
        CHECK(s.recorder.messages.empty());
        CHECK(s.frames().empty());
    }
}

TEST_CASE("a peer that does not answer close is dropped after close_wait") {
    for (const bool stalled : {false, true}) {
        Socketed s;
        s.wire->stalled = stalled;
        s.channel->write("x");
        s.channel->close();
        s.run();
        s.pass(WebSocketChannel::close_wait - Duration(20));
        CHECK(s.recorder.closed == 0);
        s.pass(Duration(40));
        CHECK(s.recorder.closed == 1);
        CHECK(s.recorder.reason.ok());
        CHECK(s.wire->channel == nullptr);
        CHECK(s.channel->queued() == 0);
        CHECK(s.channel->tls() == nullptr);
        s.channel->write("x");
        s.channel->close();
        s.channel->resume_reading();
        s.run();
    }
}

TEST_CASE("a close frame of the peer is answered, and ends the connection in good order") {
    Socketed s;
    s.receive(text("last") + client_frame(FrameKind::close, close_payload(1001) + "bye"));
    CHECK(s.recorder.messages.size() == 1);
    CHECK(s.close_code() == close_payload(1001));
    CHECK(s.wire->closing);
    s.channel->write("never sent");
    s.channel->close();
    s.run();
    s.wire->channel->end();
    CHECK(s.recorder.closed == 1);
    CHECK(s.recorder.reason.ok());
    CHECK(s.wire->sent.empty());
}

TEST_CASE("both sides close at once") {
    Socketed s;
    s.channel->close();
    if (s.wire->channel != nullptr) {
        s.wire->channel->receive(client_frame(FrameKind::close, close_payload(1000)));
    }
    s.run();
    CHECK(s.close_code() == close_payload(1000));
    CHECK(s.wire->closing);
    s.wire->channel->end();
    CHECK(s.recorder.closed == 1);
}

TEST_CASE("the end of the connection below is told as it is") {
    {
        Socketed s;
        s.wire->channel->end(Outcome::retry("connection reset"));
        CHECK(s.recorder.closed == 1);
        CHECK(s.recorder.reason.why() == "connection reset");
        s.channel->write("x");
        s.channel->close();
        s.run();
        s.pass(WebSocketChannel::close_wait * 2);
        CHECK(s.recorder.closed == 1);
    }
    Socketed s;
    s.receive(text("whole") + text("half").substr(0, 5));
    s.wire->channel->end();
    CHECK(s.recorder.messages.size() == 1);
    CHECK(s.recorder.reason.ok());
}

TEST_CASE("what the peer sent before it closed the connection is read to its end") {
    Socketed s;
    std::string bytes;
    for (int i = 0; i < 20; ++i) bytes += text("message " + std::to_string(i));
    SUBCASE("messages alone") {}
    SUBCASE("a close frame behind them") { bytes += client_frame(FrameKind::close, ""); }
    SUBCASE("a ping, whose answer nobody takes") {
        bytes = client_frame(FrameKind::ping, "x") + bytes;
        s.wire->stalled = true;
    }
    SUBCASE("a part of another") { bytes += text("never whole").substr(0, 9); }
    SUBCASE("it is paused and goes on") {
        s.recorder.when_message = [&] {
            if (s.recorder.messages.size() == 2) s.channel->hold();
        };
        s.wire->channel->receive(text("message"));
        s.run();
        bytes = bytes.substr(text("message 0").size());
    }
    s.wire->channel->receive(bytes);
    s.wire->channel->end();
    s.run();
    if (s.recorder.messages.size() == 2) {
        CHECK(s.recorder.closed == 0);
        s.channel->resume_reading();
        s.run();
    }
    CHECK(s.recorder.messages.size() == 20);
    CHECK(s.recorder.messages.back() == "message 19");
    CHECK(s.recorder.closed == 1);
}

TEST_CASE("a connection that breaks while it is paused is over at once") {
    Socketed s;
    s.channel->pause_reading();
    s.receive(text("never seen"));
    s.wire->channel->end(Outcome::retry("it broke"));
    CHECK(s.recorder.closed == 1);
}

TEST_CASE("a paused connection still closes") {
    Socketed s;
    s.channel->pause_reading();
    s.receive(text("never seen"));
    s.channel->close();
    s.run();
    CHECK_FALSE(s.wire->paused);
    CHECK(s.close_code() == close_payload(1000));
    s.receive(client_frame(FrameKind::close, ""));
    CHECK(s.wire->closing);
    CHECK(s.recorder.messages.empty());
}

TEST_CASE("it may be condemned at any moment, in the middle of everything") {
    const std::string bytes = text("one") + client_frame(FrameKind::ping, "p") +
                              text(std::string(600, 'x')) + text("three") +
                              client_frame(FrameKind::close, close_payload(1000)) + text("after");
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        for (const int ending : {0, 1, 2, 3}) {
            Socketed s;
            s.wire->stalled = ending == 3;
            if (ending == 2) s.channel->close();
            s.wire->channel->receive_late(std::string_view(bytes).substr(0, cut));
            if (ending == 1) s.channel->close();
            s.channel->set_handler(nullptr);
            // As an owner does it: posted operations of Beast are still under way.
            s.shard.condemn(std::move(s.channel));
            s.run();
            CHECK(s.wire->channel == nullptr);
            CHECK(s.recorder.closed == 0);
        }
    }
    // Within its own callback.
    Socketed s;
    s.recorder.when_message = [&] {
        s.channel->set_handler(nullptr);
        s.shard.condemn(std::move(s.channel));
    };
    s.receive(text("one") + text("two"));
    CHECK(s.recorder.messages.size() == 1);
    CHECK(s.wire->channel == nullptr);
}
