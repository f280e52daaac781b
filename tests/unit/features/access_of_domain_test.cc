// What becomes of accounts that are not in use when the access rules of their domain change.
#include "gateway/features/access/operations.h"
#include "gateway/features/registry.h"
#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct DomainRulesFixture : AccountFixture {
    DomainRulesFixture() : AccountFixture({all_features().begin(), all_features().end()}) {
        add_account("juliet@a.test");
        Batch batch;
        for (const char* contact : {"romeo@b.test", "nurse@c.test"}) {
            batch.map_set(Roster::store_name, "juliet@a.test", contact,
                          R"({"listed":true,"from":true,"version":1})");
        }
        batch.map_set(AccountAccess::store_name, "juliet@a.test", AccountAccess::published_keys[0],
                      "dnd");
        commit(std::move(batch));
    }
    void add_rule(const char* subject, const char* act, const char* answer) {
        auto rule = AccessRule::parse(subject, act, answer);
        REQUIRE(rule.ok());
        access::change_domain(
            *hub, "a.test",
            [&](AccessRules& rules, std::size_t most) {
                return access::insert_rule(rules, *rule, 0, most);
            },
            "changed", [](const Outcome& outcome) { CHECK(outcome.ok()); });
        settle();
    }
    /// What was sent elsewhere since, to that address.
    std::vector<std::string> sent_to(std::string_view address) {
        std::vector<std::string> found;
        for (std::string& one : elsewhere.sent) {
            if (one.find("to='" + std::string(address)) != std::string::npos) found.push_back(one);
        }
        return found;
    }
};

TEST_CASE_FIXTURE(DomainRulesFixture,
                  "what was published for an account that is not in use is hidden and shown by the "
                  "rules of its domain") {
    add_rule("domain:c.test", "see", "nothing");
    CHECK(sent_to("romeo@b.test").empty());
    const auto hidden = sent_to("nurse@c.test");
    REQUIRE(hidden.size() == 1);
    CHECK(hidden[0].find("type='unavailable'") != std::string::npos);
    elsewhere.sent.clear();
    access::clear_domain(*hub, "a.test", [](const Outcome& outcome) { CHECK(outcome.ok()); });
    settle();
    CHECK(sent_to("romeo@b.test").empty());
    const auto shown = sent_to("nurse@c.test");
    REQUIRE(shown.size() == 1);
    CHECK(shown[0].find("<show>dnd</show>") != std::string::npos);
}

}  // namespace
}  // namespace causeway::test
