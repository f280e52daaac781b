#include "gateway/session/seen_messages.h"

#include <doctest/doctest.h>

#include <set>

namespace causeway::test {
namespace {

std::uint64_t key(std::string_view sender, std::string_view recipient, std::string_view id,
                  std::string_view content) {
    return SeenMessages::key("secret", {sender, recipient, id, content});
}

}  // namespace

TEST_CASE("seen messages: two copies have one key, and each part makes another message") {
    CHECK(key("a@b.test/x", "r@a.test", "1", "<body>x</body>") ==
          key("a@b.test/x", "r@a.test", "1", "<body>x</body>"));
    const std::set<std::uint64_t> keys{
        key("a@b.test/x", "r@a.test", "1", "<body>x</body>"),
        key("a@b.test/y", "r@a.test", "1", "<body>x</body>"),
        key("a@b.test/x", "s@a.test", "1", "<body>x</body>"),
        key("a@b.test/x", "r@a.test", "2", "<body>x</body>"),
        key("a@b.test/x", "r@a.test", "1", "<body>y</body>"),
        // The parts are apart: what ends one cannot begin the next.
        key("a@b.test/", "xr@a.test", "1", "<body>x</body>"),
        key("a@b.test/x", "r@a.test1", "", "<body>x</body>"),
        key("a@b.test/x", "r@a.test", "", "1<body>x</body>"),
        SeenMessages::key("another", {"a@b.test/x", "r@a.test", "1", "<body>x</body>"}),
    };
    CHECK(keys.size() == 9);
    CHECK_FALSE(keys.contains(0));
}

TEST_CASE("seen messages: the latest are remembered, each with what holds it") {
    SeenMessages seen;
    CHECK_FALSE(seen.find(1));
    seen.note(0, 5);  // a message that no server names
    CHECK_FALSE(seen.find(0));
    for (std::uint64_t i = 1; i <= SeenMessages::capacity; ++i) seen.note(i, i + 100);
    CHECK(seen.find(1) == 101U);
    seen.note(2, 7);  // the same once more: no other is forgotten
    CHECK(seen.find(1) == 101U);
    CHECK(seen.find(2) == 7U);
    seen.note(SeenMessages::capacity + 1, 8);
    CHECK_FALSE(seen.find(1));
    CHECK(seen.find(2) == 7U);
    CHECK(seen.find(SeenMessages::capacity + 1) == 8U);
}

}  // namespace causeway::test
