// The ring of events: what it keeps, in which order, and that it stays within its memory.
#include "gateway/trace/ring.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway;

namespace {

TraceEvent event(std::uint32_t number, std::string_view id = "m1", std::string_view reason = {}) {
    return {.at = 1000 + number,
            .stanza_id = number,
            .moment = Moment{number},
            .stage = TraceStage::queue,
            .verdict = TraceVerdict::kept,
            .type = StanzaType::chat,
            .from = "juliet@a.test/balcony",
            .to = "romeo@b.test",
            .id = id,
            .where = "b.test",
            .reason = reason};
}

std::uint64_t number_of(const TraceEvent& event) {
    return static_cast<std::uint64_t>(event.moment);
}

std::vector<std::uint64_t> numbers(const TraceRing& ring) {
    std::vector<std::uint64_t> found;
    ring.each([&](const TraceEvent& each) { found.push_back(number_of(each)); });
    return found;
}

}  // namespace

TEST_CASE("an event is read as it was written") {
    TraceRing ring(64 * 1024);
    CHECK(ring.size() == 0);
    ring.append(event(7, "the id", "nobody is online there"));
    REQUIRE(ring.size() == 1);
    ring.each([](const TraceEvent& read) {
        CHECK(read.at == 1007);
        CHECK(read.stanza_id == 7);
        CHECK(read.stage == TraceStage::queue);
        CHECK(read.verdict == TraceVerdict::kept);
        CHECK(read.kind == StanzaKind::message);
        CHECK(read.type == StanzaType::chat);
        CHECK(read.from == "juliet@a.test/balcony");
        CHECK(read.to == "romeo@b.test");
        CHECK(read.id == "the id");
        CHECK(read.where == "b.test");
        CHECK(read.reason == "nobody is online there");
    });
    CHECK(ring.forgotten_before() == 0);
}

TEST_CASE("the newest are kept, in their order, whatever their lengths") {
    TraceRing ring(8 * 1024);
    for (std::uint32_t i = 1; i <= 5000; ++i) {
        ring.append(event(i, std::string(i % 97, 'i'), std::string(i * 7 % 251, 'r')));
        const auto kept = numbers(ring);
        REQUIRE(kept.size() == ring.size());
        REQUIRE(kept.back() == i);
        for (std::size_t at = 1; at < kept.size(); ++at) REQUIRE(kept[at] == kept[at - 1] + 1);
        // None is forgotten before there is need: the longest takes less than 700 bytes.
        if (i > 30) REQUIRE(kept.size() >= 10);
    }
    CHECK(ring.forgotten_before() == 1000 + numbers(ring).front());
    ring.each([](const TraceEvent& read) {
        CHECK(read.id.size() == number_of(read) % 97);
        CHECK(read.reason == std::string(number_of(read) * 7 % 251, 'r'));
    });
}

TEST_CASE("a text that is too long is cut between two characters, and says so") {
    TraceRing ring(64 * 1024);
    ring.append(event(1, std::string(255, 'a'), std::string(256, 'b')));
    std::string umlauts;
    while (umlauts.size() < 1000) umlauts += "ü";
    ring.append(event(2, umlauts));
    std::vector<std::string> ids;
    ring.each([&](const TraceEvent& read) {
        ids.emplace_back(read.id);
        if (number_of(read) == 1) CHECK(read.reason == std::string(252, 'b') + "…");
    });
    CHECK(ids[0] == std::string(255, 'a'));
    CHECK(ids[1] == umlauts.substr(0, 252) + "…");
}

TEST_CASE("a ring without room for events remembers nothing") {
    for (const std::size_t bytes : {0U, 100U, 1000U}) {
        TraceRing ring(bytes);
        ring.append(event(1));
        CHECK(ring.size() == 0);
    }
}
