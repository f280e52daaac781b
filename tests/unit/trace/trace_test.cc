// The trace of one shard: what is remembered, found, and shown to those that look on.
#include "gateway/trace/trace.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "tests/support/sim_clock.h"

using namespace causeway;

namespace {

constexpr std::size_t some = 256 * 1024;

PacketRef packet(const std::string& xml) { return *Packet::from_bytes(xml); }

TraceQuestion by_id(std::string id, std::string from = {}, std::string to = {}) {
    return {.id = std::move(id),
            .stanza_id = 0,
            .from = std::move(from),
            .to = std::move(to),
            .identities = {}};
}

TraceQuestion by_number(std::uint64_t number) {
    return {.id = {}, .stanza_id = number, .from = {}, .to = {}, .identities = {}};
}

struct Fixture {
    SimClock clock;
    Shards shards{1, clock};
    Trace trace{shards[0], some};
    PacketRef message = packet(
        "<message to='romeo@b.test' from='juliet@a.test/balcony' id='m1' type='chat'>"
        "<body>x</body></message>");
    PacketRef other = packet(
        "<message to='nurse@a.test' from='juliet@a.test/balcony' id='m1' type='chat'>"
        "<body>x</body></message>");
    PacketRef presence = packet("<presence to='romeo@b.test' from='juliet@a.test/balcony'/>");
    PacketRef typing = packet(
        "<message to='romeo@b.test' from='juliet@a.test/balcony' id='t1' type='chat'>"
        "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>");

    static constexpr TraceStep accepted{TraceStage::from_client, TraceVerdict::accepted};
    static constexpr TraceStep refused{TraceStage::account, TraceVerdict::refused, "b.test", "no"};

