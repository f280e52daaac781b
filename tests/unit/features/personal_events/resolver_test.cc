#include "gateway/features/personal_events/resolver.h"

#include <fmt/format.h>

#include "gateway/features/registry.h"
#include "tests/unit/session/account_fixture.h"

namespace causeway::test {
namespace {

using namespace personal_events;

class ResolverFixture : public AccountFixture {
public:
    ResolverFixture() : AccountFixture({all_features().begin(), all_features().end()}) {
        add_account("juliet@a.test");
    }

    void asks(const std::string& client, const std::string& ver) {
        CapabilitiesResolver::of(*hub).resolve({.hash = "sha-1", .node = "urn:example", .ver = ver},
                                               *Jid::parse("juliet@a.test"), *Jid::parse(client),
                                               [this](const CapabilitiesResolver::Answer& answer) {
                                                   CHECK(answer.interests == nullptr);
                                                   ++told;
                                               });
    }

    std::size_t told = 0;

private:
    Asking asking_{*hub};
};

TEST_CASE_FIXTURE(ResolverFixture, "capabilities: one domain does not take the place of others") {
    constexpr std::size_t most = CapabilitiesResolver::waiting_of_domain;
    for (std::size_t i = 0; i < most; ++i) {
        asks(fmt::format("romeo@b.test/{}", i), fmt::format("v{}", i % 10));
    }
    CHECK(told == 0);
    asks("romeo@b.test/more", "v0");
    CHECK(told == 1);
    asks("tybalt@c.test/tomb", "v0");
    CHECK(told == 1);
    // Nobody answers: all that wait are told, and others may wait.
    pass(std::chrono::minutes(3), std::chrono::seconds(1));
    CHECK(told == most + 2);
    asks("romeo@b.test/more", "w");
    CHECK(told == most + 2);
}

TEST_CASE_FIXTURE(ResolverFixture,
                  "capabilities: an account here asks for a few hashes at a time") {
    constexpr std::size_t most = CapabilitiesResolver::waiting_of_address;
    const RecordingSession juliet(*hub, "juliet@a.test/balcony");  // it does not answer
    settle();
    for (std::size_t i = 0; i < most; ++i) asks("juliet@a.test/balcony", fmt::format("v{}", i));
    CHECK(told == 0);
    asks("juliet@a.test/balcony", "more");
    CHECK(told == 1);
}

}  // namespace
}  // namespace causeway::test
