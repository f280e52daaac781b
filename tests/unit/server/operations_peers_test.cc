// Links and queues as the control socket sees and changes them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "tests/unit/server/operations_fixture.h"

namespace causeway::test {
namespace {

using control::Page;
using control::PeerDetail;
using control::PeerRow;
using control::QueuedStanza;
using control::QueueRow;

struct Fixture : OperationsFixture {
    /// A chat message from one of our accounts to somebody elsewhere.
    void send(const std::string& from, const std::string& to) {
        const PacketRef packet =
            *Packet::from_bytes("<message to='" + to + "' from='" + from +
                                "' id='m1' type='chat'><body>x</body></message>");
        Hub& hub = *server->home_of(Jid::parse(to)->domain()).hub;
        hub.shard.post([&hub, packet] { hub.routing->route(packet); });
        settle();
    }
    Result<PeerDetail> peer(const std::string& domain) {
        return answer_to<PeerDetail>(
            [&](auto answer) { operations->show_peer(domain, std::move(answer)); });
    }
    std::vector<PeerRow> peers() {
        return all_pages<PeerRow>(
            1, [&](auto page, auto answer) { operations->list_peers(page, std::move(answer)); });
    }
    std::vector<QueueRow> queues() {
        return all_pages<QueueRow>(
            1, [&](auto page, auto answer) { operations->list_queues(page, std::move(answer)); });
    }
    std::vector<QueuedStanza> queue(const std::string& domain, std::size_t limit) {
        return all_pages<QueuedStanza>(limit, [&](auto page, auto answer) {
            operations->show_queue(domain, page, std::move(answer));
        });
    }
    Result<std::uint64_t> drop(const std::string& domain) {
        return answer_to<std::uint64_t>(
            [&](auto answer) { operations->drop_queue(domain, std::move(answer)); });
    }
    Outcome retry(const std::string& domain) {
        return outcome_of(
            [&](control::Done done) { operations->retry_peer(domain, std::move(done)); });
    }
    /// The domain exists, and nobody can say where.
    void make_unreachable(const std::string& domain) {
        dns.set_retry("_xmpps-server._tcp." + domain);
        dns.set_retry("_xmpp-server._tcp." + domain);
    }
    void store_row(const std::string& owner, std::uint64_t id, const std::string& body) {
        Batch batch;
        batch.log_append("outbound", owner, {.id = id, .at = 1000, .expires = 5000, .body = body});
        commit(std::move(batch));
    }
};

TEST_CASE_FIXTURE(Fixture, "nothing is known of a domain that nobody spoke with") {
    CHECK(peers().empty());
    CHECK(queues().empty());
    CHECK(queue("c.test", 10).empty());
    CHECK(peer("c.test").error().why().starts_with("nothing is known of c.test: "));
    CHECK(retry("c.test").cause() == Cause::absent);
    CHECK(drop("c.test").error().why() == "nothing waits for c.test");
    const auto closed = answer_to<std::uint64_t>(
        [&](auto answer) { operations->close_peer("c.test", std::move(answer)); });
    CHECK(closed.error().why() == "no stream with c.test");
    for (const char* text : {"", "c test", "c.test/x"}) {
        CAPTURE(text);
        CHECK(peer(text).error().cause() == Cause::malformed);
        CHECK(drop(text).error().cause() == Cause::malformed);
        CHECK(retry(text).cause() == Cause::malformed);
    }
}

TEST_CASE_FIXTURE(Fixture, "a domain that does not exist is remembered with the reason") {
    send("juliet@a.test", "romeo@nowhere.test");
    const auto found = peer("nowhere.test");
    REQUIRE(found.ok());
    REQUIRE(found->links.size() == 1);
    const PeerRow& link = found->links.front();
    CHECK(link.local == "a.test");
    CHECK(link.direction == control::Direction::outbound);
    CHECK(link.state == "waiting");
    CHECK(link.last_error.find("nowhere.test") != std::string::npos);
    CHECK(link.last_error_at == clock.wall());
    CHECK(link.queued == 0);
    CHECK_FALSE(found->queue);
    CHECK(peers().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "what waits for an unreachable domain is counted, shown and retried") {
    make_unreachable("far.test");
    send("juliet@a.test", "romeo@far.test");
    send("nurse@b.test", "romeo@far.test");
    pass(Duration{1000});
    const auto found = peer("Far.test");
    REQUIRE(found.ok());
    REQUIRE(found->links.size() == 2);
    CHECK(found->links[0].local == "a.test");
    CHECK(found->links[1].local == "b.test");
    CHECK(found->links[0].queued == 1);
    CHECK(found->links[0].next_retry > clock.wall());
    REQUIRE(found->queue);
    CHECK(found->queue->stanzas == 2);
    CHECK(found->queue->attempts == 1);
    CHECK_FALSE(found->queue->last_error.empty());

    const auto rows = queue("far.test", 10);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].from == "juliet@a.test");
    CHECK(rows[0].to == "romeo@far.test");
    CHECK(rows[0].kind == "message chat");
    CHECK(rows[0].attempts == 1);
    CHECK(rows[0].expires > rows[0].at);

