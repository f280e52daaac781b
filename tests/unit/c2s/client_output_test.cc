// What waits for a client, how much of it, and when it is too much: each limit from both sides.
#include "tests/unit/c2s/client_fixture.h"

namespace causeway::test {
namespace {

using Fixture = ClientFixture;
using std::chrono::seconds;

constexpr std::size_t soft = 65536;  ///< the least that can be configured

std::shared_ptr<Config> small_limits() {
    auto config = make_config();
    config->limits.unacked_stanzas = 100;
    config->limits.unacked_bytes = soft;
    config->limits.client_queue_soft_bytes = soft;
    return config;
}

PacketRef wordy_presence(std::size_t contact, std::size_t bytes = 1000) {
    return presence(contact, "<status>" + std::string(bytes, 'x') + "</status>");
}

/// A message of exactly that many bytes.
PacketRef message_of(std::size_t bytes) {
    const std::size_t frame = message("contact@a.test/x", 0)->bytes().size();
    PacketRef made = message("contact@a.test/x", bytes - frame);
    REQUIRE(made->bytes().size() == bytes);
    return made;
}

std::size_t rounded_up(std::size_t bytes, std::size_t piece) { return (bytes + piece - 1) / piece; }

}  // namespace

// ---- presence waits ----

TEST_CASE("client output: presence waits once so many bytes are not acknowledged") {
    Fixture f(true, small_limits());
    for (std::size_t i = 100; i < 190; ++i) f.session->deliver(wordy_presence(i), 0);
    f.settle();
    const std::size_t one = wordy_presence(100)->bytes().size() + StreamManagement::overhead;
    const std::size_t sent = rounded_up(soft, one);
    REQUIRE(sent < 90);
    CHECK(count(f.wire->sent, "<presence") == sent);
    f.acknowledge(1);
    CHECK(count(f.wire->sent, "<presence") == sent + 1);
    f.acknowledge(sent + 1);
    CHECK(count(f.wire->sent, "<presence") == 90);
    CHECK(f.lives());
}

TEST_CASE("client output: presence waits once the system does not take so many bytes") {
    Fixture f(false, small_limits());
    f.wire->stalled = true;
    for (std::size_t i = 100; i < 190; ++i) f.session->deliver(wordy_presence(i), 0);
    f.settle();
    const std::size_t one = wordy_presence(100)->bytes().size();
    CHECK(f.wire->channel->queued() == rounded_up(soft, one) * one);
    CHECK(f.wire->paused);
    f.wire->channel->unstall();
    f.settle();
    CHECK_FALSE(f.wire->paused);
    CHECK(count(f.wire->sent, "<presence") == 90);
    CHECK(f.lives());
}

TEST_CASE("client output: a client with less than that to take is read on") {
    Fixture f(false, small_limits());
    f.wire->stalled = true;
    f.session->deliver(message_of(soft - 1), 0);
    CHECK_FALSE(f.wire->paused);
    f.session->deliver(presence(1), 0);
    CHECK(f.wire->paused);
}

// ---- stored messages wait ----

TEST_CASE("client output: at half of a limit a session is crowded") {
    Fixture f(true, small_limits());
    SUBCASE("of stanzas") {
        for (std::size_t i = 0; i < 49; ++i) f.session->deliver(presence(i), 0);
        CHECK_FALSE(f.session->crowded());
        f.session->deliver(presence(49), 0);
        CHECK(f.session->crowded());
        f.settle();
        f.acknowledge(1);
    }
    SUBCASE("of bytes not acknowledged") {
        f.session->deliver(message_of(soft / 2 - StreamManagement::overhead - 1), 0);
        f.settle();
        CHECK_FALSE(f.session->crowded());
        f.acknowledge(1);
        f.session->deliver(message_of(soft / 2 - StreamManagement::overhead), 0);
        f.settle();
        CHECK(f.session->crowded());
        f.acknowledge(2);
    }
    CHECK_FALSE(f.session->crowded());
}

TEST_CASE("client output: the same by what the system has not taken") {
    Fixture f(false, small_limits());
    f.wire->stalled = true;
    f.session->deliver(message_of(soft / 2 - 1), 0);
    CHECK_FALSE(f.session->crowded());
    f.wire->channel->take(1);
    f.session->deliver(message_of(300), 0);
    CHECK(f.session->crowded());
    f.wire->channel->take(299);
    CHECK_FALSE(f.session->crowded());
}

TEST_CASE("client output: a message for a client that is crowded comes when it has room") {
    Fixture f(true, small_limits());
    f.receive("<presence/>");
    for (std::size_t i = 0; i < 60; ++i) f.session->deliver(presence(i), 0);
    f.settle();
    f.hub->routing->route(
        *Packet::from_bytes("<message from='nurse@a.test/x' to='romeo@a.test' type='chat' id='m1'>"
                            "<body>x</body></message>"),
        {});
    f.settle();
    CHECK(f.wire->sent.find("id='m1'") == std::string::npos);
    f.acknowledge(11);  // of 61: 50 are left
    CHECK(f.wire->sent.find("id='m1'") == std::string::npos);
    f.acknowledge(12);
    CHECK(f.wire->sent.find("id='m1'") != std::string::npos);
}

// ---- too much ----

TEST_CASE("client output: presence that waits counts against what may wait in all") {
    constexpr std::size_t each = 1000;
    bool manages = false;
    SUBCASE("with stream management") { manages = true; }
    SUBCASE("without") {}
    auto config = small_limits();
    config->limits.client_queue_hard_bytes = 4 * soft;
    Fixture f(manages, config);
    f.wire->stalled = true;
    const std::size_t size = wordy_presence(100, each)->bytes().size();
    const std::size_t sent = rounded_up(soft, size + (manages ? StreamManagement::overhead : 0));
    const std::size_t waiting = sent * (size + (manages ? StreamManagement::overhead : 0));
    const std::size_t most = rounded_up(4 * soft - waiting, size + HeldPresence::overhead);
    for (std::size_t i = 100; i < 100 + sent + most - 1; ++i) {
        f.session->deliver(wordy_presence(i, each), 0);
    }
    // The same senders once more: the latest of each is what waits.
    for (std::size_t i = 100 + sent; i < 100 + sent + most - 1; ++i) {
        f.session->deliver(wordy_presence(i, each), 0);
    }
    f.settle();
    REQUIRE(f.lives());
    f.session->deliver(wordy_presence(999, each), 0);
    f.settle();
    CHECK_FALSE(f.lives());
}

TEST_CASE("client output: what others ask, and errors they cause, count as theirs or as answers") {
    Fixture f(true);
    const auto iq = [](StanzaType type, std::string_view inner) {
        return Packet::make(StanzaKind::iq, type, *Jid::parse("nurse@a.test/x"),
                            *Jid::parse("romeo@a.test/x"), "i", inner);
    };
    const std::string much = "<query>" + std::string(3 << 20, 'x') + "</query>";
    SUBCASE("an error answers a request of the client: as much again may wait of those") {
        f.session->deliver(iq(StanzaType::error, much), 0);
        f.session->deliver(iq(StanzaType::get, much), 0);
        f.session->deliver(iq(StanzaType::result, much), 0);
        f.settle();
        CHECK(f.lives());
    }
    SUBCASE("a request is of others") {
        f.session->deliver(iq(StanzaType::get, much), 0);
        f.session->deliver(iq(StanzaType::set, much), 0);
        f.session->deliver(presence(1), 0);
        f.settle();
        CHECK_FALSE(f.lives());
    }
}

TEST_CASE("client output: one stanza fits, however large, and then no more, to the byte") {
    auto config = small_limits();
    config->limits.client_queue_hard_bytes = 2 * soft;
    Fixture f(false, config);
    f.wire->stalled = true;
    SUBCASE("just below the limit one more is taken") {
        f.session->deliver(message_of(2 * soft - 1), 0);
        f.session->deliver(message_of(10 * soft), 0);
        f.settle();
        CHECK(f.lives());
    }
    SUBCASE("at the limit none is") {
        f.session->deliver(message_of(2 * soft), 0);
        f.session->deliver(message_of(300), 0);
        f.settle();
        CHECK_FALSE(f.lives());
    }
}

TEST_CASE("client output: a session that is over its limit is sent its error and nothing else") {
    Fixture f(true);
    for (int i = 0; i < 5; ++i) f.session->deliver(message("contact@a.test/x", 1 << 20), 0);
    f.session->deliver(presence(1), 0);
    f.session->deliver(answer(10), 0);
    f.settle();
    CHECK_FALSE(f.lives());
    CHECK(count(f.wire->sent, "<presence") == 0);
    CHECK(count(f.wire->sent, "<query>") == 0);
    CHECK(f.wire->sent.ends_with("</stream:stream>"));
    CHECK(count(f.wire->sent, "more is waiting for the client than may") == 1);
}

TEST_CASE("client output: a message for a session that has just ended is stored") {
    Fixture f(false);
    f.session->evict(stream_error::conflict, "another client took this resource");
    f.session->evict(stream_error::conflict, "once more");
    const PacketRef late = message("contact@a.test/x");
    f.session->deliver(late, f.hold(late));
    f.settle();
    CHECK(f.stored() == 1);
    CHECK(f.hub->ledger.open() == 0);
    CHECK(count(f.wire->sent, "<conflict") == 1);
}

// ---- slow clients ----

TEST_CASE("client output: a client that takes a little within each minute is not ended") {
    Fixture f(false);
    f.wire->stalled = true;
    f.session->deliver(answer(2 << 20), 0);
    f.settle();
    for (int i = 0; i < 20; ++i) {
        f.pass(seconds{30});
        f.wire->channel->take(1000);
    }
    CHECK(f.lives());
    CHECK(f.wire->paused);
    f.pass(seconds{59});
    CHECK(f.lives());
    f.pass(seconds{62});
    CHECK_FALSE(f.lives());
    f.wire->channel->unstall();
    f.settle();
    CHECK(f.wire->sent.find("the client reads nothing") != std::string::npos);
}

TEST_CASE("client output: one that took so much that it is full no more has its time anew") {
    Fixture f(false);
    f.wire->stalled = true;
    f.session->deliver(answer(2 << 20), 0);
    f.settle();
    f.pass(seconds{50});
    f.wire->channel->take(3 << 19);
    f.pass(seconds{300});
    REQUIRE(f.lives());
    f.session->deliver(answer(1 << 20), 0);
    f.settle();
    f.pass(seconds{59});
    CHECK(f.lives());
    f.pass(seconds{2});
    CHECK_FALSE(f.lives());
}

TEST_CASE("client output: one that reads and acknowledges nothing has twice as long") {
    Fixture f(true);
    for (std::size_t i = 0; i < 2100; ++i) f.session->deliver(presence(i), 0);
    f.settle();
    f.pass(seconds{119});
    CHECK(f.lives());
    f.pass(seconds{2});
    CHECK_FALSE(f.lives());
    CHECK(f.wire->sent.find("the client acknowledges nothing") != std::string::npos);
}

TEST_CASE(
    "client output: one that does not read has the shorter time, also if it would acknowledge") {
    Fixture f(true);
    f.wire->stalled = true;
    f.session->deliver(answer(2 << 20), 0);
    f.settle();
    f.pass(seconds{59});
    CHECK(f.lives());
    f.pass(seconds{2});
    CHECK_FALSE(f.lives());
}

TEST_CASE("client output: what the system took was written: a sender that waits hears it") {
    Fixture f(false);
    f.wire->stalled = true;
    const PacketRef packet = message("contact@a.test/x");
    f.session->deliver(packet, f.hold(packet));
    f.settle();
    CHECK(f.hub->ledger.open() == 1);
    SUBCASE("it was taken") {
        f.wire->channel->unstall();
        f.settle();
        CHECK(f.stored() == 0);
    }
    SUBCASE("it was not") {
        f.wire->channel->end();
        f.settle();
        CHECK(f.stored() == 1);
    }
    CHECK(f.hub->ledger.open() == 0);
}

}  // namespace causeway::test
