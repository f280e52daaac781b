// WebSocketChannel: what it makes of every kind of frame, however it is cut.
#include "tests/unit/net/websocket_fixture.h"

using namespace causeway;
using namespace causeway::test;

TEST_CASE("the upgrade is answered with the right digest and subprotocol") {
    const Socketed s;
    CHECK(s.response.starts_with("HTTP/1.1 101 "));
    // The example of RFC 6455 §1.3
    CHECK(s.response.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") !=
          std::string::npos);
    CHECK(s.response.find("Sec-WebSocket-Protocol: xmpp\r\n") != std::string::npos);
    CHECK(s.response.find("Beast") == std::string::npos);
    CHECK(s.response.find("Extensions") == std::string::npos);
    CHECK(s.response.ends_with("\r\n\r\n"));
    CHECK(s.channel->framed());
    CHECK(s.channel->kind() == TransportKind::websocket);
    CHECK(s.channel->tls() == nullptr);
    CHECK(s.channel->remote().port() == 40000);
}

TEST_CASE("each text message comes whole, one call each, however the bytes are cut") {
    const std::string small = "<presence/>";
    const std::string medium(700, 'm');
    const std::string large(3000, 'l');
    std::string bytes = text(small) + text(medium) + text(small);
    bytes += client_frame(FrameKind::text, large.substr(0, 1), false);
    bytes += client_frame(FrameKind::ping, "between");
    bytes += client_frame(FrameKind::continuation, large.substr(1, 2000), false);
    bytes += client_frame(FrameKind::continuation, "", false);
    bytes += client_frame(FrameKind::continuation, large.substr(2001));
    bytes += text("") + text("\xc3\xa4\xe2\x82\xac");
    const std::vector<std::string> expected{small, medium,        small,
                                            large, std::string(), "\xc3\xa4\xe2\x82\xac"};
    for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 100UL, 1536UL, bytes.size()}) {
        CAPTURE(piece);
        Socketed s(4000);
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            s.receive(std::string_view(bytes).substr(at, piece));
        }
        CHECK(s.recorder.messages == expected);
        CHECK(s.frames() == std::vector<Frame>{{FrameKind::pong, "between"}});
        CHECK(s.recorder.closed == 0);
    }
}

TEST_CASE("each write is one unmasked text message, of any length") {
    Socketed s;
    const std::vector<std::string> messages{"<a/>", std::string(125, 'b'), std::string(126, 'c'),
                                            std::string(65535, 'd'), std::string(65536, 'e')};
    for (const std::string& message : messages) s.channel->write(message);
    CHECK(s.channel->queued() > 131000);
    CHECK(s.wire->sent.empty());
    s.run();
    CHECK(s.channel->queued() == 0);
    CHECK(s.recorder.drained >= 1);
    const auto frames = s.frames();
    REQUIRE(frames.size() == messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        CHECK(frames[i] == Frame{FrameKind::text, messages[i]});
    }
}

TEST_CASE("a slow reader shows in queued(), and its pings are not answered without bound") {
    Socketed s;
    s.wire->stalled = true;
    s.channel->write(std::string(5000, 'x'));
    for (int i = 0; i < 1000; ++i) s.receive(client_frame(FrameKind::ping, std::string(125, 'p')));
    CHECK(s.channel->queued() >= 5000);
    CHECK(s.channel->queued() < 6000);
    CHECK(s.recorder.drained == 1);
    // Input that cannot be handled yet is bounded as well: the peer has to wait.
    CHECK(s.wire->paused);
    s.wire->channel->unstall();
    s.run();
    CHECK_FALSE(s.wire->paused);
    CHECK(s.frames().size() == 1001);
}

