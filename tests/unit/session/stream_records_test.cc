#include "gateway/session/stream_records.h"

#include <fmt/format.h>

#include "gateway/session/kept_stream.h"
#include "tests/unit/session/ledger_fixture.h"

namespace causeway::test {
namespace {

constexpr std::uint64_t stream = 0xabcU;

class Fixture : public LedgerFixture {
public:
    Fixture() {
        if (shared.hubs.empty()) shared.hubs.push_back(hub.get());
        records().begin(stream, "romeo@a.test");
    }

    StreamRecords& records() { return hub->stream_records; }
    static AcknowledgementTicket kept(std::uint32_t number, std::uint32_t handled) {
        return {.holder = stream, .shard = 0, .number = number, .handled = handled, .kept = true};
    }
    std::vector<MapEntry> entries() {
        std::vector<MapEntry> found;
        store.map_list(std::string(StreamRecords::store), "romeo@a.test", loop,
                       [&](const Result<std::vector<MapEntry>>& list) { found = *list; });
        settle();
        return found;
    }
    /// As the next process reads it, by a token for that stream.
    std::optional<KeptStream> read() { return find_kept_stream(entries(), token); }
    void write_state() {
        records().set_state(
            stream, StreamState{.resource = "orchard", .token_hash = hash_of_token(token)}.text());
    }