    [[nodiscard]] std::size_t found(const TraceQuestion& question) const {
        return trace.find(question).lines.size();
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a message is found by its ids and by who it is from and to") {
    trace.note(*message, accepted);
    trace.note(*other, accepted);
    trace.note(
        *message,
        {.stage = TraceStage::to_client, .verdict = TraceVerdict::delivered, .stanza_id = 42});
    CHECK(found(by_id("m1")) == 3);
    CHECK(found(by_id("m1", {}, "romeo@b.test")) == 2);
    CHECK(found(by_id("m1", "juliet@a.test")) == 3);
    CHECK(found(by_id("m1", "juliet@a.test/balcony")) == 3);
    CHECK(found(by_id("m1", "juliet@a.test/street")) == 0);
    CHECK(found(by_id("m1", "romeo@b.test")) == 2);  // an error would go the other way
    CHECK(found(by_number(42)) == 1);
    TraceQuestion both = by_number(42);
    both.identities = {{.id = "m1", .from = "juliet@a.test", .to = "romeo@b.test"}};
    CHECK(found(both) == 2);
    CHECK(found(by_id("m")) == 0);
    CHECK(found({}) == 0);
}

TEST_CASE_FIXTURE(Fixture, "what went as usual does not push out what did not") {
    trace.note(*message, refused);
    for (int i = 0; i < 100'000; ++i) trace.note(*other, accepted);
    const Trace::Found kept = trace.find(by_id("m1", {}, "romeo@b.test"));
    REQUIRE(kept.lines.size() == 1);
    CHECK(kept.lines[0].reason == "no");
    CHECK(kept.since == 0);
    CHECK(trace.counted()[static_cast<std::size_t>(TraceVerdict::accepted)] == 100'000);
    CHECK(trace.counted()[static_cast<std::size_t>(TraceVerdict::refused)] == 1);
}

TEST_CASE_FIXTURE(Fixture, "an event takes nothing from the heap once its ring has its memory") {
    trace.note(*message, accepted);
    trace.note(*message, refused);
    const std::size_t before = ::mallinfo2().uordblks;
    for (int i = 0; i < 10'000; ++i) {
        trace.note(*message, accepted);
        trace.note(*message, refused);
    }
    CHECK(::mallinfo2().uordblks == before);
}

TEST_CASE_FIXTURE(Fixture, "events of both kinds are told in the order in which they happened") {
    trace.note(*message, accepted);
    trace.note(*message, {TraceStage::offline, TraceVerdict::kept});
    trace.note(*message, {TraceStage::to_client, TraceVerdict::delivered});
    std::vector<TraceVerdict> told;
    for (const TraceLine& line : trace.find(by_id("m1")).lines) told.push_back(line.verdict);
    CHECK(told == std::vector{TraceVerdict::accepted, TraceVerdict::kept, TraceVerdict::delivered});
}

TEST_CASE_FIXTURE(Fixture, "what is of the moment is for those that look on") {
    trace.note(*presence, accepted);
    trace.note(*presence, {TraceStage::to_server, TraceVerdict::dropped});
    trace.note(*typing, accepted);
    CHECK(found(by_id("t1")) == 0);
    trace.note(*typing, {TraceStage::to_client, TraceVerdict::waiting});
    CHECK(found(by_id("t1")) == 1);
}

TEST_CASE_FIXTURE(Fixture, "one that looks on gets what it asked for at the end of the turn") {
    std::vector<Trace::Batch> given;
    int key = 0;
    trace.watch(&key, {*Jid::parse("romeo@b.test")},
                [&](Trace::Batch batch) { given.push_back(std::move(batch)); });
    CHECK(trace.watched());
    trace.note(*message, accepted);
    trace.note(*other, accepted);
    trace.note(*presence, accepted);
    CHECK(given.empty());
    shards.run_until_idle();
    REQUIRE(given.size() == 1);
    CHECK(given[0].lines.size() == 2);
    CHECK(given[0].lost == 0);

    SUBCASE("and no more until it has taken that") {
        for (std::size_t i = 0; i < Trace::batch_limit + 7; ++i) trace.note(*message, accepted);
        shards.run_until_idle();
        CHECK(given.size() == 1);
        trace.taken(&key);
        shards.run_until_idle();
        REQUIRE(given.size() == 2);
        CHECK(given[1].lines.size() == Trace::batch_limit);
        CHECK(given[1].lost == 7);
    }
    SUBCASE("and nothing after it has gone") {
        trace.unwatch(&key);
        trace.taken(&key);
        trace.note(*message, accepted);
        shards.run_until_idle();
        CHECK(given.size() == 1);
        CHECK_FALSE(trace.watched());
    }
}

TEST_CASE("whose stanzas a filter matches") {
    const Jid session = *Jid::parse("romeo@b.test/orchard");
    CHECK(TraceFilter{*Jid::parse("b.test")}.matches(session));
    CHECK(TraceFilter{*Jid::parse("romeo@b.test")}.matches(session));
    CHECK(TraceFilter{session}.matches(session));
    CHECK_FALSE(TraceFilter{*Jid::parse("test")}.matches(session));
    CHECK_FALSE(TraceFilter{*Jid::parse("romeo@b.test/street")}.matches(session));
    CHECK_FALSE(TraceFilter{session}.matches(session.bare_jid()));
    CHECK_FALSE(TraceFilter{session}.matches(Jid()));
}

TEST_CASE_FIXTURE(Fixture,
                  "without memory nothing is remembered, and those that look on still see") {
    trace.resize(0);
    trace.note(*message, refused);
    CHECK(found(by_id("m1")) == 0);
    int key = 0;
    std::size_t seen = 0;
    trace.watch(&key, {*Jid::parse("a.test")},
                [&](const Trace::Batch& batch) { seen += batch.lines.size(); });
    trace.note(*message, refused);
    shards.run_until_idle();
    CHECK(seen == 1);
}

TEST_CASE("each stage and verdict has a name of its own") {
    for (std::size_t i = 0; i < trace_stages; ++i) {
        for (std::size_t j = 0; j < i; ++j) CHECK(trace_stage_names[i] != trace_stage_names[j]);
    }
    for (std::size_t i = 0; i < trace_verdicts; ++i) {
        for (std::size_t j = 0; j < i; ++j) CHECK(trace_verdict_names[i] != trace_verdict_names[j]);
    }
}