    dns.clear_questions();
    CHECK(retry("far.test").ok());
    CHECK(dns.questions().size() == 4);
    pass(Duration{1000});
    CHECK(queues().front().stanzas == 2);
}

TEST_CASE_FIXTURE(Fixture, "the queues of a domain's pairs are shown as one, in order of arrival") {
    const std::string body = "<presence to='x@far.test' from='juliet@a.test' type='subscribe'/>";
    for (std::uint64_t id = 1; id <= 9; ++id) {
        store_row(id % 3 == 0 ? "far.test a.test" : "far.test b.test", id,
                  id == 5 ? "no stanza" : body);
    }
    store_row("near.test a.test", 20, body);
    const auto all = queues();
    REQUIRE(all.size() == 2);
    CHECK(all[0].domain == "far.test");
    CHECK(all[0].stanzas == 9);
    CHECK(all[0].bytes == 8 * body.size() + 9);
    CHECK(all[0].oldest == 1000);
    CHECK(all[1].domain == "near.test");
    for (const std::size_t limit : {1U, 2U, 3U, 9U, 100U}) {
        CAPTURE(limit);
        const auto rows = queue("far.test", limit);
        REQUIRE(rows.size() == 9);
        for (std::uint64_t id = 1; id <= 9; ++id) {
            CHECK(rows[id - 1].id == id);
            CHECK(rows[id - 1].kind == (id == 5 ? "unreadable" : "presence subscribe"));
        }
    }
}

TEST_CASE_FIXTURE(Fixture, "a dropped queue is gone, and what comes later waits again") {
    make_unreachable("far.test");
    send("juliet@a.test", "romeo@far.test");
    send("nurse@b.test", "romeo@far.test");
    store_row("near.test a.test", 1, "<message to='x@near.test'/>");
    pass(Duration{1000});
    const auto dropped = drop("far.test");
    REQUIRE(dropped.ok());
    CHECK(*dropped == 2);
    CHECK(drop("far.test").error().cause() == Cause::absent);
    CHECK(queues().size() == 1);
    send("juliet@a.test", "romeo@far.test");
    pass(Duration{1000});
    CHECK(queue("far.test", 10).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a drop that the disk refuses drops nothing") {
    store_row("far.test a.test", 1, "<message to='x@far.test'/>");
    store.fail_next_commits(1);
    CHECK(drop("far.test").error().cause() == Cause::retry);
    CHECK(queue("far.test", 10).size() == 1);
    store.fail_next_reads(1);
    CHECK(drop("far.test").error().why() == "the disk fails");
}

}  // namespace
}  // namespace causeway::test
