// Expiry over a store in memory: first the erase, then one error, and nothing that is on its way.
#include "gateway/session/expiry.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/session/accounts.h"
#include "tests/unit/session/shared_fixture.h"

namespace causeway::test {
namespace {

/// What senders and queues hear.
struct Heard final : Routing, RemoteDomains {
    struct Error {
        std::string id;
        StanzaCondition condition;
        std::string text;
    };

    void from_client(Stanza&, Account&, Resource&, AcknowledgementTicket) override {}
    void from_server(Stanza&, AcknowledgementTicket) override {}
    void route(PacketRef, AcknowledgementTicket) override {}
    void fan_out(const PacketRef&, const std::vector<const Jid*>&) override {}
    void bounce(const Packet& packet, const StanzaError& error, AcknowledgementTicket) override {
        errors.push_back({std::string(packet.id()), error.condition, error.text});
    }
    void send(PacketRef, AcknowledgementTicket) override {}
    [[nodiscard]] bool stamps(std::string_view, std::string_view) override { return false; }
    std::string expired(std::string_view owner, std::size_t rows, std::size_t bytes) override {
        queues.push_back(std::string(owner) + " " + std::to_string(rows));
        CHECK(bytes > 0);
        return "Nobody listens.";
    }

    std::vector<Error> errors;
    std::vector<std::string> queues;
};

/// Two shards, so that rows are at home elsewhere than where the Expiry lives.
class Fixture : public SharedFixture {
public:
    Fixture() : SharedFixture(2, std::move(*FeatureRegistry::build({}))) {
        for (unsigned i = 0; i < 2; ++i) {
            hubs.push_back(std::make_unique<Hub>(shared, shards[i], net, dns,
                                                 std::make_shared<const Config>(), nullptr));
            hubs.back()->routing = &heard;
            hubs.back()->remote = &heard;
            shared.hubs.push_back(hubs.back().get());
        }
        expiry = std::make_unique<Expiry>(*hubs[0]);
    }

