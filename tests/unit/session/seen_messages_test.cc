#include "gateway/session/seen_messages.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

using Message = SeenMessages::Message;

RepeatKeys keys(const Message& message) { return SeenMessages::keys("secret", message); }

/// Known by the number that its sender's server gave it alone.
RepeatKeys numbered(std::uint64_t number) {
    return {.by_server_id = number, .by_client_id = 0, .broke = {}};
}

RepeatKeys broken_at(RepeatKeys keys, TimePoint when) {
    keys.broke = when;
    return keys;
}

constexpr TimePoint start{Duration{1'000'000}};

std::optional<HoldId> find(SeenMessages& seen, const RepeatKeys& keys, TimePoint now = start) {
    return seen.find(keys, now);
}

}  // namespace

TEST_CASE("seen messages: two copies have one key, and each part makes another message") {
    const Message message{"a@b.test/x", "r@a.test", "c", "1", "<body>x</body>"};
    CHECK(keys(message).by_server_id == keys(message).by_server_id);
    CHECK(keys(message).by_client_id == keys(message).by_client_id);
    const std::vector<Message> different{
        message,
        {"a@b.test/y", "r@a.test", "c", "1", "<body>x</body>"},
        {"a@b.test/x", "s@a.test", "c", "1", "<body>x</body>"},
        {"a@b.test/x", "r@a.test", "d", "1", "<body>x</body>"},
        {"a@b.test/x", "r@a.test", "c", "1", "<body>y</body>"},
        // The parts are apart: what ends one cannot begin the next.
        {"a@b.test/", "xr@a.test", "c", "1", "<body>x</body>"},
        {"a@b.test/x", "r@a.testc", "", "1", "<body>x</body>"},
        {"a@b.test/x", "r@a.test", "", "1", "c<body>x</body>"},
    };
    std::set<std::uint64_t> by_server, by_client;
    for (const Message& one : different) {
        by_server.insert(keys(one).by_server_id);
        by_client.insert(keys(one).by_client_id);
    }
    CHECK(by_server.size() == different.size());
    CHECK_FALSE(by_server.contains(0));
    // Two of them have no id of the client's: 0.
    CHECK(by_client.size() == different.size() - 1);
    CHECK(by_client.contains(0));

    Message other_server = message;
    other_server.server_id = "2";
    CHECK(keys(message).by_server_id != keys(other_server).by_server_id);
    CHECK(keys(message).by_client_id == keys(other_server).by_client_id);
    CHECK(SeenMessages::keys("another", message).by_server_id != keys(message).by_server_id);
}

TEST_CASE("seen messages: the latest are remembered, each with what holds it") {
    SeenMessages seen;
    CHECK_FALSE(find(seen, numbered(1)));
    seen.note(numbered(0), start, 5);  // a message that no server names
    CHECK_FALSE(find(seen, numbered(0)));
    for (std::uint64_t i = 1; i <= SeenMessages::capacity; ++i) {
        seen.note(numbered(i), start, i + 100);
    }
    CHECK(find(seen, numbered(1)) == 101U);
    seen.note(numbered(2), start, 7);  // the same once more: no other is forgotten
    CHECK(find(seen, numbered(1)) == 101U);
    CHECK(find(seen, numbered(2)) == 7U);
    seen.note(numbered(SeenMessages::capacity + 1), start, 8);
    CHECK_FALSE(find(seen, numbered(1)));
    CHECK(find(seen, numbered(2)) == 7U);
    CHECK(find(seen, numbered(SeenMessages::capacity + 1)) == 8U);
}

TEST_CASE("seen messages: what came before a break is known by what its client gave, once") {
    const Message message{"a@b.test/x", "r@a.test", "c", "1", "<body>x</body>"};
    Message again = message, once_more = message;
    again.server_id = "2";
    once_more.server_id = "3";
    const TimePoint broke = start + Duration{10};
    SeenMessages seen;
    seen.note(keys(message), start, 7);

    CHECK_FALSE(find(seen, keys(again)));  // nothing broke: its client sends the same once more
    const TimePoint too_late = start + SeenMessages::before_the_break + Duration{1};
    CHECK_FALSE(find(seen, broken_at(keys(again), too_late)));
    CHECK(find(seen, broken_at(keys(again), broke)) == 7U);
    CHECK(find(seen, broken_at(keys(again), broke)) == 7U);  // that copy itself
    CHECK_FALSE(find(seen, broken_at(keys(once_more), broke)));
}

