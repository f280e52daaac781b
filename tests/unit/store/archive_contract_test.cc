// The contract of archives, held by each backend: what is read from them. The same cases run on
// memory and on SQLite.
#include <limits>
#include <numeric>

#include "tests/unit/store/archive_history.h"

namespace causeway::test {
namespace {

using Ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE_TEMPLATE("archive: a message is given back as it was archived", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    ArchiveRow row{.id = 7, .with = romeo, .resource = "orch\xc3\xa4rd", .incoming = true};
    for (int i = 0; i < 256; ++i) row.body += static_cast<char>(i);
    Batch batch = archive(juliet, row);
    batch.archive_append(juliet, {.id = 8, .with = nurse});
    REQUIRE(caller.commit(std::move(batch)).ok());
    const auto page = caller.archive_page({.owner = juliet});
    REQUIRE(page.ok());
    REQUIRE(page->rows.size() == 2);
    const ArchiveRow& first = page->rows[0];
    CHECK((first.id == 7 && first.with == romeo && first.resource == row.resource));
    CHECK((first.incoming && first.body == row.body));
    const ArchiveRow& second = page->rows[1];
    CHECK((second.with == nurse && second.resource.empty() && second.body.empty()));
    CHECK_FALSE(second.incoming);
    CHECK(text(caller.archive_page({.owner = nurse, .count_up_to = 9})) == "complete, of 0 from 0");
}

TEST_CASE_TEMPLATE("archive: pages go forward from an id and backward from the end", Backend,
                   MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    CHECK(archive.page({}) == "10 20 30 40 50 60 70 80 90 100 complete");
    CHECK(archive.page({.rows = 3}) == "10 20 30 up to 30");
    CHECK(archive.page({.after = 30, .rows = 3}) == "40 50 60 up to 60");
    CHECK(archive.page({.after = 70, .rows = 3}) == "80 90 100 complete");
    CHECK(archive.page({.after = 100, .rows = 3}) == "complete");
    CHECK(archive.page({.after = 35, .rows = 1}) == "40 up to 40");
    CHECK(archive.page({.from_end = true, .rows = 3}) == "80 90 100 up to 80");
    CHECK(archive.page({.from_end = true, .before = 80, .rows = 3}) == "50 60 70 up to 50");
    CHECK(archive.page({.from_end = true, .before = 40, .rows = 3}) == "10 20 30 complete");
    CHECK(archive.page({.from_end = true, .after = 20, .before = 50}) == "30 40 complete");
    CHECK(archive.page({.before = 30}) == "10 20 complete");
    CHECK(archive.page({.after = 50, .before = 40}) == "complete");
    CHECK(archive.page({.after = UINT64_MAX}) == "complete");
    CHECK(archive.page({.before = 0}) == "complete");
}

TEST_CASE_TEMPLATE("archive: filters hold together", Backend, MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    CHECK(archive.page({.above = 20, .below = 70}) == "30 40 50 60 complete");
    CHECK(archive.page({.above = 20, .below = 70, .from_end = true, .rows = 2}) ==
          "50 60 up to 50");
    CHECK(archive.page({.with = nurse}) == "30 60 90 complete");
    CHECK(archive.page({.with = romeo, .rows = 2}) == "10 20 up to 20");
    CHECK(archive.page({.with = romeo, .from_end = true, .rows = 2}) == "80 100 up to 80");
    CHECK(archive.page({.above = 10, .with = romeo, .from_end = true, .before = 70}) ==
          "20 40 50 complete");
    CHECK(archive.page({.with = "tybalt@capulet.lit", .count_up_to = 5}) ==
          "complete, of 0 from 0");
    CHECK(archive.page({.with = romeo, .resource = "orchard"}) == "20 40 80 100 complete");
    CHECK(archive.page({.with = romeo, .resource = "orchard", .rows = 2}) == "20 40 up to 70");
    CHECK(archive.page({.with = romeo, .resource = "orchard", .from_end = true, .rows = 2}) ==
          "80 100 up to 50");
    CHECK(archive.page({.with = romeo, .resource = ""}) == "complete");
    CHECK(archive.page({.with = juliet}) == "complete");
}

TEST_CASE_TEMPLATE("archive: only what came in", Backend, MemoryBackend, SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    Batch batch;
    for (std::uint64_t id = 1; id <= 9; ++id) {
        ArchiveRow row = archived(id, romeo);
        row.incoming = id % 3 == 0;
        batch.archive_append(juliet, row.view());
    }
    REQUIRE(caller.commit(std::move(batch)).ok());
    const auto page = [&](ArchiveQuery query) {
        query.owner = juliet;
        query.incoming = true;
        return text(caller.archive_page(query));
    };
    CHECK(page({}) == "3 6 9 complete");
    CHECK(page({.rows = 2, .count_up_to = 10}) == "3 6 up to 8");
    CHECK(page({.with = romeo, .from_end = true, .before = 9, .rows = 1}) == "6 up to 4");
    CHECK(page({.ids = {2, 3, 4}}) == "3 complete");
}

TEST_CASE_TEMPLATE("archive: only these ids", Backend, MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    CHECK(archive.page({.ids = {50, 11, 20, 50, 999}}) == "20 50 complete");
    CHECK(archive.page({.with = nurse, .ids = {50, 60, 30}}) == "30 60 complete");
    CHECK(archive.page({.with = romeo, .resource = "orchard", .ids = {10, 20}}) == "20 complete");
    CHECK(archive.page({.above = 20, .ids = {50, 20}}) == "50 complete");
    CHECK(archive.page({.ids = {70, 50, 20}, .rows = 2}) == "20 50 up to 50");
    CHECK(archive.page({.ids = {70, 50, 20}, .from_end = true, .rows = 2}) == "50 70 up to 50");
    CHECK(archive.page({.ids = {70, 50, 20}, .after = 50, .count_up_to = 99}) == "70 complete");
    CHECK(archive.page({.ids = {0, UINT64_MAX}}) == "complete");
}

TEST_CASE_TEMPLATE("archive: a page ends with its bytes, and has one row however large", Backend,
                   MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    // "message 10" has 10 bytes.
    CHECK(archive.page({.bytes = 30}) == "10 20 30 up to 30");
    CHECK(archive.page({.bytes = 29}) == "10 20 up to 20");
    CHECK(archive.page({.bytes = 1}) == "10 up to 10");
    CHECK(archive.page({.from_end = true, .bytes = 25}) == "90 100 up to 90");
    CHECK(archive.page({.after = 90, .bytes = 1}) == "100 complete");
}

TEST_CASE_TEMPLATE("archive: all that match are counted, and what stands before the page", Backend,
                   MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    CHECK(archive.page({.after = 30, .rows = 2, .count_up_to = 10}) ==
          "40 50 up to 50, of 10 from 3");
    CHECK(archive.page({.after = 30, .rows = 2, .count_up_to = 9}) == "40 50 up to 50");
    CHECK(archive.page({.after = 30, .rows = 2}) == "40 50 up to 50");
    CHECK(archive.page({.from_end = true, .before = 80, .rows = 2, .count_up_to = 10}) ==
          "60 70 up to 60, of 10 from 5");
    CHECK(archive.page({.above = 20, .below = 90, .after = 40, .rows = 1, .count_up_to = 50}) ==
          "50 up to 50, of 6 from 2");
    CHECK(archive.page({.above = 15, .with = romeo, .after = 20, .rows = 1, .count_up_to = 50}) ==
          "40 up to 40, of 6 from 1");
    CHECK(archive.page({.rows = 0, .count_up_to = 10}) == "up to 0, of 10 from 0");
    CHECK(archive.page({.from_end = true, .before = 40, .rows = 0, .count_up_to = 10}) ==
          "up to 40, of 10 from 3");
    CHECK(archive.page({.after = 100, .count_up_to = 10}) == "complete, of 10 from 10");
    CHECK(archive.page({.below = 10, .count_up_to = 10}) == "complete, of 0 from 0");
    CHECK(archive.page({.count_up_to = std::numeric_limits<std::size_t>::max()}) ==
          "10 20 30 40 50 60 70 80 90 100 complete, of 10 from 0");
}

TEST_CASE_TEMPLATE("archive: who looks for a needle pages through the hay", Backend, MemoryBackend,
                   SqliteBackend) {
    Backend backend;
    Caller caller(*backend.store);
    constexpr std::uint64_t rows = 2 * ArchiveQuery::looked_at + 10;
    Batch batch;
    for (std::uint64_t id = 1; id <= rows; ++id) {
        batch.archive_append(juliet,
                             archived(id, romeo, id == rows - 5 ? "orchard" : "balcony").view());
    }
    REQUIRE(caller.commit(std::move(batch)).ok());
    const ArchiveQuery needle{.owner = juliet, .with = romeo, .resource = "orchard"};
    ArchiveQuery query = needle;
    CHECK(text(caller.archive_page(query)) == "up to 5000");
    query.after = 5000;
    CHECK(text(caller.archive_page(query)) == "up to 10000");
    query.after = 10000;
    CHECK(text(caller.archive_page(query)) == "10005 complete");
    query = needle;
    query.from_end = true;
    CHECK(text(caller.archive_page(query)) == "10005 up to 5011");
    query = {.owner = juliet, .ids = Ids(rows)};
    std::iota(query.ids.begin(), query.ids.end(), rows - 2);
    CHECK(text(caller.archive_page(query)) == "10008 10009 10010 up to 15007");
    query.after = 15007;
    CHECK(text(caller.archive_page(query)) == "up to 20007");
}

TEST_CASE_TEMPLATE("archive: totals by owner, page by page", Backend, MemoryBackend,
                   SqliteBackend) {
    History<Backend> archive;
    REQUIRE(archive.caller.commit(test::archive("\xc3\xa9@a", archived(300, romeo))).ok());
    const std::string all = juliet + " 10 rows 101 bytes 10-100; " + romeo +
                            " 10 rows 101 bytes 11-101; \xc3\xa9@a 1 rows 11 bytes 300-300; ";
    CHECK(text(archive.caller.archive_totals("", 10)) == all);
    CHECK(text(archive.caller.archive_totals("", 1)) == juliet + " 10 rows 101 bytes 10-100; ");
    CHECK(text(archive.caller.archive_totals(juliet, 1)) == romeo + " 10 rows 101 bytes 11-101; ");
    CHECK(text(archive.caller.archive_totals("\xc3\xa9@a", 10)).empty());
    CHECK(text(archive.caller.archive_totals("", 0)).empty());
}

TEST_CASE_TEMPLATE("archive: what came for anybody since an id", Backend, MemoryBackend,
                   SqliteBackend) {
    History<Backend> archive;
    REQUIRE(archive.caller.commit(test::archive(romeo, archived(86, nurse, "hall"))).ok());
    const auto recent = archive.caller.archive_recent(70, 3);
    REQUIRE(recent.ok());
    REQUIRE(recent->size() == 3);
    const auto& [owner, row] = (*recent)[1];
    CHECK((owner == romeo && row.id == 86 && row.with == nurse && row.resource == "hall"));
    CHECK((row.incoming && row.body.empty()));
    CHECK((*recent)[0].second.id == 80);
    CHECK((*recent)[2].second.id == 90);
    CHECK(archive.caller.archive_recent(100, 3)->empty());
    CHECK(archive.caller.archive_recent(UINT64_MAX, 3)->empty());
}

TEST_CASE_TEMPLATE("archive: nothing is answered once the store has stopped", Backend,
                   MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    archive.backend.store->stop();
    CHECK(archive.caller.archive_page({.owner = juliet}).error().cause() == Cause::retry);
    CHECK(archive.caller.archive_totals("", 1).error().cause() == Cause::retry);
    CHECK(archive.caller.archive_unswept().error().cause() == Cause::retry);
    CHECK(archive.caller.archive_total(juliet).error().cause() == Cause::retry);
    CHECK(archive.caller.archive_recent(0, 1).error().cause() == Cause::retry);
    CHECK(archive.caller.commit(history()).cause() == Cause::retry);
}

}  // namespace causeway::test
