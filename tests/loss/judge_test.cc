#include "tests/loss/judge.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace causeway::loss {
namespace {

using Kind = Event::Kind;
using Found = std::vector<Finding::Kind>;

/// Juliet at the first server, Romeo at the second, and Nurse at the first without stream
/// management. Message 0 and 1 are from Juliet to Romeo, 2 from Juliet to Nurse, 3 from Nurse to
/// Romeo.
struct Story {
    History history{.parties = {{"Juliet", 0, true}, {"Romeo", 1, true}, {"Nurse", 0, false}},
                    .messages = {{0, 1}, {0, 1}, {0, 2}, {2, 1}}};

    Story& then(Kind kind, std::size_t which) {
        history.events.push_back({kind, which});
        return *this;
    }
    /// What the judge finds, or tolerates.
    [[nodiscard]] Found found() const { return kinds(judge(history).findings); }
    [[nodiscard]] Found tolerated() const { return kinds(judge(history).tolerated); }

private:
    static Found kinds(const std::vector<Finding>& findings) {
        Found all;
        for (const Finding& one : findings) all.push_back(one.kind);
        return all;
    }
};

}  // namespace

TEST_CASE("judge: a message that is acknowledged and read once is as it should be") {
    Story story;
    story.then(Kind::sent, 0).then(Kind::acknowledged, 0).then(Kind::read, 0);
    CHECK(story.found().empty());
    CHECK(story.tolerated().empty());
}

TEST_CASE("judge: what was never sent is nobody's fault") { CHECK(Story().found().empty()); }

TEST_CASE("judge: an error is an outcome") {
    Story story;
    story.then(Kind::sent, 0).then(Kind::acknowledged, 0).then(Kind::refused, 0);
    CHECK(story.found().empty());
    SUBCASE("once") {
        story.then(Kind::refused, 0);
        CHECK(story.found() == Found{Finding::Kind::refused_twice});
    }
    SUBCASE("instead of being read") {
        story.then(Kind::read, 0);
        CHECK(story.found() == Found{Finding::Kind::refused_and_read});
    }
    SUBCASE("for each time that it was sent in a session of its own") {
        story.then(Kind::sent_anew, 0).then(Kind::refused, 0);
        CHECK(story.found().empty());
    }
}

TEST_CASE("judge: a store that fails may refuse what a reader had and did not acknowledge") {
    Story story;
    story.then(Kind::store_failed, 1).then(Kind::sent, 0).then(Kind::acknowledged, 0);
    story.then(Kind::read, 0).then(Kind::refused, 0);
    CHECK(story.found() == Found{Finding::Kind::refused_and_read});
    story.then(Kind::connection_lost, 1);
    CHECK(story.found().empty());
    CHECK(story.tolerated() == Found{Finding::Kind::refused_and_read});
}

TEST_CASE("judge: so may that of the sender's server, when the reader's is gone") {
    Story story;
    story.then(Kind::store_failed, 0).then(Kind::sent, 0).then(Kind::read, 0);
    story.then(Kind::refused, 0).then(Kind::acknowledged, 0);
    CHECK(story.found() == Found{Finding::Kind::refused_and_read});
    SUBCASE("killed") { story.then(Kind::killed, 1); }
    SUBCASE("or at its end") { story.then(Kind::ended, 1); }
    CHECK(story.found().empty());
    CHECK(story.tolerated() == Found{Finding::Kind::refused_and_read});
}

TEST_CASE("judge: what a server could not store before it ended comes again") {
    Story story;
    SUBCASE("its store failed") { story.then(Kind::store_failed, 0); }
    SUBCASE("its store worked") {}
    const bool failed = !story.history.events.empty();
    story.then(Kind::sent, 0).then(Kind::read, 0).then(Kind::ended, 0);
    story.then(Kind::acknowledged, 0).then(Kind::read, 0);
    CHECK(story.found() == (failed ? Found{} : Found{Finding::Kind::twice}));
    CHECK(story.tolerated() == (failed ? Found{Finding::Kind::twice} : Found{}));
}

TEST_CASE("judge: also to a reader of its own") {
    Story story;
    SUBCASE("its store failed") { story.then(Kind::store_failed, 0); }
    SUBCASE("its store worked") {}
    const bool failed = !story.history.events.empty();
    story.then(Kind::sent, 2).then(Kind::read, 2).then(Kind::ended, 0);
    story.then(Kind::acknowledged, 2).then(Kind::read, 2);
    CHECK(story.found() == (failed ? Found{} : Found{Finding::Kind::twice}));
    CHECK(story.tolerated() == (failed ? Found{Finding::Kind::twice} : Found{}));
}

TEST_CASE("judge: lost is what was acknowledged, and neither read nor refused") {
    Story story;
    story.then(Kind::sent, 0).then(Kind::acknowledged, 0);
    CHECK(story.found() == Found{Finding::Kind::lost});
}

TEST_CASE("judge: a reader without stream management may lose what was on its way") {
    Story story;
    story.then(Kind::connection_lost, 2).then(Kind::sent, 2).then(Kind::acknowledged, 2);
    CHECK(story.found() == Found{Finding::Kind::lost});
    story.then(Kind::connection_lost, 2);
    CHECK(story.found().empty());
    CHECK(story.tolerated() == Found{Finding::Kind::lost});
}

