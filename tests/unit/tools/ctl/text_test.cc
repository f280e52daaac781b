#include "tools/ctl/text.h"

#include <doctest/doctest.h>

#include <cstdint>

using namespace causeway::ctl;

TEST_CASE("an age has the two units that matter") {
    CHECK(age(0) == "0 s");
    CHECK(age(-5'000) == "0 s");
    CHECK(age(999) == "0 s");
    CHECK(age(59'999) == "59 s");
    CHECK(age(60'000) == "1 min");
    CHECK(age(3'599'000) == "59 min");
    CHECK(age(3'600'000) == "1 h");
    CHECK(age(3'660'000) == "1 h 1 min");
    CHECK(age(86'400'000) == "1 d");
    CHECK(age(90'060'000) == "1 d 1 h");
    CHECK(age(std::int64_t{400} * 86'400'000) == "400 d");
}

TEST_CASE("a size has three digits at most") {
    CHECK(size(0) == "0 B");
    CHECK(size(999) == "999 B");
    CHECK(size(1'000) == "1.0 kB");
    CHECK(size(9'949) == "9.9 kB");
    CHECK(size(9'950) == "10 kB");
    CHECK(size(999'499) == "999 kB");
    CHECK(size(999'500) == "1.0 MB");
    CHECK(size(23'456'789) == "23 MB");
    CHECK(size(UINT64_MAX) == "18 EB");
}

TEST_CASE("long numbers are grouped, and dates are in UTC") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1'000) == "1,000");
    CHECK(grouped(1'234'567) == "1,234,567");
    CHECK(date(1'769'860'800'000) == "2026-01-31 12:00 UTC");
}

TEST_CASE("nothing that moves a cursor or turns a line is printed") {
    CHECK(harmless("plain \xC3\xA9 \xE6\xBC\xA2") == "plain \xC3\xA9 \xE6\xBC\xA2");
    CHECK(harmless("a\x1b[31mb\nc\rd\te\x7f") == "a?[31mb?c?d?e?");
    CHECK(harmless("\xC2\x9B"
                   "31m") == "?31m");
    CHECK(harmless("a\xE2\x80\xAE"
                   "b\xE2\x80\xA8"
                   "c\xE2\x81\xA6") == "a?b?c?");
    CHECK(harmless("\xff\xC3") == "??");
}

TEST_CASE("columns are those of the terminal") {
    CHECK(columns("abc") == 3);
    CHECK(columns("\xC3\xA9") == 1);
    CHECK(columns("e\xCC\x81") == 1);
    CHECK(columns("\xE6\xBC\xA2\xE5\xAD\x97") == 4);
}

TEST_CASE("a table is as wide as its cells, numbers at the right") {
    Table table({{"NAME"}, {"COUNT", true}, {"LAST"}});
    CHECK(table.empty());
    table.add({"\xE6\xBC\xA2", "7", ""});
    table.add({"longer name", "1,234", "x\ny"});
    CHECK(table.render() ==
          "NAME         COUNT  LAST\n"
          "\xE6\xBC\xA2               7\n"
          "longer name  1,234  x?y\n");
}

TEST_CASE("a sheet has its values under each other") {
    Sheet sheet;
    sheet.add("domain", "b.test");
    sheet.add("q", "1\x1b");
    sheet.add("", "more");
    CHECK(sheet.render() ==
          "domain:  b.test\n"
          "q:       1?\n"
          "         more\n");
}