TEST_CASE("what the peer may not do ends the connection with the code for it") {
    struct Fault {
        const char* what;
        std::string bytes;
        unsigned code;
    };
    const std::vector<Fault> faults{
        {"binary", client_frame(FrameKind::binary, "<a/>"), 1003},
        {"too long", text(std::string(1001, 'x')), 1009},
        {"too long in pieces",
         client_frame(FrameKind::text, std::string(600, 'x'), false) +
             client_frame(FrameKind::continuation, std::string(600, 'x')),
         1009},
        {"not masked", client_frame(FrameKind::text, "<a/>", true, false), 1002},
        {"not UTF-8", text("\xff\xfe"), 1007},
        {"UTF-8 cut short", text("\xe2\x82"), 1007},
        {"UTF-8 cut short, and an empty end",
         client_frame(FrameKind::text, "abc\xf0\x9f\x98", false) +
             client_frame(FrameKind::continuation, ""),
         1007},
        {"reserved bits", "\xf1\x80\x01\x02\x03\x04", 1002},
        {"unknown opcode", client_frame(static_cast<FrameKind>(3), "x"), 1002},
        {"continuation of nothing", client_frame(FrameKind::continuation, "x"), 1002},
        {"text within a message",
         client_frame(FrameKind::text, "x", false) + client_frame(FrameKind::text, "x"), 1002},
        {"fragmented ping", client_frame(FrameKind::ping, "x", false), 1002},
        {"long ping", client_frame(FrameKind::ping, std::string(126, 'x')), 1002},
        {"close with one byte", client_frame(FrameKind::close, "x"), 1002},
        {"close with a bad code", client_frame(FrameKind::close, close_payload(1005)), 1002},
    };
    for (const Fault& fault : faults) {
        CAPTURE(fault.what);
        Socketed s;
        s.receive(fault.bytes);
        CHECK(s.close_code() == close_payload(fault.code));
        s.channel->write("too late");
        s.receive(text("ignored"));
        // Where it is we who found the fault, its close frame is still due.
        if (!s.wire->closing) s.receive(client_frame(FrameKind::close, close_payload(fault.code)));
        CHECK(s.wire->closing);
        CHECK(s.recorder.messages.empty());
        CHECK(s.recorder.closed == 0);
        s.wire->channel->end();
        CHECK(s.recorder.closed == 1);
        CHECK(s.recorder.reason.cause() == Cause::malformed);
        CHECK(s.frames().empty());
    }
}

TEST_CASE("the message limit can be raised, for the next message") {
    Socketed s;
    s.receive(text(std::string(1000, 'x')));
    s.channel->set_message_limit(2000);
    s.receive(text(std::string(2000, 'y')));
    CHECK(s.recorder.messages.size() == 2);
    s.receive(text(std::string(2001, 'z')));
    CHECK(s.close_code() == close_payload(1009));
}

TEST_CASE("nothing is delivered while paused, and nothing is lost") {
    Socketed s;
    s.recorder.when_message = [&] {
        if (s.recorder.messages.size() == 2) s.channel->pause_reading();
    };
    std::string bytes;
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i) {
        const std::string filling(static_cast<std::size_t>(i) * 40, 'x');
        expected.push_back("message " + std::to_string(i) + filling);
        bytes += text(expected.back());
    }
    s.receive(bytes);
    CHECK(s.recorder.messages.size() == 2);
    CHECK(s.wire->paused);
    // The Channel below may have had more in its hands.
    expected.emplace_back("more");
    s.receive(text("more"));
    CHECK(s.recorder.messages.size() == 2);
    s.channel->resume_reading();
    CHECK(s.recorder.messages.size() == 2);
    s.run();
    CHECK_FALSE(s.wire->paused);
    CHECK(s.recorder.messages == expected);

    // Held from outside, while a message is on its way through.
    s.recorder.when_message = nullptr;
    s.receive(text("first part and more").substr(0, 10));
    s.channel->hold();
    s.receive(text("first part and more").substr(10) + text("next"));
    CHECK(s.recorder.messages.size() == expected.size());
    CHECK(s.channel->detach() == nullptr);
    s.channel->resume_reading();
    s.run();
    CHECK(s.recorder.messages.size() == expected.size() + 2);
    CHECK(s.recorder.messages.back() == "next");
}

TEST_CASE("the handler may write, close and change hands within a message") {
    Socketed s;
    MessageRecorder second;
    s.recorder.when_message = [&] {
        s.channel->write("answer");
        s.channel->set_handler(&second);
    };
    second.when_message = [&] {
        s.channel->write("goodbye");
        s.channel->close();
    };
    s.receive(text("one") + text("two") + text("three"));
    CHECK(s.recorder.messages == std::vector<std::string>{"one"});
    CHECK(second.messages == std::vector<std::string>{"two"});
    const auto frames = s.frames();
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].payload == "answer");
    CHECK(frames[1].payload == "goodbye");
    CHECK(frames[2].kind == FrameKind::close);
    s.wire->channel->end();
    CHECK(second.closed == 1);
    CHECK(s.recorder.closed == 0);
}

TEST_CASE("characters of every length may end a message") {
    for (const char* last : {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
        const std::string message = std::string("x") + last;
        for (std::size_t cut = 0; cut <= message.size(); ++cut) {
            Socketed s;
            s.receive(client_frame(FrameKind::text, message.substr(0, cut), false) +
                      client_frame(FrameKind::continuation, message.substr(cut), false) +
                      client_frame(FrameKind::continuation, ""));
            CHECK(s.recorder.messages == std::vector<std::string>{message});
        }
    }
}
