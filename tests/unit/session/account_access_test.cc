// What access rules make of as many requests as no scene sends.
#include <fmt/format.h>

#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

TEST_CASE_FIXTURE(AccountFixture,
                  "only so many are told politely that they are subscribed; others, that they are "
                  "not") {
    add_account("romeo@a.test");
    AccessRules rules;
    rules.insert(*AccessRule::parse("anyone", "subscribe", "polite"), 1);
    RecordingSession romeo(*hub, "romeo@a.test/orchard");  // it keeps the account in memory
    settle();
    account("romeo@a.test")
        .access()
        .load({{.owner = "romeo@a.test",
                .key = std::string(DomainAccess::rules_key),
                .value = rules.serialise()}});
    const auto asks = [&](int number) {
        elsewhere.sent.clear();
        arrives(fmt::format("<presence type='subscribe' to='romeo@a.test' from='u{}@b.test'/>",
                            number));
        settle();
        std::string all;
        for (const std::string& bytes : elsewhere.sent) all += bytes;
        return all;
    };
    constexpr int most = 1000;
    for (int i = 1; i < most; ++i) asks(i);
    CHECK(asks(most).find("type='subscribed'") != std::string::npos);
    const std::string refused = asks(most + 1);
    CHECK(refused.find("type='unsubscribed'") != std::string::npos);
    CHECK(refused.find("type='subscribed'") == std::string::npos);
    CHECK(asks(1).find("type='subscribed'") != std::string::npos);
    // Who takes leave makes room for another.
    arrives("<presence type='unsubscribe' to='romeo@a.test' from='u1@b.test'/>");
    settle();
    CHECK(asks(most + 1).find("type='subscribed'") != std::string::npos);
    CHECK(asks(1).find("type='unsubscribed'") != std::string::npos);
    CHECK(account("romeo@a.test").roster().items().items().empty());
}

}  // namespace
}  // namespace causeway::test
