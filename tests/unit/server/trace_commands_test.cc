// `trace` and `why`, over a whole server with two shards.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/server/operations_fixture.h"

namespace causeway::test {
namespace {

namespace json = boost::json;

struct Fixture : OperationsFixture {
    void send(const std::string& from, const std::string& to, const std::string& id) {
        const PacketRef packet =
            *Packet::from_bytes("<message to='" + to + "' from='" + from + "' id='" + id +
                                "' type='chat'><body>x</body></message>");
        Hub& hub = *server->home_of(Jid::parse(from)->bare()).hub;
        hub.shard.post([&hub, packet] { hub.routing->route(packet); });
        settle();
    }
    /// As a restart does.
    void forget() {
        for (Hub* hub : server->shared().hubs) {
            hub->trace.resize(0);
            hub->trace.resize(1U << 20U);
        }
    }
    Result<json::value> why(const std::string& params) {
        control::Recorded recorded;
        run("why", params, recorded);
        return *recorded.answer;
    }
    /// What `why` says of an id.
    std::string told(const std::string& id) {
        const auto answer = why("{\"id\":\"" + id + "\"}");
        return answer ? std::string(answer->at("explanation").as_string().c_str())
                      : answer.error().why();
    }
};

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST_CASE_FIXTURE(Fixture, "what is known of no message says what could be the reason") {
    const auto answer = why(R"({"id":"m1"})");
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().cause() == Cause::absent);
    CHECK(has(answer.error().why(), "nothing is known of \"m1\""));
    CHECK(has(answer.error().why(), "--to"));
    CHECK(why(R"({"id":"m1","from":"no address@"})").error().cause() == Cause::malformed);
}

TEST_CASE_FIXTURE(Fixture, "a message is found by its client's id and by its stanza-id") {
    REQUIRE(add("romeo@b.test").ok());
    send("juliet@a.test/balcony", "romeo@b.test", "m1");
    const auto answer = why(R"({"id":"m1"})");
    REQUIRE(answer.ok());
    CHECK(answer->at("to") == "romeo@b.test");
    CHECK(answer->at("offline").is_object());
    CHECK(answer->at("queue").is_null());
    CHECK(has(told("m1"), "It waits for romeo@b.test"));
    const std::string number(answer->at("stanza_id").as_string().c_str());
    const auto by_number = why("{\"id\":\"" + number + "\"}");
    REQUIRE(by_number.ok());
    CHECK(by_number->at("id") == "m1");
    CHECK(by_number->at("events") == answer->at("events"));
}

TEST_CASE_FIXTURE(Fixture, "what stands in a store is found after a restart") {
    REQUIRE(add("romeo@b.test").ok());
    REQUIRE(add("friar@b.test").ok());
    send("juliet@a.test/balcony", "friar@b.test", "m0");
    send("juliet@a.test/balcony", "romeo@b.test", "m1");
    forget();
    for (const char* question : {R"({"id":"m1"})", R"({"id":"m1","to":"romeo@b.test"})",
                                 R"({"id":"m1","from":"juliet@a.test"})"}) {
        const auto answer = why(question);
        REQUIRE(answer.ok());
        CHECK(answer->at("from") == "juliet@a.test/balcony");
        CHECK(answer->at("to") == "romeo@b.test");
        CHECK(answer->at("events").as_array().empty());
        CHECK(answer->at("offline").is_object());
        REQUIRE(answer->at("archived").as_array().size() == 1);
        CHECK(answer->at("archived").at(0).at("stanza_id") == answer->at("stanza_id"));
    }
    CHECK(why(R"({"id":"m1","to":"friar@b.test"})").error().cause() == Cause::absent);
    CHECK(why(R"({"id":"m1","from":"nurse@a.test"})").error().cause() == Cause::absent);
}

TEST_CASE_FIXTURE(Fixture,
                  "several messages with one id: the latest, and the one that is asked for") {
    REQUIRE(add("romeo@b.test").ok());
    send("juliet@a.test/balcony", "romeo@b.test", "m1");
    clock.advance(Duration{1000});
    send("juliet@a.test/balcony", "tybalt@b.test", "m1");
    const auto latest = why(R"({"id":"m1"})");
    REQUIRE(latest.ok());
    CHECK(latest->at("to") == "tybalt@b.test");
    CHECK(latest->at("others") == 1);
    const auto asked = why(R"({"id":"m1","to":"romeo@b.test"})");
    REQUIRE(asked.ok());
    CHECK(asked->at("to") == "romeo@b.test");
    CHECK(asked->at("others") == 0);
}

TEST_CASE_FIXTURE(Fixture, "an archived message that the trace has forgotten") {
    Batch batch;
    batch.archive_append("romeo@b.test",
                         {.id = 77,
                          .with = "juliet@a.test",
                          .resource = {},
                          .incoming = true,
                          .body = "<message to='romeo@b.test' from='juliet@a.test/x' id='m7'/>"});
    commit(std::move(batch));
    const auto answer = why(R"({"id":"77","to":"romeo@b.test"})");
    REQUIRE(answer.ok());
    CHECK(answer->at("id") == "m7");
    CHECK(has(answer->at("explanation").as_string().c_str(), "It waits for romeo@b.test no more"));
    CHECK(has(answer->at("explanation").as_string().c_str(),
              "It is in the archive of romeo@b.test since 1970-01-01 00:00 UTC (as 77)"));
    CHECK(why(R"({"id":"m7","to":"romeo@b.test","from":"juliet@a.test"})").ok());
    CHECK(why(R"({"id":"77"})")->at("to") == "romeo@b.test");
    CHECK(why(R"({"id":"76"})").error().cause() == Cause::absent);
    CHECK(why(R"({"id":"77","from":"nurse@a.test"})").error().cause() == Cause::absent);
}

TEST_CASE_FIXTURE(Fixture, "what waits for another domain tells why, and until when") {
    dns.set_retry("_xmpps-server._tcp.far.test");
    dns.set_retry("_xmpp-server._tcp.far.test");
    send("juliet@a.test/balcony", "romeo@far.test", "m1");
    pass(Duration{1000});
    const auto answer = why(R"({"id":"m1"})");
    REQUIRE(answer.ok());
    CHECK(answer->at("queue").is_object());
    CHECK(answer->at("link").at("last_error").is_string());
    CHECK(answer->at("link").at("next_retry").is_int64());
    CHECK(has(told("m1"), "It waits in the queue for far.test"));
}

TEST_CASE_FIXTURE(Fixture, "one that looks on sees both shards until it cancels") {
    REQUIRE(add("romeo@b.test").ok());
    control::Recorded recorded;
    control::run(*commands, "trace", R"({"address":"romeo@b.test"})", recorded);
    settle();
    send("juliet@a.test/balcony", "romeo@b.test", "m1");
    send("juliet@a.test/balcony", "nurse@b.test", "m2");
    recorded.run_waiting();
    settle();
    recorded.run_waiting();
    settle();
    // The archive takes it, and it waits.
    REQUIRE(recorded.rows() == 2);
    const json::object& row = recorded.lines.back().back().as_object();
    CHECK(row.at("id") == "m1");
    CHECK(row.at("stage") == "offline");
    CHECK(row.at("verdict") == "kept");
    CHECK(row.at("kind") == "message chat");
    CHECK(row.at("lost").is_null());
    CHECK(json::serialize(row).find("<body>") == std::string::npos);
    CHECK_FALSE(recorded.answer);

    recorded.cancelled = true;
    recorded.on_cancel();
    settle();
    REQUIRE(recorded.answer);
    CHECK(recorded.answer->value().at("count") == 2);
    send("juliet@a.test/balcony", "romeo@b.test", "m3");
    recorded.run_waiting();
    CHECK(recorded.rows() == 2);
    CHECK(std::ranges::none_of(server->shared().hubs,
                               [](const Hub* hub) { return hub->trace.watched(); }));
}

TEST_CASE_FIXTURE(Fixture, "a reader that takes nothing loses events and is told how many") {
    REQUIRE(add("romeo@b.test").ok());
    control::Recorded recorded;
    control::run(*commands, "trace", R"({"address":"romeo@b.test"})", recorded);
    settle();
    constexpr std::size_t messages = Trace::batch_limit + 6;
    for (std::size_t i = 0; i < messages; ++i) send("juliet@a.test/balcony", "romeo@b.test", "m1");
    const std::size_t first = recorded.rows();
    CHECK(first <= 2);
    recorded.run_waiting();
    settle();
    REQUIRE(recorded.rows() == first + Trace::batch_limit);
    // Of each message that the archive takes it, and that it waits.
    CHECK(recorded.lines.back().back().at("lost") == 2 * messages - first - Trace::batch_limit);
    recorded.on_cancel();
    settle();
}

TEST_CASE_FIXTURE(Fixture, "what is no address is not looked for") {
    control::Recorded recorded;
    run("trace", R"({"address":"no address@"})", recorded);
    CHECK(recorded.answer->error().cause() == Cause::malformed);
}

}  // namespace
}  // namespace causeway::test
