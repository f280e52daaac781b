// Requests to another server that are not answered when the stream ends.
#include "s2s/awaited_answers.h"

#include <fmt/format.h>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct Fixture : AccountFixture, AwaitedAnswers::Owner {
    Fixture() : answers(*hub, *this) {}
    void no_answer(const Packet& request) override { told.emplace_back(request.id()); }
    [[nodiscard]] bool stream_may_go_on() const override { return may_go_on; }

    static PacketRef request(std::string_view id, StanzaType type = StanzaType::get,
                             std::string_view from = "juliet@a.test/balcony",
                             std::string_view inner = {}) {
        return Packet::make(StanzaKind::iq, type, *Jid::parse(from), *Jid::parse("romeo@b.test/x"),
                            id, inner);
    }
    bool answered(std::string_view id) {
        return answers.answered(*Jid::parse("romeo@b.test/x"), *Jid::parse("juliet@a.test/balcony"),
                                id);
    }

    AwaitedAnswers answers;
    std::vector<std::string> told;
    bool may_go_on = false;
};

TEST_CASE_FIXTURE(Fixture, "requests of sessions alone, each once, oldest first") {
    answers.written(request("1"));
    answers.written(request("2", StanzaType::set));
    answers.written(request("2", StanzaType::set));
    answers.written(request("3", StanzaType::result));
    answers.written(request("4", StanzaType::get, "a.test"));
    answers.written(request("5", StanzaType::get, "juliet@a.test"));
    pass(Duration{60'000});
    CHECK(told.empty());
    CHECK_FALSE(answers.needed());
    answers.stream_ended();
    CHECK(answers.needed());
    pass(Duration{9'000});
    CHECK(told.empty());
    pass(Duration{2'000});
    CHECK(told == std::vector<std::string>{"1", "2"});
    answers.stream_ended();
    pass(Duration{62'000});
    CHECK(told.size() == 2);
    CHECK_FALSE(answers.needed());
}

TEST_CASE_FIXTURE(Fixture, "an answer to who was told that there is none is late, for a while") {
    for (const std::string_view id : {"1", "2", "3"}) answers.written(request(id));
    CHECK(answered("3"));
    answers.stream_ended();
    pass(Duration{11'000});
    CHECK(told == std::vector<std::string>{"1", "2"});
    CHECK(answers.needed());
    CHECK(answered("3"));
    CHECK_FALSE(answered("1"));
    CHECK(answered("1"));
    answers.written(request("2"));
    CHECK(answered("2"));
    answers.written(request("4"));
    answers.stream_ended();
    pass(Duration{11'000});
    CHECK(told == std::vector<std::string>{"1", "2", "4"});
    pass(Duration{62'000});
    CHECK_FALSE(answers.needed());
    CHECK(answered("4"));
}

TEST_CASE_FIXTURE(Fixture, "the oldest are forgotten for more than are remembered") {
    for (std::size_t i = 0; i < AwaitedAnswers::most; ++i) {
        answers.written(request(fmt::format("{}", i)));
    }
    answers.written(request("one more"));
    answers.stream_ended();
    pass(Duration{11'000});
    REQUIRE(told.size() == AwaitedAnswers::most);
    CHECK(told.front() == "1");
    CHECK(told.back() == "one more");
}

TEST_CASE_FIXTURE(Fixture, "and for more bytes") {
    const std::string much(AwaitedAnswers::most_bytes / 3, 'x');
    for (const std::string_view id : {"1", "2", "3"}) {
        answers.written(request(id, StanzaType::set, "juliet@a.test/balcony", much));
    }
    CHECK(answered("2"));
    answers.written(request("4", StanzaType::set, "juliet@a.test/balcony", much));
    answers.stream_ended();
    pass(Duration{11'000});
    CHECK(told == std::vector<std::string>{"3", "4"});
}

TEST_CASE_FIXTURE(Fixture, "while the stream may go on nobody is told; then as it turns out") {
    answers.written(request("1"));
    may_go_on = true;
    answers.stream_ended();
    pass(Duration{30'000});
    CHECK(told.empty());
    answers.decided(true);
    may_go_on = false;
    pass(Duration{30'000});
    CHECK(told.empty());
    answers.stream_ended();
    answers.written(request("2"));
    answers.decided(false);
    may_go_on = true;
    pass(Duration{11'000});
    CHECK(told == std::vector<std::string>{"1"});
    CHECK(answered("2"));
    answers.stream_ended();
    may_go_on = false;
    pass(Duration{30'000});
    CHECK(told.size() == 1);
}

}  // namespace
}  // namespace causeway::test
