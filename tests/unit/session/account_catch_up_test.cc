// What a session of an earlier process gets when it is back, and what it had counts for.
#include "tests/unit/session/inbox_fixture.h"

namespace causeway::test {
namespace {

struct BackFixture : InboxFixture {
    static constexpr std::uint64_t row = 5;

    static Batch archived(std::uint64_t id, std::string_view name) {
        Batch batch;
        batch.archive_append("romeo@a.test", {.id = id,
                                              .with = "nurse@b.test",
                                              .resource = "x",
                                              .incoming = true,
                                              .body = chat(name)});
        return batch;
    }
    /// A message of the archive that waits.
    static Batch waiting(std::uint64_t id = row, std::string_view name = "m1") {
        Batch batch = archived(id, name);
        batch.log_append(std::string(AccountInbox::store_name), "romeo@a.test",
                         {.id = id, .at = 1, .expires = 0, .body = {}});
        return batch;
    }
    void catch_up(RecordingSession& session) {
        romeo().inbox().is_back(
            session, 1,
            {.missed = {.ranges = {{.above = 1, .below = row + 1}}, .available = true}});
        romeo().inbox().catch_up(session, [this] { caught_up = true; });
    }

    bool caught_up = false;
};

TEST_CASE_FIXTURE(BackFixture, "what waits comes once to a session that is available at once") {
    commit(waiting());
    RecordingSession other(*hub, "romeo@a.test/other");
    RecordingSession one(*hub, "romeo@a.test/one");
    one.acknowledging = false;
    settle();
    // In this order the store answers first what waits.
    sends(one, "<presence/>");
    catch_up(one);
    settle();
    CHECK(one.count("id='m1'") == 1);
    CHECK(caught_up);
}

TEST_CASE_FIXTURE(BackFixture, "what comes to wait while a session catches up comes to it once") {
    RecordingSession other(*hub, "romeo@a.test/other");
    RecordingSession one(*hub, "romeo@a.test/one");
    one.acknowledging = false;
    settle();
    catch_up(one);
    commit(waiting());
    settle();
    CHECK(caught_up);
    sends(one, "<presence/>");
    settle();
    CHECK(one.count("id='m1'") == 1);
}

TEST_CASE_FIXTURE(BackFixture, "what comes while a session catches up slowly comes behind that") {
    RecordingSession other(*hub, "romeo@a.test/other");
    RecordingSession one(*hub, "romeo@a.test/one");
    settle();
    commit(archived(row, "m1"));
    one.full = true;
    catch_up(one);
    settle();
    CHECK(one.count("id='m1'") == 1);
    CHECK_FALSE(caught_up);
    // The first id behind that with which its time away ended.
    commit(archived(row + 2, "m2"));
    one.full = false;
    romeo().inbox().room_again();
    settle();
    CHECK(one.count("id='m1'") == 1);
    CHECK(one.count("id='m2'") == 1);
    CHECK(caught_up);
}

TEST_CASE_FIXTURE(BackFixture, "an answer for a session that has ended is not for the next one") {
    commit(archived(row, "m1"));
    RecordingSession first(*hub, "romeo@a.test/one");
    settle();
    catch_up(first);
    first.leave();
    // Another stream is back under the same name, what is kept of it may lie where that of the
    // first one lay, and its client takes nothing yet.
    RecordingSession second(*hub, "romeo@a.test/one");
    romeo().inbox().is_back(
        second, 2, {.missed = {.ranges = {{.above = row, .below = row + 1}}, .available = true}});
    settle();
    CHECK(second.received.empty());
    CHECK_FALSE(caught_up);
    bool second_caught_up = false;
    romeo().inbox().catch_up(second, [&] { second_caught_up = true; });
    settle();
    CHECK(second_caught_up);
    CHECK(second.received.empty());
}

TEST_CASE_FIXTURE(BackFixture, "what a session had before the restart counts no more") {
    limit([](Limits& limits) { limits.offline_messages = 2; });
    commit(waiting(row, "m1"));
    commit(waiting(row + 1, "m2"));
    arrives(chat("m3"));
    settle();
    CHECK(stored("romeo@a.test").size() == 2);
    {
        RecordingSession one(*hub, "romeo@a.test/one");
        romeo().inbox().is_back(one, 1, {.messages = {row, row + 1}});
        settle();
    }
    pass(Ledger::erase_within + 2 * TimerWheel::tick);
    CHECK(stored("romeo@a.test").size() == 0);
    arrives(chat("m4"));
    settle();
    CHECK(stored("romeo@a.test").size() == 1);
}

}  // namespace
}  // namespace causeway::test