    static PacketRef message(const std::string& id) {
        return Packet::make(StanzaKind::message, StanzaType::chat, *Jid::parse("romeo@a.test"),
                            *Jid::parse("juliet@b.test"), id, "<body>x</body>");
    }
    void put(const std::string& name, const std::string& owner, std::uint64_t id,
             UnixMillis expires, std::string body = {}) {
        if (body.empty()) body = message(std::to_string(id))->bytes();
        Batch batch;
        batch.log_append(name, owner,
                         {.id = id, .at = 1, .expires = expires, .body = std::move(body)});
        store.commit(std::move(batch), loop, [](const Outcome& done) { CHECK(done.ok()); });
        loop.run_until_idle();
    }
    void start() {
        shards[0].post([this] { expiry->start(); });
        settle();
    }
    void pass(Duration time) { SharedFixture::pass(time, Duration{100}); }
    std::size_t left(const std::string& name, const std::string& owner) {
        std::size_t count = 0;
        store.log_list(name, owner, 0, 100'000, loop,
                       [&](const Result<std::vector<LogRow>>& rows) { count = rows->size(); });
        loop.run_until_idle();
        return count;
    }
    Hub& home(std::string_view name) { return *shared.hubs[shards.home_of(name)]; }
    UnixMillis over() { return lifetimes.now(); }
    UnixMillis later() { return lifetimes.now() + 1'000'000'000; }

    Heard heard;
    std::vector<std::unique_ptr<Hub>> hubs;
    std::unique_ptr<Expiry> expiry;
};

}  // namespace

TEST_CASE("expiry: what is over is erased and its sender told, in whichever store and shard") {
    Fixture f;
    std::vector<std::string> people;
    for (int i = 0; i < 8; ++i) people.push_back("p" + std::to_string(i) + "@a.test");
    std::uint64_t id = 0;
    for (const std::string& owner : people) {
        f.put("offline", owner, ++id, f.over());
        f.put("offline", owner, ++id, f.later());
        f.put("offline", owner, ++id, 0);
    }
    f.put("outbound", "b.test a.test", 101, f.over());
    f.put("outbound", "b.test a.test", 102, f.over());
    f.put("outbound", "c.test a.test", 103, f.later());
    f.start();
    for (const std::string& owner : people) CHECK(f.left("offline", owner) == 2);
    CHECK(f.left("outbound", "b.test a.test") == 0);
    CHECK(f.left("outbound", "c.test a.test") == 1);
    CHECK(f.heard.queues == std::vector<std::string>{"b.test a.test 2"});
    REQUIRE(f.heard.errors.size() == 10);
    for (const auto& error : f.heard.errors) {
        if (error.id.size() == 3) {
            CHECK(error.condition == StanzaCondition::remote_server_timeout);
            CHECK(error.text == "It could not be delivered in time. Nobody listens.");
        } else {
            CHECK(error.condition == StanzaCondition::recipient_unavailable);
        }
    }
}

TEST_CASE("expiry: no error before the erase is durable") {
    Fixture f;
    f.put("offline", "juliet@b.test", 1, f.over());
    f.store.hold_commits();
    f.start();
    f.pass(Expiry::interval * 2);
    CHECK(f.heard.errors.empty());
    f.store.release_commits();
    f.settle();
    CHECK(f.heard.errors.size() == 1);
    f.pass(Expiry::interval * 2);
    CHECK(f.heard.errors.size() == 1);
}

TEST_CASE("expiry: an erase that fails tells nobody, and is tried again later") {
    Fixture f;
    f.start();
    for (std::uint64_t id = 1; id <= 3; ++id) f.put("outbound", "b.test a.test", id, f.over());
    f.store.fail_next_commits(3);
    f.pass(Expiry::interval * 3);
    CHECK(f.heard.errors.empty());
    CHECK(f.heard.queues.empty());
    CHECK(f.left("outbound", "b.test a.test") == 3);
    f.pass(Expiry::interval);
    CHECK(f.heard.errors.size() == 3);
    CHECK(f.left("outbound", "b.test a.test") == 0);
}

TEST_CASE("expiry: a row on its way does not expire, and does when it is given back") {
    Fixture f;
    f.put("outbound", "b.test a.test", 7, f.over());
    f.put("outbound", "b.test a.test", 8, f.over());
    Ledger& ledger = f.home("b.test").ledger;
    const HoldId hold = ledger.adopt(
        f.message("7"), {.store = "outbound", .owner = "b.test a.test", .expires = 1}, 7);
    f.start();
    f.pass(Expiry::interval * 2);
    REQUIRE(f.heard.errors.size() == 1);
    CHECK(f.heard.errors[0].id == "8");
    CHECK(f.left("outbound", "b.test a.test") == 1);
    ledger.release(hold);
    f.pass(Expiry::interval);
    REQUIRE(f.heard.errors.size() == 2);
    CHECK(f.heard.errors[1].id == "7");
}

TEST_CASE("expiry: very many rows go in small batches, without a pause, behind rows on their way") {
    Fixture f;
    constexpr std::uint64_t many = 5'000;
    constexpr std::uint64_t on_their_way = 700;
    Batch batch;
    for (std::uint64_t id = 1; id <= many; ++id) {
        batch.log_append(
            "outbound", "b.test a.test",
            {.id = id, .at = 1, .expires = 1, .body = std::string(f.message("x")->bytes())});
    }
    f.store.commit(std::move(batch), f.loop, {});
    for (std::uint64_t id = 1; id <= on_their_way; ++id) {
        f.home("b.test").ledger.adopt(
            f.message("x"), {.store = "outbound", .owner = "b.test a.test", .expires = 1}, id);
    }
    const auto before = f.store.commits();
    f.start();
    CHECK(f.heard.errors.size() == many - on_their_way);
    CHECK(f.left("outbound", "b.test a.test") == on_their_way);
    CHECK(f.store.commits() - before >= (many - on_their_way) / Expiry::batch_rows);
}

TEST_CASE("expiry: a row that cannot be read costs that row") {
    Fixture f;
    f.put("offline", "juliet@b.test", 1, f.over(), "nonsense");
    f.put("offline", "juliet@b.test", 2, f.over());
    f.start();
    CHECK(f.left("offline", "juliet@b.test") == 0);
    REQUIRE(f.heard.errors.size() == 1);
    CHECK(f.heard.errors[0].id == "2");
}

TEST_CASE("expiry: a message stored in 1970 lives on when the clock is set, also over a restart") {
    Fixture f;
    f.clock.set_wall(60'000);
    const LifetimeClock old_lifetimes(f.clock);
    f.put("offline", "juliet@b.test", 1, old_lifetimes.after(std::chrono::hours(30 * 24)));
    // The next start, with what the last one remembered.
    const auto mark = old_lifetimes.mark();
    f.clock.set_wall(SimClock::first_moment);
    const LifetimeClock next(f.clock, mark);
    CHECK_FALSE(next.over(old_lifetimes.after(std::chrono::hours(30 * 24))));
}

TEST_CASE("expiry: the clock of lifetimes is remembered at the start, hourly, and when it is set") {
    Fixture f;
    const auto remembered = [&] {
        std::optional<LifetimeClock::Mark> mark;
        f.store.map_get("server", "", "lifetime", f.loop,
                        [&](const Result<std::optional<std::string>>& value) {
                            REQUIRE(value.ok());
                            if (*value) mark = LifetimeClock::Mark::parse(**value);
                        });
        f.loop.run_until_idle();
        REQUIRE(mark.has_value());
        return *mark;
    };
    f.start();
    const UnixMillis start = f.clock.wall();
    CHECK(remembered().wall == start);
    CHECK(remembered().lifetime == f.lifetimes.now());
    f.pass(Expiry::mark_interval / 2);
    CHECK(remembered().wall == start);
    f.pass(Expiry::mark_interval / 2 + Expiry::interval);
    CHECK(remembered().wall > start);
    f.clock.set_wall(60'000);
    f.pass(Expiry::interval + Duration(1000));
    CHECK(remembered().wall < 200'000);
    CHECK(remembered().lifetime > start);
}

}  // namespace causeway::test
