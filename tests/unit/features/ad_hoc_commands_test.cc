// Ad-hoc commands that no feature has yet: of several forms, of one's own account, and of
// another's.
#include <array>

#include "gateway/feature/feature.h"
#include "tests/unit/session/account_fixture.h"

namespace causeway {
extern const Feature ad_hoc_commands;
}  // namespace causeway

namespace causeway::test {
namespace {

std::vector<std::function<void(AdHocAnswer)>> waiting;

std::string form(std::string_view field) {
    return FormBuilder("form").field({.name = field}).take();
}

/// Asks for a name and then for a color, which is not "gray".
void paint(const AdHocCall& call) {
    if (call.forms.empty()) return call.answer(AdHocAnswer::ask_more(form("name")));
    if (call.forms.size() == 1) return call.answer(AdHocAnswer::ask(form("color")));
    const auto name = FormReader(call.forms[0]).text("name");
    const auto color = FormReader(call.forms[1]).text("color");
    if (!color || *color == "gray") return call.answer(AdHocAnswer::invalid("Not gray."));
    call.answer(AdHocAnswer::done(*name + " is " + *color + " now."));
}

void later(const AdHocCall& call) { waiting.push_back(call.answer); }
bool romeo_may(const AdHocCaller& caller) { return caller.who.bare() == "romeo@b.test"; }

constexpr std::array<AdHocCommand, 3> commands{{
    {"paint", "Paint", AdHocCommand::At::own, nullptr, paint},
    {"later", "Later", AdHocCommand::At::own, nullptr, later},
    {"publish", "Publish", AdHocCommand::At::account, romeo_may, paint},
}};
const Feature painting{.name = "painting", .ad_hoc = commands};

struct Fixture : AccountFixture {
    Fixture() : AccountFixture({&ad_hoc_commands, &painting}) {
        waiting.clear();
        add_account("juliet@a.test");
        juliet.emplace(*hub, "juliet@a.test/x");
        settle();
    }

    /// What the command says to that step.
    std::string step(const std::string& attributes, const std::string& inner = {}) {
        sends(*juliet,
              "<iq xmlns='jabber:client' type='set' id='c'><command "
              "xmlns='http://jabber.org/protocol/commands' " +
                  attributes + ">" + inner + "</command></iq>");
        settle();
        return juliet->received.empty() ? std::string{} : juliet->received.back();
    }
    std::string begin(const std::string& node) {
        const std::string answer = step("node='" + node + "'");
        const std::size_t at = answer.find("sessionid='") + 11;
        id = answer.substr(at, answer.find('\'', at) - at);
        return answer;
    }
    std::string submit(const std::string& action, const std::string& field,
                       const std::string& value) {
        return step("node='paint' sessionid='" + id + "' action='" + action + "'",
                    "<x xmlns='jabber:x:data' type='submit'><field var='" + field + "'><value>" +
                        value + "</value></field></x>");
    }

    std::optional<RecordingSession> juliet;
    std::string id;
};

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST_CASE_FIXTURE(Fixture, "a command leads from form to form, and back") {
    const std::string first = begin("paint");
    CHECK(holds(first, "status='executing'"));
    CHECK(holds(first, "<actions execute='next'><next/></actions>"));
    CHECK(holds(first, "var='name'"));
    CHECK(holds(submit("complete", "name", "The door"), "<bad-action "));
    const std::string second = submit("execute", "name", "The door");
    CHECK(holds(second, "<actions execute='complete'><prev/><complete/></actions>"));
    CHECK(holds(second, "var='color'"));
    CHECK(holds(submit("next", "color", "red"), "<bad-action "));
    CHECK(holds(step("node='paint' sessionid='" + id + "' action='prev'"), "var='name'"));
    CHECK(holds(submit("next", "name", "The wall"), "var='color'"));
    CHECK(holds(submit("complete", "color", "red"), "The wall is red now."));
    CHECK(holds(submit("complete", "color", "red"), "<bad-sessionid "));
}

TEST_CASE_FIXTURE(Fixture, "a form that cannot be used may be submitted again") {
    begin("paint");
    submit("next", "name", "The door");
    CHECK(holds(submit("complete", "color", "gray"), "<bad-payload "));
    CHECK(holds(submit("next", "color", "red"), "<bad-action "));
    CHECK(holds(submit("complete", "color", "red"), "The door is red now."));
}

TEST_CASE_FIXTURE(Fixture, "a step waits for the one before, and the session may end meanwhile") {
    step("node='later'");
    CHECK(juliet->received.empty());
    REQUIRE(waiting.size() == 1);
    waiting[0](AdHocAnswer::ask(form("name")));
    settle();
    const std::string answer = juliet->received.back();
    const std::size_t at = answer.find("sessionid='") + 11;
    id = answer.substr(at, answer.find('\'', at) - at);
    const std::string again = "node='later' sessionid='" + id + "'";
    const std::string empty = "<x xmlns='jabber:x:data' type='submit'/>";
    step(again, empty);
    CHECK(holds(step(again, empty), "<unexpected-request "));
    CHECK(holds(step(again + " action='cancel'"), "status='canceled'"));
    waiting[1](AdHocAnswer::done("Done."));
    settle();
    CHECK(holds(juliet->received.back(), "<session-expired "));
}

TEST_CASE_FIXTURE(Fixture, "a session ends with its client") {
    begin("paint");
    juliet->leave();
    juliet.emplace(*hub, "juliet@a.test/x");
    settle();
    CHECK(holds(submit("next", "name", "The door"), "<bad-sessionid "));
}

TEST_CASE_FIXTURE(Fixture, "sixteen forms are kept of a session") {
    step("node='later'");
    for (int i = 0; i < 16; ++i) {
        waiting.back()(AdHocAnswer::ask_more(form("name")));
        settle();
        const std::string answer = juliet->received.back();
        const std::size_t at = answer.find("sessionid='") + 11;
        id = answer.substr(at, answer.find('\'', at) - at);
        step("node='later' sessionid='" + id + "'", "<x xmlns='jabber:x:data' type='submit'/>");
    }
    waiting.back()(AdHocAnswer::ask_more(form("name")));
    settle();
    CHECK(holds(
        step("node='later' sessionid='" + id + "'", "<x xmlns='jabber:x:data' type='submit'/>"),
        "<policy-violation "));
}

TEST_CASE_FIXTURE(Fixture, "a command of another's account is for whom it names") {
    const auto asks = [&](const std::string& from, const std::string& to) {
        arrives("<iq type='set' id='c' from='" + from + "' to='" + to +
                "'><command xmlns='http://jabber.org/protocol/commands' node='publish'/></iq>");
        settle();
        return elsewhere.sent.back();
    };
    CHECK(holds(asks("romeo@b.test/x", "juliet@a.test"), "status='executing'"));
    CHECK(holds(asks("paris@b.test/x", "juliet@a.test"), "<service-unavailable "));
    CHECK(holds(asks("romeo@b.test/x", "nobody@a.test"), "<service-unavailable "));
    // It is none of the account's own.
    CHECK(holds(step("node='publish'"), "<item-not-found "));
}

}  // namespace
}  // namespace causeway::test
