// Durability against kill -9: a child commits numbered rows and tells each completion; whatever it
// told before it was killed must be in the file.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "gateway/store/sqlite.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

/// In the child: commits until it is killed, with `in_flight` batches at a time.
[[noreturn]] void commit_for_ever(const std::string& path, std::uint64_t first, int out) {
    constexpr std::uint64_t in_flight = 8;
    auto store = open_sqlite(path);
    if (!store.ok()) ::_exit(1);
    ManualExecutor home;
    std::uint64_t sent = first;
    std::uint64_t done = first;
    while (home.run_until([&] { return sent - done < in_flight; })) {
        const std::uint64_t id = sent++;
        Batch batch = append("q", "a", row(id));
        batch.archive_append("a", archived(id, "b").view());
        batch.map_set("s", "a", std::to_string(id), "v");
        (*store)->commit(std::move(batch), home, [&done, id, out](Outcome outcome) {
            ++done;
            if (!outcome || ::write(out, &id, sizeof id) != sizeof id) ::_exit(1);
        });
    }
    ::_exit(1);
}

/// Reads completions; kills the child after `enough` of them. Returns all that it told.
std::vector<std::uint64_t> completions_until_killed(pid_t child, int in, std::size_t enough) {
    std::vector<std::uint64_t> told;
    std::uint64_t id = 0;
    while (::read(in, &id, sizeof id) == sizeof id) {
        told.push_back(id);
        if (told.size() == enough) ::kill(child, SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    return told;
}

}  // namespace

TEST_CASE("sqlite: kill -9 loses no row whose completion ran, and leaves no half batch") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.db");
    std::vector<std::uint64_t> told;
    for (std::uint64_t round = 1; round <= 5; ++round) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(ends[0]);
            commit_for_ever(path, round * 1'000'000, ends[1]);
        }
        ::close(ends[1]);
        const auto more = completions_until_killed(child, ends[0], 50 * round);
        ::close(ends[0]);
        CHECK(more.size() >= 50 * round);
        told.insert(told.end(), more.begin(), more.end());

        auto store = open_sqlite(path);
        REQUIRE(store.ok());
        Caller caller(**store);
        const auto rows = caller.log_list("q", "a", 0, 10'000'000);
        const auto keys = caller.map_list("s", "a");
        REQUIRE((rows.ok() && keys.ok()));
        CHECK(rows->size() == keys->size());
        const auto page =
            caller.archive_page({.owner = "a", .rows = 10'000'000, .bytes = SIZE_MAX});
        REQUIRE(page.ok());
        CHECK(page->rows.size() == rows->size());
        CHECK(caller.archive_total("a")->rows == rows->size());
        CHECK(caller.archive_page({.owner = "a", .with = "b", .from_end = true})->rows.back().id ==
              rows->back().id);
        std::vector<std::uint64_t> found;
        for (const LogRow& one : *rows) found.push_back(one.id);
        CHECK(std::includes(found.begin(), found.end(), told.begin(), told.end()));
    }
}

}  // namespace causeway::test
