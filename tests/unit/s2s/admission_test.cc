// How many of those who have proven nothing a shard takes.
#include "s2s/admission.h"

#include <doctest/doctest.h>

#include <vector>

namespace causeway {
namespace {

// Streams are told apart by their address alone.
const IncomingStream& stream(std::size_t number) {
    static const std::vector<std::max_align_t> places(4096);
    return reinterpret_cast<const IncomingStream&>(places[number]);
}

constexpr Admission::Bounds bounds{.in_all = 5, .per_network = 3};

TEST_CASE("one network gets no more than its part, and gets it back when a stream is proven") {
    Admission admission;
    for (std::size_t i = 0; i < 3; ++i) CHECK(admission.enter(stream(i), "one", bounds));
    CHECK_FALSE(admission.enter(stream(3), "one", bounds));
    CHECK(admission.enter(stream(4), "two", bounds));
    CHECK(admission.unproven() == 4);
    admission.leave(stream(0));
    admission.leave(stream(0));
    CHECK(admission.unproven() == 3);
    CHECK(admission.enter(stream(3), "one", bounds));
    CHECK_FALSE(admission.enter(stream(5), "one", bounds));
}

TEST_CASE("all networks together get no more than the whole") {
    Admission admission;
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(admission.enter(stream(i), std::to_string(i), bounds));
    }
    CHECK_FALSE(admission.enter(stream(5), "other", bounds));
}

TEST_CASE("verifications are bounded for a stream, for a network and in all") {
    Admission admission;
    CHECK_FALSE(admission.verify("one", Admission::verifications_per_stream));
    for (std::size_t i = 0; i < Admission::verifications_per_network; ++i) {
        CHECK(admission.verify("one", 0));
    }
    CHECK_FALSE(admission.verify("one", 0));
    CHECK(admission.verify("two", 0));
    admission.verified("one");
    CHECK(admission.verify("one", 0));
    for (std::size_t i = Admission::verifications_per_network + 1;
         i < Admission::verifications_in_all; ++i) {
        CHECK(admission.verify("n" + std::to_string(i), 0));
    }
    CHECK_FALSE(admission.verify("last", 0));
}

}  // namespace
}  // namespace causeway
