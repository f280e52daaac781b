// The archive's verbs, over a Server with a store in memory.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "gateway/features/archive/commands.h"
#include "gateway/features/archive/keeping.h"
#include "tests/unit/server/operations_fixture.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {
namespace {

namespace json = boost::json;

struct ArchiveCommands : OperationsFixture {
    TemporaryFolder folder;
    control::CommandTable table{control::CommandHost{*operations, &server->shared(), &loop}};

    ArchiveCommands() {
        REQUIRE(table.add(archive_commands).ok());
        clock.advance(std::chrono::hours(24 * 30));
        const std::uint64_t now = id_distance(Duration{clock.wall()});
        std::uint64_t rows_made = 0;
        Batch batch;
        for (std::uint64_t i = 1; i <= 30; ++i) {
            for (const std::string owner : {"juliet@a.test", "nurse@a.test", "romeo@b.test"}) {
                const std::uint64_t id =
                    now - id_distance(Duration{(31 - i) * 86'400'000}) + ++rows_made;
                batch.archive_append(
                    owner, {.id = id,
                            .with = i % 2 == 0 ? "peter@a.test" : "tybalt@c.test",
                            .resource = "hall",
                            .incoming = true,
                            .body = "<message to='" + owner + "' from='peter@a.test/hall'><body>" +
                                    std::to_string(i) + " &lt;&amp;</body></message>"});
            }
        }
        commit(std::move(batch));
    }

    control::Recorded run_verb(const std::string& method, const std::string& params) {
        control::Recorded recorded;
        control::run(table, method, params, recorded);
        settle();
        recorded.run_waiting();
        REQUIRE(recorded.answer);
        return recorded;
    }
    std::string refusal(const std::string& method, const std::string& params) {
        const auto recorded = run_verb(method, params);
        return recorded.answer->ok() ? "" : recorded.answer->error().why();
    }
    /// What people wrote, in the order in which it is shown.
    std::string texts(const std::string& params) {
        const auto recorded = run_verb("archive.show", params);
        REQUIRE(recorded.answer->ok());
        std::string all;
        for (const json::array& line : recorded.lines) {
            for (const json::value& row : line)
                all += std::string(row.at("text").as_string()) + "|";
        }
        return all;
    }
    std::uint64_t rows(const std::string& owner) {
        std::uint64_t count = 0;
        store.archive_total(owner, loop,
                            [&](const Result<ArchiveTotals>& total) { count = total->rows; });
        settle();
        return count;
    }
};

}  // namespace

TEST_CASE_FIXTURE(ArchiveCommands, "archive show: the newest, in their order") {
    CHECK(texts(R"({"jid":"Juliet@A.test","last":2})") == "29 <&|30 <&|");
    CHECK(texts(R"({"jid":"juliet@a.test","with":"peter@a.test","last":2})") == "28 <&|30 <&|");
    CHECK(texts(R"({"jid":"juliet@a.test","with":"PETER@A.test","last":1})") == "30 <&|");
    CHECK(texts(R"({"jid":"juliet@a.test","with":"peter@a.test/hall","last":1})") == "30 <&|");
    CHECK(texts(R"({"jid":"juliet@a.test","with":"peter@a.test/x"})").empty());
    CHECK(refusal("archive.show", R"({"jid":"juliet@a.test","with":"@@"})")
              .starts_with("\"@@\" is not an address: "));
    CHECK(texts(R"({"jid":"juliet@a.test"})").starts_with("11 <&|"));
    CHECK(texts(R"({"jid":"juliet@a.test","last":1000})").starts_with("1 <&|2 <&|"));
    CHECK(texts(R"({"jid":"juliet@a.test","last":0})").empty());
    // Of an address that was mistyped it does not say that there is nothing.
    CHECK(refusal("archive.show", R"({"jid":"nobody@a.test"})") == "no account nobody@a.test");
    CHECK_FALSE(refusal("archive.show", R"({"jid":"a.test"})").empty());
}

TEST_CASE_FIXTURE(ArchiveCommands, "archive export: one document, and no file without it") {
    const std::string file = folder.file("juliet.xml");
    const std::string params = R"({"jid":"juliet@a.test","file":")" + file + R"("})";
    const auto recorded = run_verb("archive.export", params);
    REQUIRE(recorded.answer->ok());
    CHECK(recorded.answer->value().at("messages") == 30);
    CHECK_FALSE(recorded.answer->value().as_object().contains("damaged"));
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    CHECK(text.find("<host jid='a.test'><user name='juliet'><archive") != std::string::npos);
    CHECK(text.find("<message xmlns='jabber:client' to='juliet@a.test'") != std::string::npos);
    CHECK(text.find("<body>30 &lt;&amp;</body></message></forwarded></result>\n</archive>") !=
          std::string::npos);
    CHECK(text.ends_with("</server-data>\n"));
    CHECK(refusal("archive.export", params).find("replaces nothing") != std::string::npos);
    const std::string other = folder.file("nurse.xml");
    store.fail_next_reads(1);
    CHECK_FALSE(
        refusal("archive.export", R"({"jid":"nurse@a.test","file":")" + other + R"("})").empty());
    CHECK_FALSE(std::filesystem::exists(other));
    CHECK(refusal("archive.export", R"({"jid":"nobody@a.test","file":")" + other + R"("})") ==
          "no account nobody@a.test");
    CHECK_FALSE(std::filesystem::exists(other));
    CHECK(refusal("archive.purge", R"({"jid":"nobody@a.test"})") == "no account nobody@a.test");
}