TEST_CASE("seen messages: a copy that came late, and its server is killed again soon after that") {
    const Message message{"a@b.test/x", "r@a.test", "c", "1", "<body>x</body>"};
    Message again = message, once_more = message, at_last = message;
    again.server_id = "2";
    once_more.server_id = "3";
    at_last.server_id = "4";
    SeenMessages seen;
    seen.note(keys(message), start, 7);
    // Its server was not there for so long.
    const TimePoint came = start + SeenMessages::before_the_break + Duration{5000};
    CHECK(find(seen, broken_at(keys(again), start + Duration{10}), came) == 7U);
    const TimePoint second = came + Duration{1000};
    CHECK(find(seen, broken_at(keys(once_more), second), second) == 7U);
    const TimePoint too_late = second + SeenMessages::before_the_break + Duration{1};
    CHECK_FALSE(find(seen, broken_at(keys(at_last), too_late), too_late));
}

TEST_CASE("seen messages: without an id of its client's a message is known by its server's alone") {
    const Message message{"a@b.test/x", "r@a.test", "", "1", "<body>x</body>"};
    Message again = message;
    again.server_id = "2";
    SeenMessages seen;
    seen.note(keys(message), start, 7);
    CHECK_FALSE(find(seen, broken_at(keys(again), start)));
    CHECK(find(seen, broken_at(keys(message), start)) == 7U);
}

TEST_CASE("seen messages: what came after the last break is not under way") {
    const Message message{"a@b.test/x", "r@a.test", "c", "1", "<body>x</body>"};
    Message again = message;
    again.server_id = "2";
    SeenMessages seen;
    seen.note(broken_at(keys(message), start), start + Duration{5}, 7);
    CHECK_FALSE(find(seen, broken_at(keys(again), start)));
    // Another break, although the first copy was so slow that it is noted only after that.
    CHECK(find(seen, broken_at(keys(again), start + Duration{1})) == 7U);
}

TEST_CASE("seen messages: one that was refused is sent again by its client, and taken") {
    const Message message{"a@b.test/x", "r@a.test", "c", "1", "<body>x</body>"};
    Message again = message;
    again.server_id = "2";
    SeenMessages seen;
    seen.note(keys(message), start, 7);
    seen.forget(keys(again));  // another one: nothing becomes of it
    seen.forget(keys(message));
    CHECK_FALSE(find(seen, broken_at(keys(again), start)));
    CHECK(find(seen, keys(message)) == 7U);  // its server has had the error
}

TEST_CASE("seen messages: a server of which it is not known whether it gives ids") {
    const Message message{"a@b.test/x", "r@a.test", "c", "1", "<body>x</body>"};
    RepeatKeys unknown = keys(message);
    unknown.by_server_id = 0;
    SeenMessages seen;
    seen.note(unknown, start, 7);
    CHECK_FALSE(find(seen, unknown));
    CHECK(find(seen, broken_at(unknown, start)) == 7U);
    CHECK_FALSE(find(seen, broken_at(unknown, start)));
}

TEST_CASE("seen messages: one that is forgotten is not known by what its client gave either") {
    const Message message{"a@b.test/x", "r@a.test", "c", "1", "<body>x</body>"};
    Message again = message;
    again.server_id = "2";
    SeenMessages seen;
    seen.note(keys(message), start, 7);
    for (std::uint64_t i = 1; i <= SeenMessages::capacity; ++i) seen.note(numbered(i), start, 1);
    CHECK_FALSE(find(seen, broken_at(keys(again), start)));
}

