// The contract of archives, held by each backend: the same cases run on memory and on SQLite.
#include <doctest/doctest.h>

#include <limits>
#include <numeric>

#include "gateway/store/ids.h"
#include "tests/unit/store/backends.h"

namespace causeway::test {
namespace {

using Ids = std::vector<std::uint64_t>;
const std::string juliet = "juliet@capulet.lit";
const std::string romeo = "romeo@montague.lit";
const std::string nurse = "nurse@capulet.lit";

std::string text(const Result<ArchivePage>& page) {
    REQUIRE_MESSAGE(page.ok(), (page.ok() ? "" : page.error().why()));
    std::string all;
    for (const ArchiveRow& one : page->rows) all += std::to_string(one.id) + " ";
    all += page->complete ? "complete" : "up to " + std::to_string(page->reached);
    if (page->count) all += ", of " + std::to_string(*page->count);
    if (page->index) all += " from " + std::to_string(*page->index);
    return all;
}

std::string text(const ArchiveTotals& total) {
    return total.owner + " " + std::to_string(total.rows) + " rows " + std::to_string(total.bytes) +
           " bytes " + std::to_string(total.oldest) + "-" + std::to_string(total.newest);
}

std::string text(const Result<std::vector<ArchiveTotals>>& totals) {
    REQUIRE(totals.ok());
    std::string all;
    for (const ArchiveTotals& one : *totals) all += text(one) + "; ";
    return all;
}

/// Juliet's archive: ids 10 to 100; every third with the nurse, the others with Romeo, from two
/// devices of his in turn.
Batch history() {
    Batch batch;
    for (std::uint64_t id = 10; id <= 100; id += 10) {
        const bool is_nurse = id % 30 == 0;
        const std::string resource = id % 20 == 0 ? "orchard" : "balcony";
        batch.archive_append(juliet, archived(id, is_nurse ? nurse : romeo, resource).view());
        batch.archive_append(romeo, archived(id + 1, juliet).view());
    }
    return batch;
}

template <class Backend>
struct History {
    Backend backend;
    Caller caller{*backend.store};
    History() { REQUIRE(caller.commit(history()).ok()); }