TEST_CASE_FIXTURE(ArchiveCommands, "archive export: a damaged row costs itself, not the document") {
    Batch batch;
    std::uint64_t id = id_distance(Duration{clock.wall()});
    for (const std::string body : {"<message from='a.test'><body>", "\xff\xfe", ""}) {
        batch.archive_append("juliet@a.test", {.id = ++id,
                                               .with = "peter@a.test",
                                               .resource = "hall",
                                               .incoming = true,
                                               .body = body});
    }
    commit(std::move(batch));
    const std::string file = folder.file("juliet.xml");
    const auto recorded =
        run_verb("archive.export", R"({"jid":"juliet@a.test","file":")" + file + R"("})");
    REQUIRE(recorded.answer->ok());
    CHECK(recorded.answer->value().at("messages") == 30);
    CHECK(recorded.answer->value().at("damaged") == 3);
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    CHECK(text.find("from='a.test'") == std::string::npos);
    CHECK(text.find("<forwarded xmlns='urn:xmpp:forward:0'></forwarded>") == std::string::npos);
    CHECK(text.ends_with("</archive></user></host></server-data>\n"));
}

TEST_CASE_FIXTURE(ArchiveCommands, "archive keep: shown, decided, in part, and taken back") {
    const auto answer = [this](const std::string& params) {
        const auto recorded = run_verb("archive.keep", params);
        return recorded.answer->ok() ? json::serialize(**recorded.answer)
                                     : recorded.answer->error().why();
    };
    const std::string age_of_domain = "for as long as archive.keep_days says";
    const std::string size_of_domain = "as many bytes as archive.bytes_per_account says";
    Batch account;
    account.map_set("accounts", "juliet@a.test", "credentials", "x");
    commit(std::move(account));
    CHECK(answer(R"({"jid":"juliet@a.test"})") == R"({"jid":"juliet@a.test","age":")" +
                                                      age_of_domain + R"(","size":")" +
                                                      size_of_domain + R"("})");
    CHECK(answer(R"({"jid":"juliet@a.test","days":30})") ==
          R"({"jid":"juliet@a.test","days":30,"age":"for 30 days","size":")" + size_of_domain +
              R"("})");
    const std::string both =
        R"({"jid":"juliet@a.test","days":30,"bytes":0,"age":"for 30 days","size":"of any size"})";
    CHECK(answer(R"({"jid":"juliet@a.test","bytes":0})") == both);
    CHECK(answer(R"({"jid":"juliet@a.test"})") == both);
    const std::string large = answer(R"({"jid":"juliet@a.test","bytes":5000000000})");
    CHECK(large.find(R"("bytes":5000000000,)") != std::string::npos);
    CHECK(answer(R"({"jid":"juliet@a.test"})") == large);
    CHECK(answer(R"({"jid":"juliet@a.test","default":true,"days":1})") ==
          "--default stands alone: it takes back what was decided");
    CHECK(answer(R"({"jid":"juliet@a.test","default":true})").find("days\"") == std::string::npos);
    CHECK(answer(R"({"jid":"nobody@a.test","days":1})").find("no account") != std::string::npos);
    CHECK(ArchiveKeeping::read("x 5").bytes == 5);
    CHECK_FALSE(ArchiveKeeping::read("x 5").days);
    CHECK_FALSE(ArchiveKeeping::read("5").days);
}

TEST_CASE_FIXTURE(ArchiveCommands, "archive purge: of an account, by age, of a domain") {
    auto done = run_verb("archive.purge", R"({"jid":"juliet@a.test","older-than":10})");
    REQUIRE(done.answer->ok());
    CHECK(done.answer->value().at("archives") == 1);
    CHECK(done.answer->value().at("erased") == 20);
    CHECK(rows("juliet@a.test") == 10);
    done = run_verb("archive.purge", R"({"jid":"a.test"})");
    REQUIRE(done.answer->ok());
    CHECK(done.answer->value().at("archives") == 2);
    CHECK(done.answer->value().at("erased") == 40);
    CHECK(rows("juliet@a.test") + rows("nurse@a.test") == 0);
    CHECK(rows("romeo@b.test") == 30);
    done = run_verb("archive.purge", R"({"jid":"romeo@b.test"})");
    CHECK(done.answer->value().at("erased") == 30);
    CHECK_FALSE(refusal("archive.purge", R"({"jid":"romeo@b.test/hall"})").empty());
    done = run_verb("archive.purge", R"({"jid":"a.test"})");
    REQUIRE(done.answer->ok());
    CHECK(done.answer->value().at("archives") == 0);
    CHECK(refusal("archive.purge", R"({"jid":"mistyped.test"})").starts_with("no domain "));
    store.fail_next_reads(1);
    CHECK_FALSE(refusal("archive.purge", R"({"jid":"b.test"})").empty());
}

}  // namespace causeway::test