TEST_CASE("judge: without a word, the fate of a message is unknown") {
    Story story;
    story.then(Kind::sent, 0);
    SUBCASE("even if it was read") { story.then(Kind::read, 0); }
    CHECK(story.found() == Found{Finding::Kind::unknown});
}

TEST_CASE("judge: a sender without stream management is owed nothing") {
    Story story;
    story.then(Kind::sent, 3);
    CHECK(story.found().empty());
    CHECK(story.tolerated().empty());
}

TEST_CASE("judge: twice is a fault") {
    Story story;
    story.then(Kind::sent, 0).then(Kind::acknowledged, 0).then(Kind::read, 0);
    SUBCASE("whatever else happened") {
        story.then(Kind::killed, 1).then(Kind::connection_lost, 1).then(Kind::killed, 0);
        story.then(Kind::read, 0).then(Kind::session_lost, 1);
        CHECK(story.found() == Found{Finding::Kind::twice});
    }
    SUBCASE("but where the reader could not resume in between") {
        story.then(Kind::session_lost, 1).then(Kind::read, 0);
        CHECK(story.found().empty());
        CHECK(story.tolerated() == Found{Finding::Kind::twice});
    }
}

TEST_CASE(
    "judge: twice is not promised away where the sender's server died before it acknowledged") {
    Story story;
    story.then(Kind::sent, 0).then(Kind::read, 0);
    SUBCASE("the sender's") {
        story.then(Kind::killed, 0).then(Kind::acknowledged, 0).then(Kind::read, 0);
        CHECK(story.found().empty());
        CHECK(story.tolerated() == Found{Finding::Kind::twice});
    }
    SUBCASE("not the reader's") {
        story.then(Kind::killed, 1).then(Kind::acknowledged, 0).then(Kind::read, 0);
        CHECK(story.found() == Found{Finding::Kind::twice});
    }
}

TEST_CASE("judge: what was read before it was stored may come twice after a kill") {
    Story story;
    story.then(Kind::sent, 0);
    SUBCASE("where there are no archives") { story.history.archives = false; }
    SUBCASE("where the reader's store fails") { story.then(Kind::store_failed, 1); }
    story.then(Kind::acknowledged, 0).then(Kind::read, 0);
    Story unharmed = story;
    unharmed.then(Kind::read, 0);
    CHECK(unharmed.found() == Found{Finding::Kind::twice});
    story.then(Kind::killed, 1).then(Kind::read, 0);
    CHECK(story.found().empty());
    CHECK(story.tolerated() == Found{Finding::Kind::twice});
}

TEST_CASE("judge: what was sent once more in another session may come twice") {
    Story story;
    story.then(Kind::sent, 0).then(Kind::read, 0).then(Kind::sent_anew, 0);
    story.then(Kind::acknowledged, 0).then(Kind::read, 0);
    CHECK(story.found().empty());
    CHECK(story.tolerated() == Found{Finding::Kind::twice});
}

TEST_CASE("judge: messages of one sender to one reader keep their order") {
    Story story;
    for (const std::size_t message : {0U, 1U}) {
        story.then(Kind::sent, message).then(Kind::acknowledged, message);
    }
    story.then(Kind::read, 1).then(Kind::read, 0);
    CHECK(story.found() == Found{Finding::Kind::reordered});
}

TEST_CASE("judge: nothing is left when everything was acknowledged") {
    Story story;
    story.then(Kind::sent, 0).then(Kind::acknowledged, 0).then(Kind::read, 0);
    story.then(Kind::left_over, 0);
    CHECK(story.found() == Found{Finding::Kind::left_over});
}

TEST_CASE("judge: both archives have a message once") {
    Story story;
    story.history.archives_known = true;
    story.then(Kind::sent, 0).then(Kind::acknowledged, 0).then(Kind::read, 0);
    CHECK(story.found() == Found{Finding::Kind::not_archived, Finding::Kind::not_archived});
    story.then(Kind::kept_by_reader, 0).then(Kind::kept_by_sender, 0);
    CHECK(story.found().empty());
    SUBCASE("not twice") {
        story.then(Kind::kept_by_sender, 0);
        CHECK(story.found() == Found{Finding::Kind::archived_twice});
    }
}

TEST_CASE("judge: an archive may lack what its store could not take") {
    Story story;
    story.history.archives_known = true;
    story.then(Kind::sent, 0).then(Kind::acknowledged, 0).then(Kind::read, 0);
    story.then(Kind::store_failed, 0).then(Kind::kept_by_reader, 0);
    CHECK(story.found().empty());
    CHECK(story.tolerated() == Found{Finding::Kind::not_archived});
}

TEST_CASE("judge: what no server may do is said of the client that saw it") {
    Story story;
    story.history.events.push_back({Kind::wrong, 1, Duration{0}, "h='9'"});
    const Verdict verdict = judge(story.history);
    REQUIRE(verdict.findings.size() == 1);
    CHECK(verdict.findings.front().text == "Romeo: h='9'");
}

}  // namespace causeway::loss
