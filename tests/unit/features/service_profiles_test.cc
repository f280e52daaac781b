// What becomes of accounts that are not in use when their domain offers something else.
#include "gateway/features/registry.h"
#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

struct ProfilesFixture : AccountFixture {
    ProfilesFixture() : AccountFixture({all_features().begin(), all_features().end()}) {
        for (const char* bare : {"juliet@a.test", "nurse@a.test"}) {
            add_account(bare);
            Batch batch;
            batch.map_set(Roster::store_name, bare, "dave@b.test",
                          R"({"listed":true,"from":true,"version":1})");
            commit(std::move(batch));
        }
        Batch batch;
        batch.map_set(AccountAccess::store_name, "juliet@a.test", AccountAccess::published_keys[0],
                      "dnd");
        batch.map_set(AccountAccess::store_name, "juliet@a.test", AccountAccess::published_keys[1],
                      "In a meeting");
        // What nurse published is there no more.
        batch.map_set(AccountAccess::store_name, "nurse@a.test", AccountAccess::published_keys[0],
                      "");
        commit(std::move(batch));
    }
    /// Takes over the configuration with that offered.
    void offer(std::vector<std::string> services) {
        auto made = std::make_shared<Config>(*config);
        made->domains[0].of_features["domain.services"] = std::move(services);
        config = made;
        hub->adopt(config, nullptr);
        settle();
    }
};

TEST_CASE_FIXTURE(ProfilesFixture,
                  "what was published for an account that is not in use goes and comes with what "
                  "its domain offers") {
    SUBCASE("it is not loaded") {}
    SUBCASE("it is") {
        account("juliet@a.test").when_loaded([](const Outcome&) {});
        settle();
    }
    offer({"messages"});
    REQUIRE(elsewhere.sent.size() == 1);
    CHECK(elsewhere.sent[0].find("type='unavailable'") != std::string::npos);
    CHECK(elsewhere.sent[0].find("from='juliet@a.test/") != std::string::npos);
    offer({"messages"});
    CHECK(elsewhere.sent.size() == 1);
    offer({});
    REQUIRE(elsewhere.sent.size() == 2);
    CHECK(elsewhere.sent[1].find("<show>dnd</show>") != std::string::npos);
}

}  // namespace
}  // namespace causeway::test
