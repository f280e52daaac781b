// Questions to other entities: who may answer, when it is over, and how many are open.
#include "gateway/route/asking.h"

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct Fixture : AccountFixture {
    Fixture() { asking.emplace(*hub); }

    Asking::Done note() {
        return [this](const IqAnswer& answer) { answers.push_back(answer.kind); };
    }
    Question ask(const std::string& from = "a.test", const std::string& to = "b.test") {
        return asking->ask(*Jid::parse(from), *Jid::parse(to), "<ping xmlns='urn:xmpp:ping'/>",
                           Duration{1000}, note());
    }
    bool answered(const std::string& from, const std::string& to, const std::string& id,
                  StanzaType type = StanzaType::result) {
        return asking->answered(
            Packet::make(StanzaKind::iq, type, *Jid::parse(from), *Jid::parse(to), id, {}));
    }

    std::optional<Asking> asking;
    std::vector<IqAnswer::Kind> answers;
};

using Kinds = std::vector<IqAnswer::Kind>;

TEST_CASE_FIXTURE(Fixture, "a question is routed, with an id that nobody guesses") {
    const Question one = ask(), other = ask();
    settle();
    REQUIRE(elsewhere.sent.size() == 2);
    CHECK(elsewhere.sent[0].find("id='" + one.id() + "'") != std::string::npos);
    CHECK(elsewhere.sent[0].find("type='get'") != std::string::npos);
    CHECK(one.id().size() >= 16);
    CHECK(one.id() != other.id());
    CHECK(asking->open() == 2);
}

TEST_CASE_FIXTURE(Fixture, "only the address that was asked answers, to the one that asked, once") {
    const Question question = ask("a.test/x", "b.test");
    const std::string id = question.id();
    CHECK_FALSE(answered("romeo@b.test", "a.test/x", id));
    CHECK_FALSE(answered("b.test/x", "a.test/x", id));
    CHECK_FALSE(answered("c.test", "a.test/x", id));
    CHECK_FALSE(answered("b.test", "a.test", id));
    CHECK_FALSE(answered("b.test", "a.test/x", id + "x"));
    CHECK(answers.empty());
    CHECK(answered("b.test", "a.test/x", id));
    CHECK_FALSE(answered("b.test", "a.test/x", id));
    pass(Duration{2000});
    CHECK(answers == Kinds{IqAnswer::Kind::result});
    CHECK(asking->open() == 0);
}

TEST_CASE_FIXTURE(Fixture, "an error is an answer, and silence is one after the deadline") {
    const Question refused = ask();
    CHECK(answered("b.test", "a.test", refused.id(), StanzaType::error));
    const Question silent = ask();
    pass(Duration{900});
    CHECK(answers == Kinds{IqAnswer::Kind::error});
    pass(Duration{300});
    CHECK(answers == Kinds{IqAnswer::Kind::error, IqAnswer::Kind::nothing});
    CHECK_FALSE(answered("b.test", "a.test", silent.id()));
}

TEST_CASE_FIXTURE(Fixture, "whoever drops a question hears nothing more") {
    {
        Question question = ask();
        Question moved = std::move(question);
        CHECK(question.id().empty());
        CHECK(asking->open() == 1);
        moved = ask();
        CHECK(asking->open() == 1);
    }
    CHECK(asking->open() == 0);
    pass(Duration{2000});
    CHECK(answers.empty());
}

TEST_CASE_FIXTURE(Fixture, "a question may be dropped, and another asked, by its own answer") {
    Question question;
    question = asking->expect(*Jid::parse("a.test"), *Jid::parse("b.test"), Duration{1000},
                              [&](const IqAnswer&) {
                                  answers.push_back(IqAnswer::Kind::result);
                                  question = ask();
                              });
    CHECK(answered("b.test", "a.test", question.id()));
    CHECK(answered("b.test", "a.test", question.id()));
    CHECK(answers.size() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "questions to one domain are bounded, and others are asked all the same") {
    std::vector<Question> open;
    for (std::size_t i = 0; i < Asking::open_per_domain; ++i) open.push_back(ask());
    CHECK(ask().id().empty());
    CHECK_FALSE(ask("a.test", "c.test").id().empty());
    open.pop_back();
    CHECK_FALSE(ask().id().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "so are all questions, and the places of those that end are free again") {
    std::vector<Question> open;
    for (std::size_t i = 0; i < Asking::open_in_all; ++i) {
        open.push_back(asking->expect(*Jid::parse("a.test"),
                                      *Jid::parse("d" + std::to_string(i / 100) + ".test"),
                                      Duration{1000}, note()));
    }
    CHECK_FALSE(open.back().id().empty());
    CHECK(ask("a.test", "other.test").id().empty());
    open.pop_back();
    CHECK_FALSE(ask("a.test", "other.test").id().empty());
    pass(Duration{1200});
    CHECK(asking->open() == 0);
    CHECK(answers.size() == Asking::open_in_all - 1);
    for (std::size_t i = 0; i < Asking::open_per_domain; ++i)
        open.push_back(ask("a.test", "d1.test"));
    CHECK_FALSE(open.back().id().empty());
}

TEST_CASE_FIXTURE(Fixture, "answers find their question through the router") {
    add_account("juliet@a.test");
    const Question by_domain = ask("a.test", "b.test");
    const Question by_account = ask("juliet@a.test", "b.test");
    arrives("<iq to='a.test' from='b.test' type='result' id='" + by_domain.id() + "'/>");
    arrives("<iq to='juliet@a.test' from='b.test' type='error' id='" + by_account.id() +
            "'><error type='cancel'/></iq>");
    settle();
    CHECK(answers == Kinds{IqAnswer::Kind::result, IqAnswer::Kind::error});
}

}  // namespace
}  // namespace causeway::test
