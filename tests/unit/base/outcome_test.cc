#include "gateway/base/outcome.h"

#include <doctest/doctest.h>

#include <memory>

namespace causeway::test {

TEST_CASE("outcome: ok by default, otherwise a cause and why") {
    CHECK(Outcome().ok());
    CHECK(Outcome().why().empty());
    const std::pair<Outcome, Cause> all[] = {
        {Outcome::absent("a"), Cause::absent},   {Outcome::retry("a"), Cause::retry},
        {Outcome::refused("a"), Cause::refused}, {Outcome::malformed("a"), Cause::malformed},
        {Outcome::policy("a"), Cause::policy},
    };
    for (const auto& [outcome, cause] : all) {
        CHECK(!outcome.ok());
        CHECK(!outcome);
        CHECK(outcome.cause() == cause);
        CHECK(outcome.why() == "a");
    }
}

TEST_CASE("outcome: names of causes are what logs and the control socket show") {
    CHECK(to_string(Cause::ok) == "ok");
    CHECK(to_string(Cause::absent) == "absent");
    CHECK(to_string(Cause::retry) == "retry");
    CHECK(to_string(Cause::refused) == "refused");
    CHECK(to_string(Cause::malformed) == "malformed");
    CHECK(to_string(Cause::policy) == "policy");
}

TEST_CASE("result: a value or the outcome that says why not, also for types that only move") {
    Result<std::unique_ptr<int>> value(std::make_unique<int>(7));
    REQUIRE(value.ok());
    CHECK(**value == 7);
    const std::unique_ptr<int> taken = std::move(*value);
    CHECK(*taken == 7);
    const Result<std::unique_ptr<int>> none(Outcome::absent("nobody"));
    CHECK(!none);
    CHECK(none.error().cause() == Cause::absent);
    CHECK(none.error().why() == "nobody");
    Result<std::string> text(std::string("abc"));
    CHECK(text->size() == 3);
    text.value() += "d";
    CHECK(*text == "abcd");
}

}  // namespace causeway::test