/// What a process that was killed had archived for romeo@a.test, each with the id of its row.
class ArchivedFixture : public AccountFixture {
public:
    /// The last id that the process used, or could have: the store says no more.
    void last_id(std::uint64_t id) {
        Batch batch;
        batch.log_append("other", "romeo@a.test", {.id = id, .at = 0, .expires = 0, .body = "x"});
        commit(std::move(batch));
        REQUIRE(store.id_floor() == id);
    }
    static std::string message(std::uint64_t row, std::string_view server_id) {
        return fmt::format(
            "<message to='romeo@a.test' from='nurse@b.test/x' id='c{}' type='chat'><body>x</body>"
            "<stanza-id xmlns='urn:xmpp:sid:0' by='nurse@b.test' id='{}'/></message>",
            row, server_id);
    }
    /// Whether the copy that comes when its server was started anew is taken for the first one.
    bool known(SeenMessages& seen, std::uint64_t row) {
        RepeatKeys again;
        REQUIRE(Packet::visit_bytes(message(row, "other"), [&](const Stanza& stanza) {
                    again = SeenMessages::keys_of(shared.secret, stanza);
                }).ok());
        return find(seen, broken_at(again, shared.started)).has_value();
    }
};

TEST_CASE_FIXTURE(ArchivedFixture,
                  "seen messages: of the archive what was under way as the process was killed is "
                  "known by what its client gave") {
    // A minute, and the ten seconds by which the store's ids run ahead of those in use.
    const std::uint64_t last = id_distance(Duration{1'000'000});
    const std::uint64_t under_way = id_distance(SeenMessages::before_the_break + Duration{10'000});
    last_id(last);
    shared.started = start;
    ArchivePage page;
    for (const std::uint64_t row : {last - under_way - 1, last - under_way, last}) {
        page.rows.push_back({.id = row,
                             .with = "nurse@b.test",
                             .resource = "x",
                             .incoming = true,
                             .body = message(row, fmt::format("{}", row))});
    }
    SeenMessages seen;
    seen.note(*hub, page);
    CHECK_FALSE(known(seen, last - under_way - 1));
    CHECK(known(seen, last - under_way));
    CHECK(known(seen, last));
}

TEST_CASE_FIXTURE(ArchivedFixture,
                  "seen messages: what an account wrote itself hides nothing that came before it") {
    add_account("romeo@a.test");
    const std::uint64_t last = id_distance(Duration{1'000'000});
    const auto archive = [&](std::uint64_t row, std::string_view with, bool incoming) {
        Batch batch;
        const std::string body = message(row, fmt::format("{}", row));
        batch.archive_append(
            "romeo@a.test",
            {.id = row, .with = with, .resource = "x", .incoming = incoming, .body = body});
        commit(std::move(batch));
    };
    const std::uint64_t first = last - ArchiveQuery::looked_at - 10;
    archive(first, "nurse@b.test", true);
    for (std::uint64_t row = first + 1; row <= last; ++row) archive(row, "nurse@b.test", false);
    shared.first_id = last + 1;
    shared.started = clock.now();
    account("romeo@a.test").when_loaded([](const Outcome&) {});
    settle();
    CHECK(known(hub->seen, first));
}

TEST_CASE_FIXTURE(ArchivedFixture,
                  "seen messages: what its server gave no id is known by its client's, once") {
    const std::string body =
        "<message to='romeo@a.test' from='nurse@b.test/x' id='c1' type='chat'><body>x</body>"
        "</message>";
    RepeatKeys keys;
    const auto read = [&](const Stanza& stanza) {
        keys = SeenMessages::keys_of(shared.secret, stanza);
    };
    REQUIRE(Packet::visit_bytes("<message to='romeo@a.test' from='nurse@b.test/x' type='chat'>"
                                "<body>x</body></message>",
                                read)
                .ok());
    CHECK(keys.by_server_id == 0);
    CHECK(keys.by_client_id == 0);
    REQUIRE(Packet::visit_bytes(body, read).ok());
    CHECK(keys.by_server_id == 0);
    CHECK(keys.by_client_id != 0);

    last_id(id_distance(Duration{1'000'000}));
    shared.started = start;
    ArchivePage page;
    page.rows.push_back({.id = store.id_floor(),
                         .with = "nurse@b.test",
                         .resource = "x",
                         .incoming = true,
                         .body = body});
    SeenMessages seen;
    seen.note(*hub, page);
    CHECK(find(seen, broken_at(keys, start)));
    CHECK_FALSE(find(seen, broken_at(keys, start)));
    // The account is loaded once more: the next one is another message all the same.
    seen.note(*hub, page);
    CHECK_FALSE(find(seen, broken_at(keys, start)));
}

}  // namespace causeway::test
