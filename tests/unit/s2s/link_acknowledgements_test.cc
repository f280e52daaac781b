// When another server is asked what it has, and when it is taken for dead.
#include "s2s/link_acknowledgements.h"

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

using Worth = LinkAcknowledgements::Worth;

struct Link : AccountFixture, LinkAcknowledgements::Stream {
    Link() : sent(*hub, *this, 0) {}
    void ask() override { ++asked; }
    void acknowledged(std::span<const StreamManagement::Sent> done) override {
        arrived += done.size();
    }
    void silent() override { ++dead; }
    void send(HoldId hold, Worth worth) {
        sent.sent(*Packet::from_bytes("<message to='romeo@b.test' from='juliet@a.test'/>"), hold,
                  worth);
        settle();
    }

    LinkAcknowledgements sent;
    int asked = 0, dead = 0;
    std::size_t arrived = 0;
};

TEST_CASE_FIXTURE(Link,
                  "where a sender is owed something the peer is asked at once, and not twice") {
    send(7, Worth::kept);
    send(8, Worth::kept);
    CHECK(asked == 1);
    CHECK(sent.acknowledge(1));
    settle();
    CHECK(asked == 2);
    CHECK(sent.acknowledge(2));
    CHECK(arrived == 2);
    pass(Duration{60'000});
    CHECK(asked == 2);
    CHECK(dead == 0);
}

TEST_CASE_FIXTURE(Link, "else at once, and once each tenth of a second, or after ten seconds") {
    send(0, Worth::passing);
    pass(Duration{9'000});
    CHECK(asked == 0);
    send(0, Worth::kept);
    CHECK(asked == 1);
    send(0, Worth::kept);
    CHECK(sent.acknowledge(2));
    CHECK(asked == 1);
    pass(Duration{101});
    CHECK(asked == 2);
    CHECK(sent.acknowledge(3));
    send(0, Worth::kept);
    CHECK(asked == 2);
    pass(Duration{101});
    CHECK(asked == 3);
    CHECK(sent.acknowledge(4));
    send(0, Worth::passing);
    pass(Duration{9'000});
    CHECK(asked == 3);
    pass(Duration{1'001});
    CHECK(asked == 4);
}

TEST_CASE_FIXTURE(Link, "it is taken for dead if it acknowledges nothing new for twenty seconds") {
    send(7, Worth::kept);
    send(8, Worth::kept);
    pass(Duration{19'000});
    CHECK(sent.acknowledge(1));
    settle();
    pass(Duration{19'000});
    CHECK(dead == 0);
    CHECK(sent.acknowledge(1));
    pass(Duration{1'001});
    CHECK(dead == 1);
}

TEST_CASE_FIXTURE(Link,
                  "one that is asked whether it is there need not have anything to acknowledge") {
    sent.look_whether_there();
    CHECK(asked == 1);
    CHECK(sent.acknowledge(0));
    pass(Duration{21'000});
    CHECK(dead == 0);
    sent.look_whether_there();
    pass(Duration{21'000});
    CHECK(dead == 1);
}

TEST_CASE_FIXTURE(Link, "more than was sent") {
    send(7, Worth::kept);
    CHECK_FALSE(sent.acknowledge(2));
    CHECK(arrived == 0);
}

}  // namespace
}  // namespace causeway::test
