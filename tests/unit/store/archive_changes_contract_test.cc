// The contract of archives, held by each backend: what batches change in them, and the rows of logs
// that stand for archived messages. The same cases run on memory and on SQLite.
#include "gateway/store/ids.h"
#include "tests/unit/store/archive_history.h"

namespace causeway::test {

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

}  // namespace causeway::test