    std::string page(ArchiveQuery query) {
        query.owner = juliet;
        return text(caller.archive_page(std::move(query)));
    }
    std::string total(const std::string& owner) {
        const auto answer = caller.archive_total(owner);
        REQUIRE(answer.ok());
        return text(*answer);
    }
    std::uint64_t unswept() {
        const auto rows = caller.archive_unswept();
        REQUIRE(rows.ok());
        return *rows;
    }
    Outcome trim(const std::string& owner, std::uint64_t before, std::size_t rows) {
        Batch batch;
        batch.archive_trim(owner, before, rows);
        return caller.commit(std::move(batch));
    }
    Outcome clear(const std::string& owner) {
        Batch batch;
        batch.archive_clear(owner);
        return caller.commit(std::move(batch));
    }
    Outcome sweep(std::size_t rows) {
        Batch batch;
        batch.archive_sweep(rows);
        return caller.commit(std::move(batch));
    }
};

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

TEST_CASE_TEMPLATE("archive: another body keeps the place", Backend, MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    Batch batch;
    batch.archive_replace(juliet, 20, "gone");
    batch.archive_replace(juliet, 21, "not hers");
    batch.archive_replace(juliet, 999, "nowhere");
    batch.archive_replace("tybalt@capulet.lit", 20, "nobody's");
    batch.archive_replace(juliet, UINT64_MAX, "nowhere");
    REQUIRE(archive.caller.commit(std::move(batch)).ok());
    const auto page = archive.caller.archive_page({.owner = juliet, .ids = {20}});
    REQUIRE(page.ok());
    REQUIRE(page->rows.size() == 1);
    CHECK(page->rows[0].body == "gone");
    CHECK(page->rows[0].with == romeo);
    CHECK(archive.caller.archive_page({.owner = romeo, .ids = {21}})->rows[0].body == "message 21");
    CHECK(archive.total(juliet) == juliet + " 10 rows 95 bytes 10-100");
    CHECK(archive.total("tybalt@capulet.lit") == "tybalt@capulet.lit 0 rows 0 bytes 0-0");
}

TEST_CASE_TEMPLATE("archive: one row is erased", Backend, MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    Batch batch;
    batch.archive_erase(juliet, 20);
    batch.archive_erase(juliet, 21);  // not hers
    batch.archive_erase(juliet, 999);
    batch.archive_erase("tybalt@capulet.lit", 30);
    batch.archive_erase(juliet, UINT64_MAX);
    REQUIRE(archive.caller.commit(std::move(batch)).ok());
    CHECK(archive.page({}) == "10 30 40 50 60 70 80 90 100 complete");
    CHECK(archive.total(juliet) == juliet + " 9 rows 91 bytes 10-100");
    CHECK(archive.total(romeo) == romeo + " 10 rows 101 bytes 11-101");
}

TEST_CASE_TEMPLATE("archive: the oldest are trimmed, in steps", Backend, MemoryBackend,
                   SqliteBackend) {
    History<Backend> archive;
    REQUIRE(archive.trim(juliet, 50, 3).ok());
    CHECK(archive.page({}) == "40 50 60 70 80 90 100 complete");
    REQUIRE(archive.trim(juliet, 50, 3).ok());
    REQUIRE(archive.trim(juliet, 50, 3).ok());
    REQUIRE(archive.trim(juliet, 0, 3).ok());
    REQUIRE(archive.trim(juliet, 99, 0).ok());
    REQUIRE(archive.trim("tybalt@capulet.lit", 99, 9).ok());
    CHECK(archive.page({}) == "50 60 70 80 90 100 complete");
    CHECK(archive.page({.with = nurse}) == "60 90 complete");
    CHECK(archive.total(juliet) == juliet + " 6 rows 61 bytes 50-100");
    CHECK(archive.total(romeo) == romeo + " 10 rows 101 bytes 11-101");
    // All of a conversation, and then it goes on.
    REQUIRE(archive.trim(juliet, 95, 100).ok());
    CHECK(archive.page({.with = nurse}) == "complete");
    Batch more;
    more.archive_append(juliet, archived(110, nurse).view());
    more.archive_append(juliet, archived(120, romeo).view());
    REQUIRE(archive.caller.commit(std::move(more)).ok());
    CHECK(archive.page({.with = nurse}) == "110 complete");
    CHECK(archive.page({.with = romeo}) == "100 120 complete");
    REQUIRE(archive.trim(juliet, ArchiveQuery::last, 100).ok());
    CHECK(archive.page({}) == "complete");
    CHECK(text(archive.caller.archive_totals("", 10)) == romeo + " 10 rows 101 bytes 11-101; ");
    CHECK(archive.total(juliet) == juliet + " 0 rows 0 bytes 0-0");
}

TEST_CASE_TEMPLATE("archive: a cleared archive is gone at once, and is swept in steps", Backend,
                   MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    REQUIRE(archive.clear(juliet).ok());
    CHECK(archive.page({.count_up_to = 5}) == "complete, of 0 from 0");
    CHECK(archive.page({.with = romeo}) == "complete");
    CHECK(archive.page({.ids = {20}}) == "complete");
    CHECK(archive.total(juliet) == juliet + " 0 rows 0 bytes 0-0");
    CHECK(text(archive.caller.archive_totals("", 10)) == romeo + " 10 rows 101 bytes 11-101; ");
    CHECK(archive.caller.archive_recent(0, 100)->size() == 0);
    CHECK(archive.unswept() == 10);
    // The next archive of that name has nothing of the one before.
    REQUIRE(archive.caller.commit(test::archive(juliet, archived(200, romeo))).ok());
    CHECK(archive.page({}) == "200 complete");
    CHECK(archive.page({.with = romeo}) == "200 complete");
    REQUIRE(archive.sweep(4).ok());
    CHECK(archive.unswept() == 6);
    REQUIRE(archive.clear(romeo).ok());
    CHECK(archive.unswept() == 16);
    REQUIRE(archive.sweep(0).ok());
    REQUIRE(archive.sweep(15).ok());
    CHECK(archive.unswept() == 1);
    REQUIRE(archive.sweep(15).ok());
    CHECK(archive.unswept() == 0);
    CHECK(archive.page({}) == "200 complete");
    CHECK(archive.total(juliet) == juliet + " 1 rows 11 bytes 200-200");
    REQUIRE(archive.clear("tybalt@capulet.lit").ok());
    REQUIRE(archive.sweep(15).ok());
    CHECK(archive.unswept() == 0);
}

TEST_CASE_TEMPLATE("archive: the operations of a batch apply in order", Backend, MemoryBackend,
                   SqliteBackend) {
    History<Backend> archive;
    Batch batch;
    batch.archive_append(juliet, archived(110, romeo).view());
    batch.archive_clear(juliet);
    batch.archive_append(juliet, archived(120, romeo).view());
    batch.archive_append(juliet, archived(130, nurse).view());
    batch.archive_replace(juliet, 130, "new");
    batch.archive_trim(juliet, 125, 9);
    batch.archive_sweep(3);
    REQUIRE(archive.caller.commit(std::move(batch)).ok());
    CHECK(archive.page({}) == "130 complete");
    CHECK(archive.total(juliet) == juliet + " 1 rows 3 bytes 130-130");
    CHECK(archive.unswept() == 8);
}

TEST_CASE_TEMPLATE("archive: a batch that fails changes nothing", Backend, MemoryBackend,
                   SqliteBackend) {
    History<Backend> archive;
    const std::string tybalt = "tybalt@capulet.lit";
    for (const std::string& owner : {juliet, tybalt}) {
        Batch batch;
        batch.archive_append(owner, archived(150, tybalt).view());
        batch.archive_replace(juliet, 10, "changed");
        batch.archive_trim(romeo, 95, 3);
        batch.archive_append(owner, archived(100, romeo).view());  // the id is in use
        const Outcome outcome = archive.caller.commit(std::move(batch));
        CHECK(outcome.cause() == Cause::policy);
        CHECK(!outcome.why().empty());
    }
    Batch twice;
    twice.archive_append(tybalt, archived(160, juliet).view());
    twice.archive_append(tybalt, archived(160, juliet).view());
    CHECK(archive.caller.commit(std::move(twice)).cause() == Cause::policy);
    CHECK(archive.page({}) == "10 20 30 40 50 60 70 80 90 100 complete");
    CHECK(archive.total(juliet) == juliet + " 10 rows 101 bytes 10-100");
    CHECK(archive.total(romeo) == romeo + " 10 rows 101 bytes 11-101");
    CHECK(text(archive.caller.archive_page({.owner = tybalt})) == "complete");
    // What was learned in the batch that was undone is not believed afterwards.
    REQUIRE(archive.caller.commit(test::archive(tybalt, archived(150, juliet))).ok());
    REQUIRE(archive.caller.commit(test::archive(juliet, archived(151, tybalt))).ok());
    CHECK(text(archive.caller.archive_page({.owner = tybalt, .with = juliet})) == "150 complete");
    CHECK(archive.page({.with = tybalt}) == "151 complete");
    CHECK(archive.caller.commit(test::archive(juliet, archived(0, romeo))).cause() ==
          Cause::malformed);
    CHECK(archive.caller.commit(test::archive(juliet, archived(std::uint64_t{1} << 63U, romeo)))
              .cause() == Cause::malformed);
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

TEST_CASE_TEMPLATE("archive: a log's row stands for an archived message", Backend, MemoryBackend,
                   SqliteBackend) {
    History<Backend> archive;
    Batch batch;
    batch.log_append("offline", juliet, {.id = 20, .at = 1, .expires = 500, .body = {}});
    batch.log_append("offline", juliet, {.id = 21, .at = 1, .expires = 600, .body = {}});
    batch.log_append("offline", juliet, {.id = 30, .at = 1, .expires = 700, .body = "own"});
    REQUIRE(archive.caller.commit(std::move(batch)).ok());
    const auto bodies = [&] {
        const auto rows = archive.caller.log_list("offline", juliet, 0, 10);
        REQUIRE(rows.ok());
        std::string all;
        for (const LogRow& one : *rows) all += one.body + "|";
        return all;
    };
    // 21 is Romeo's.
    CHECK(bodies() == "message 20||own|");
    const auto expired = archive.caller.log_expired("offline", 650, 10);
    REQUIRE(expired.ok());
    REQUIRE(expired->size() == 2);
    CHECK((*expired)[0].first == juliet);
    CHECK((*expired)[0].second.body == "message 20");
    CHECK((*expired)[1].second.body.empty());
    const auto totals = archive.caller.log_totals("offline", 10);
    REQUIRE(totals.ok());
    CHECK(((*totals)[0].rows == 3 && (*totals)[0].bytes == 3));
    Batch replace;
    replace.archive_replace(juliet, 20, "retracted");
    REQUIRE(archive.caller.commit(std::move(replace)).ok());
    CHECK(bodies() == "retracted||own|");
    REQUIRE(archive.clear(juliet).ok());
    CHECK(bodies() == "||own|");
}

TEST_CASE_TEMPLATE("archive: a log's row has its own body when the archive gives the message up",
                   Backend, MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    Batch batch;
    batch.log_append("offline", juliet, {.id = 20, .at = 1, .expires = 500, .body = {}});
    batch.log_append("other", juliet, {.id = 30, .at = 1, .expires = 500, .body = {}});
    batch.log_append("offline", juliet, {.id = 40, .at = 1, .expires = 500, .body = "own"});
    batch.log_append("offline", juliet, {.id = 90, .at = 1, .expires = 500, .body = {}});
    batch.log_append("offline", romeo, {.id = 20, .at = 1, .expires = 500, .body = {}});
    REQUIRE(archive.caller.commit(std::move(batch)).ok());
    REQUIRE(archive.trim(juliet, 50, 100).ok());
    CHECK(archive.page({}) == "50 60 70 80 90 100 complete");
    const auto bodies = [&](const std::string& store, const std::string& owner) {
        const auto rows = archive.caller.log_list(store, owner, 0, 10);
        REQUIRE(rows.ok());
        std::string all;
        for (const LogRow& one : *rows) all += one.body + "|";
        return all;
    };
    CHECK(bodies("offline", juliet) == "message 20|own|message 90|");
    CHECK(bodies("other", juliet) == "message 30|");
    CHECK(bodies("offline", romeo) == "|");
    const auto totals = archive.caller.log_totals("offline", 10);
    REQUIRE(totals.ok());
    CHECK((*totals)[0].bytes == 13);  // what a row holds itself
}

TEST_CASE_TEMPLATE("archive: a message that may be there already is archived once", Backend,
                   MemoryBackend, SqliteBackend) {
    History<Backend> archive;
    Batch batch;
    batch.archive_append(juliet, archived(20, nurse).view(), Batch::Attempt::again);
    batch.archive_append(juliet, archived(25, nurse).view(), Batch::Attempt::again);
    batch.archive_append(juliet, archived(25, nurse).view(), Batch::Attempt::again);
    REQUIRE(archive.caller.commit(std::move(batch)).ok());
    CHECK(archive.page({}) == "10 20 25 30 40 50 60 70 80 90 100 complete");
    CHECK(archive.page({.with = nurse}) == "25 30 60 90 complete");
    CHECK(archive.total(juliet) == juliet + " 11 rows 111 bytes 10-100");
    Batch others;
    others.archive_append(romeo, archived(20, nurse).view(), Batch::Attempt::again);
    CHECK(archive.caller.commit(std::move(others)).cause() == Cause::policy);
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
