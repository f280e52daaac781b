#include "gateway/stream/stream_management.h"

#include <doctest/doctest.h>

namespace causeway::test {
namespace {

using Acknowledged = StreamManagement::Acknowledged;

PacketRef message() {
    return Packet::make(StanzaKind::message, StanzaType::chat, *Jid::parse("romeo@a.test"),
                        *Jid::parse("juliet@a.test"), "m", "<body>x</body>");
}

void send(StreamManagement& management, std::size_t count, HoldId hold = 0) {
    for (; count > 0; --count) management.sent({message(), hold, false});
}

Acknowledged acknowledge(StreamManagement& management, std::uint32_t h, std::size_t expected) {
    std::vector<StreamManagement::Sent> done;
    const Acknowledged result = management.acknowledge(h, done);
    CHECK(done.size() == expected);
    return result;
}

}  // namespace

TEST_CASE("stream management: a count is a number of 32 bits and nothing else") {
    CHECK(stanza_count("0") == 0U);
    CHECK(stanza_count("17") == 17U);
    CHECK(stanza_count("4294967295") == 4294967295U);
    for (const char* none : {"", " ", "4294967296", "-1", "+1", "1 ", " 1", "1x", "0x1", "one"}) {
        CAPTURE(none);
        CHECK_FALSE(stanza_count(none));
    }
}

TEST_CASE("stream management: handled is everything before the oldest stanza that is open") {
    StreamManagement m;
    CHECK(m.handled() == 0);
    CHECK(m.receive() == 1);
    CHECK(m.receive() == 2);
    CHECK(m.receive() == 3);
    CHECK(m.open() == 3);
    CHECK(m.handled() == 0);
    CHECK(m.settle(2));
    CHECK(m.handled() == 0);
    CHECK(m.settle(1));
    CHECK(m.handled() == 2);
    CHECK(m.settle(3));
    CHECK(m.handled() == 3);
    CHECK_FALSE(m.settle(3));
    CHECK_FALSE(m.settle(4));
    CHECK(m.open() == 0);
}

TEST_CASE("stream management: a question is answered when what came before it is safe") {
    StreamManagement m;
    CHECK_FALSE(m.take_answer());
    m.peer_asks();
    CHECK(m.take_answer() == 0);
    CHECK_FALSE(m.take_answer());
    m.receive();
    m.peer_asks();
    CHECK_FALSE(m.take_answer());
    m.settle(1);
    CHECK(m.take_answer() == 1);
    CHECK_FALSE(m.take_answer());
}

TEST_CASE("stream management: of many questions the oldest is answered first, then the newest") {
    StreamManagement m;
    m.receive();
    m.peer_asks();
    m.receive();
    m.peer_asks();
    m.receive();
    m.peer_asks();
    m.settle(1);
    CHECK(m.take_answer() == 1);
    CHECK_FALSE(m.take_answer());
    m.settle(2);
    CHECK_FALSE(m.take_answer());
    m.settle(3);
    CHECK(m.take_answer() == 3);
    CHECK_FALSE(m.take_answer());
}

TEST_CASE("stream management: one answer serves all questions that it is late enough for") {
    StreamManagement m;
    m.receive();
    m.peer_asks();
    m.receive();
    m.peer_asks();
    m.settle(2);
    m.settle(1);
    CHECK(m.take_answer() == 2);
    CHECK_FALSE(m.take_answer());
}

TEST_CASE("stream management: acknowledgements") {
    StreamManagement m;
    send(m, 5);
    CHECK(m.unacknowledged().size() == 5);
    CHECK(acknowledge(m, 3, 3) == Acknowledged::something);
    CHECK(m.unacknowledged().size() == 2);
    SUBCASE("the same once more") { CHECK(acknowledge(m, 3, 0) == Acknowledged::nothing); }
    SUBCASE("an older one") { CHECK(acknowledge(m, 1, 0) == Acknowledged::nothing); }
    SUBCASE("one more than was sent") {
        CHECK(acknowledge(m, 6, 0) == Acknowledged::too_much);
        CHECK(m.unacknowledged().size() == 2);
    }
    SUBCASE("all") {
        CHECK(acknowledge(m, 5, 2) == Acknowledged::something);
        CHECK(m.bytes() == 0);
    }
    CHECK(m.sent_count() == 5);
}

TEST_CASE("stream management: bytes, and the part that was asked for") {
    StreamManagement m;
    const std::size_t one = message()->bytes().size() + StreamManagement::overhead;
    send(m, 1);
    m.sent({message(), 0, true});
    CHECK(m.bytes() == 2 * one);
    CHECK(m.answer_bytes() == one);
    acknowledge(m, 1, 1);
    CHECK(m.bytes() == one);
    CHECK(m.answer_bytes() == one);
    acknowledge(m, 2, 1);
    CHECK(m.answer_bytes() == 0);
    send(m, 3, 7);
    CHECK(m.take_unacknowledged().size() == 3);
    CHECK(m.bytes() == 0);
    CHECK_FALSE(m.should_ask());
}

TEST_CASE("stream management: when to ask") {
    StreamManagement m;
    CHECK_FALSE(m.should_ask());
    SUBCASE("for what somebody waits for: at once") { send(m, 1, 7); }
    SUBCASE("for the rest: when it has become much") {
        send(m, StreamManagement::ask_after - 1);
        CHECK_FALSE(m.should_ask());
        send(m, 1);
    }
    CHECK(m.should_ask());
    m.asked();
    CHECK_FALSE(m.should_ask());
}

TEST_CASE("stream management: an answer that says nothing new does not bring the next question") {
    StreamManagement m;
    send(m, 2, 7);
    m.asked();
    CHECK(acknowledge(m, 0, 0) == Acknowledged::nothing);
    CHECK_FALSE(m.should_ask());
    send(m, 1);
    CHECK(m.should_ask());
    m.asked();
    CHECK(acknowledge(m, 1, 1) == Acknowledged::something);
    CHECK(m.should_ask());
    acknowledge(m, 3, 2);
    CHECK_FALSE(m.should_ask());
}

TEST_CASE("stream management: a stream that is gone takes its questions with it") {
    StreamManagement m;
    send(m, 1, 7);
    m.asked();
    m.receive();
    m.peer_asks();
    m.interrupted();
    m.settle(1);
    CHECK_FALSE(m.take_answer());
    CHECK(m.should_ask());
    CHECK(m.unacknowledged().size() == 1);
}

TEST_CASE("stream management: resumable by a token alone") {
    StreamManagement m;
    CHECK_FALSE(m.resumable());
    m.allow_resumption("token");
    CHECK(m.resumable());
    CHECK(m.token() == "token");
}

TEST_CASE("stream management: of what is not noted the answer waits, and the rest does not") {
    StreamManagement management;
    management.keep_record();
    const std::uint32_t first = management.receive();
    management.peer_asks();
    const std::uint32_t second = management.receive();
    management.peer_asks();
    management.note(first);
    CHECK(management.settle(first));
    CHECK(management.settle(second));
    CHECK(management.take_answer() == 1);
    CHECK(management.wants_note());  // the second question is still to be answered
    CHECK_FALSE(management.take_answer());
    management.note_up_to(second);
    CHECK_FALSE(management.wants_note());
    CHECK(management.take_answer() == 2);
    CHECK_FALSE(management.take_answer());
}

TEST_CASE("stream management: what was sent as a copy is held as the message from then on") {
    StreamManagement m;
    m.sent({message(), 0, false});
    m.sent({Packet::of_archive(message(), 7), 0, false});
    CHECK_FALSE(m.hold_for_copy(8, 5));
    CHECK_FALSE(m.should_ask());
    CHECK(m.hold_for_copy(7, 5));
    CHECK(m.should_ask());
    CHECK_FALSE(m.hold_for_copy(7, 6));  // it is held already
    std::vector<StreamManagement::Sent> done;
    m.acknowledge(2, done);
    REQUIRE(done.size() == 2);
    CHECK(done.back().hold == 5);
    CHECK_FALSE(m.hold_for_copy(7, 6));
}

}  // namespace causeway::test