    std::string token = make_stream_token(stream);
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a state comes back as it was, whatever is in it") {
    const StreamState state{.resource = "a\nb 3",
                            .token_hash = "x",
                            .interested = true,
                            .gone = true,
                            .presence = "<presence><status>a\nb</status></presence>",
                            .directed = {"a@b.test", "c@d.test/e f"},
                            .of_features = {{"carbons", "on"}, {"other", "1\n2"}}};
    const auto back = StreamState::parse(state.text());
    REQUIRE(back);
    CHECK(back->text() == state.text());
    CHECK(back->of_features == state.of_features);
    CHECK(back->gone);
    CHECK_FALSE(StreamState::parse("resource 500\nx\n"));
    CHECK_FALSE(StreamState::parse("resource 1\nx"));
    CHECK_FALSE(StreamState::parse("resource -1\nx\n"));
    CHECK_FALSE(StreamState::parse("interested 0\n\n"));  // no resource, no token
}

TEST_CASE_FIXTURE(Fixture, "a state waits for another commit, a note for none") {
    write_state();
    settle();
    CHECK(entries().empty());
    records().handled(stream, 4);
    settle();
    const auto kept = read();
    REQUIRE(kept);
    CHECK(kept->handled == 4);
    CHECK(kept->state.resource == "orchard");
}

TEST_CASE_FIXTURE(Fixture, "a state is written within a second without any other commit") {
    write_state();
    pass_erasure();
    CHECK(read().has_value());
}

TEST_CASE_FIXTURE(Fixture, "what makes a message safe says so; numbers without a gap are one") {
    write_state();
    ledger().keep(message("m3"), kept(3, 2), store_key(), {});
    ledger().keep(message("m4"), kept(4, 2), store_key(), {});
    ledger().keep(message("m6"), kept(6, 2), store_key(), {});
    settle();
    const auto stored = read();
    REQUIRE(stored);
    CHECK(stored->handled == 4);
    REQUIRE(stored->safe.size() == 1);
    CHECK(stored->safe.begin()->first == 6);
    CHECK(stored->safe.begin()->second ==
          StreamRecords::fingerprint(*Jid::parse("juliet@a.test"), "m6"));
}

TEST_CASE_FIXTURE(Fixture,
                  "a server counts on from `handled`: what was safe behind a gap has no number") {
    write_state();
    ledger().keep(message("m8"), kept(8, 5), store_key(), {});
    settle();
    auto before = read();
    REQUIRE(before);
    before->count_from_handled();
    CHECK(before->safe.empty());
    records().go_on(*before, "romeo@a.test");
    ledger().keep(message("m6"), kept(6, 5), store_key(), {});
    ledger().keep(message("m7"), kept(7, 5), store_key(), {});
    settle();
    const auto after = read();
    REQUIRE(after);
    CHECK(after->handled == 7);
    CHECK(after->safe.empty());
    REQUIRE(after->repeats.size() == 1);
    CHECK(after->repeats[0].first == 8);
    CHECK(after->repeats[0].second ==
          StreamRecords::fingerprint(*Jid::parse("juliet@a.test"), "m8"));
    records().handled(stream, 8);
    settle();
    CHECK(read()->repeats.empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a stream that goes on while what is left of it is being erased is kept") {
    write_state();
    records().handled(stream, 4);
    settle();
    const auto before = read();
    REQUIRE(before);
    for (const MapEntry& entry : entries()) records().erase_left("romeo@a.test", entry.key);
    records().go_on(*before, "romeo@a.test");
    pass_erasure();
    REQUIRE(read());
    CHECK(read()->handled == 4);
}

TEST_CASE("a server's message is known by the id that its server gave it, and by no other") {
    const auto fingerprint_of = [](std::string_view id, std::string_view by, std::string_view to) {
        return server_fingerprint(**Packet::from_bytes(
            fmt::format("<message to='{}' from='nurse@b.test/x' id='m1'><body>x</body>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@a.test' id='9'/>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='{}' id='{}'/></message>",
                        to, by, id)));
    };
    const auto one = fingerprint_of("5", "nurse@b.test", "romeo@a.test");
    CHECK(one != 0);
    CHECK(one == fingerprint_of("5", "nurse@b.test", "romeo@a.test"));
    CHECK(one != fingerprint_of("6", "nurse@b.test", "romeo@a.test"));
    CHECK(one != fingerprint_of("5", "nurse@b.test", "juliet@a.test"));
    CHECK(fingerprint_of("5", "b.test", "romeo@a.test") == 0);
    CHECK(fingerprint_of("", "nurse@b.test", "romeo@a.test") == 0);
}

TEST_CASE_FIXTURE(Fixture, "a message that could not be stored, and is tried again, is not safe") {
    write_state();
    archive_mark.recovered(0);
    const HoldId hold = ledger().hold(message("m3"), kept(3, 2), store_key());
    store.fail_next_commits(1);
    pass_patience();
    records().handled(stream, 2);
    settle();
    CHECK(read()->handled == 2);
    CHECK(read()->safe.empty());
    pass(Ledger::retry_after + 2 * TimerWheel::tick);
    CHECK(read()->handled == 3);
    ledger().confirm(hold);
}

TEST_CASE_FIXTURE(Fixture, "chunks whose notes are past are erased, and the last one stays") {
    write_state();
    for (std::uint32_t number = 1; number <= 5 * StreamRecords::chunk_notes; ++number) {
        records().handled(stream, number);
        settle();
    }
    CHECK(entries().size() <= 3);  // the state, the last chunk, and one that is about to be erased
    CHECK(read()->handled == 5 * StreamRecords::chunk_notes);
}

TEST_CASE_FIXTURE(Fixture,
                  "what was sent and acknowledged stays noted until the next start would "
                  "not list it any more") {
    write_state();
    archive_mark.recovered(0);
    const std::uint64_t now = hub->shared.ids.next_id();
    constexpr std::uint32_t last = 4 * StreamRecords::chunk_notes;
    const auto send = [&](std::uint32_t number) {
        records().sent(stream, number, now + number);
        settle();
        records().acknowledged(stream, number);
    };
    for (std::uint32_t number = 1; number <= last; ++number) send(number);
    CHECK(read()->sent.size() == last);
    archive_mark.stored(now + last / 2);
    send(last + 1);
    send(last + 2);
    CHECK(read()->sent.size() == last / 2 + 2);
}

TEST_CASE_FIXTURE(Fixture, "and while the row by which it waits is not erased") {
    write_state();
    const auto failed = Packet::from_bytes(
        "<message from='romeo@a.test/x' to='juliet@b.test' type='chat' id='m1'>"
        "<body>x</body></message>");
    const PacketRef error = Packet::error_reply(
        **failed, {.condition = StanzaCondition::service_unavailable, .text = {}});
    const HoldId hold = ledger().hold(error, {}, store_key("romeo@a.test"));
    const std::uint64_t row = ledger().row(hold);
    records().sent(stream, 1, row);
    settle();
    store.hold_commits();
    pass_patience();  // it is being listed
    ledger().confirm(hold);
    records().acknowledged(stream, 1);
    archive_mark.stored(row);
    std::uint32_t number = 0;
    const auto fill = [&] {
        for (std::size_t i = 0; i < 2 * StreamRecords::chunk_notes; ++i) {
            records().handled(stream, ++number);
            settle();
        }
    };
    fill();
    store.release_commits();
    settle();
    REQUIRE(rows("romeo@a.test").size() == 1);
    CHECK(read()->sent.size() == 1);
    pass_erasure();
    REQUIRE(rows("romeo@a.test").empty());
    fill();
    CHECK(read()->sent.empty());
}

TEST_CASE_FIXTURE(Fixture, "nor does it go because the wall clock was set") {
    write_state();
    const std::uint64_t row = hub->shared.ids.next_id();
    records().sent(stream, 1, row);
    settle();
    records().acknowledged(stream, 1);
    clock.set_wall(clock.wall() + 3'600'000);
    for (std::uint32_t number = 1; number <= 2 * StreamRecords::chunk_notes; ++number) {
        records().handled(stream, number);
        settle();
    }
    CHECK(read()->sent.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "of a stream that nothing is acknowledged of only so much is kept") {
    for (std::uint32_t number = 1;
         number <= (StreamRecords::chunks_at_most + 3) * StreamRecords::chunk_notes; ++number) {
        records().sent(stream, number, number);
    }
    settle();
    records().handled(stream, 1);
    settle();
    CHECK(entries().size() <= StreamRecords::chunks_at_most);
}

TEST_CASE_FIXTURE(Fixture,
                  "nothing is left of a stream that ended, and late messages note nothing") {
    write_state();
    records().handled(stream, 1);
    settle();
    records().forget(stream, "romeo@a.test");
    CHECK(records().known(stream));  // so that nobody resumes it before that is durable
    ledger().keep(message("m3"), kept(3, 2), store_key(), {});
    pass_erasure();
    CHECK(entries().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a token of another stream, one that was altered, and garbage find nothing") {
    write_state();
    records().handled(stream, 1);
    settle();
    CHECK(find_kept_stream(entries(), token));
    CHECK_FALSE(find_kept_stream(entries(), token + "x"));
    CHECK_FALSE(find_kept_stream(entries(), make_stream_token(stream)));
    CHECK_FALSE(find_kept_stream(entries(), make_stream_token(stream + 1)));
    CHECK_FALSE(find_kept_stream(entries(), ""));
    CHECK_FALSE(find_kept_stream(entries(), "no number at all"));
}

TEST_CASE_FIXTURE(Fixture, "notes that cannot be read say nothing") {
    write_state();
    records().handled(stream, 7);
    settle();
    std::vector<MapEntry> all = entries();
    for (MapEntry& entry : all) {
        if (!entry.key.ends_with("state")) entry.value += "h x\nd 8\ns 1 y\nq 9\n\nh 99999999999\n";
    }
    const auto kept = find_kept_stream(all, token);
    REQUIRE(kept);
    CHECK(kept->handled == 7);
    CHECK(kept->safe.empty());
    CHECK(kept->sent.empty());
}

TEST_CASE_FIXTURE(Fixture, "numbers wrap") {
    write_state();
    records().handled(stream, 0xfffffffeU);
    settle();
    ledger().keep(message("m1"), kept(0xffffffffU, 0xfffffffeU), store_key(), {});
    ledger().keep(message("m2"), kept(0, 0xfffffffeU), store_key(), {});
    ledger().keep(message("m3"), kept(1, 0xfffffffeU), store_key(), {});
    settle();
    CHECK(read()->handled == 1);
    CHECK(read()->safe.empty());
}

}  // namespace causeway::test
