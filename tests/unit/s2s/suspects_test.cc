// Which message it is that makes a peer end the stream.
#include "s2s/suspects.h"

#include <doctest/doctest.h>

namespace causeway {
namespace {

TEST_CASE("after an error what was under way is sent one at a time, until it has arrived") {
    Suspects suspects;
    CHECK_FALSE(suspects.resend_one_at_a_time());
    CHECK_FALSE(suspects.broke(3));
    CHECK(suspects.resend_one_at_a_time());
    suspects.sent(1);
    suspects.confirmed(1);
    suspects.confirmed(1);
    CHECK(suspects.resend_one_at_a_time());
    suspects.confirmed(5);
    CHECK_FALSE(suspects.resend_one_at_a_time());
}

TEST_CASE("the message with which the stream ends three times is found") {
    Suspects suspects;
    CHECK_FALSE(suspects.broke(2));
    for (unsigned i = 1; i < Suspects::most_breaks; ++i) {
        suspects.sent(7);
        CHECK_FALSE(suspects.broke(1));
    }
    suspects.sent(7);
    CHECK(suspects.broke(1));
}

TEST_CASE("another message begins a count of its own") {
    Suspects suspects;
    CHECK_FALSE(suspects.broke(2));
    suspects.sent(7);
    CHECK_FALSE(suspects.broke(1));
    suspects.sent(7);
    CHECK_FALSE(suspects.broke(1));
    suspects.confirmed(1);
    suspects.sent(8);
    CHECK_FALSE(suspects.broke(1));
    suspects.sent(8);
    CHECK_FALSE(suspects.broke(1));
    suspects.sent(8);
    CHECK(suspects.broke(1));
}

}  // namespace
}  // namespace causeway
