// Addresses: what is one, how it is taken apart, joined and compared.
#include "gateway/xmpp/jid.h"

#include <set>
#include <string>
#include <unordered_set>

#include "tests/unit/xmpp/jid_rows.h"

using causeway::Jid;
using namespace causeway::test;
using namespace std::string_literals;
using namespace std::string_view_literals;

TEST_CASE("the examples of RFC 7622 section 3.5 are addresses") {
    check_rows(
        {
            {"juliet@example.com", "juliet@example.com"},
            {"juliet@example.com/foo", "juliet@example.com/foo"},
            {"juliet@example.com/foo bar", "juliet@example.com/foo bar"},
            {"juliet@example.com/foo@bar", "juliet@example.com/foo@bar"},
            {"foo\\20bar@example.com", "foo\\20bar@example.com"},
            {"fussball@example.com", "fussball@example.com"},
            // The sharp s: PRECIS keeps it, stringprep folds it. One owner, so one form.
            {"fu\u00DFball@example.com", "fussball@example.com"},
            {"\u03C0@example.com", "\u03C0@example.com"},
            {"\u03A3@example.com/foo", "\u03C3@example.com/foo"},
            {"\u03C3@example.com/foo", "\u03C3@example.com/foo"},
            {"\u03C2@example.com/foo", "\u03C3@example.com/foo"},
            {"king@example.com/\u265A", "king@example.com/\u265A"},
            {"example.com", "example.com"},
            {"example.com/foobar", "example.com/foobar"},
            {"a.example.com/b@example.net", "a.example.com/b@example.net"},
        },
        Jid::parse);
}

TEST_CASE("the counter-examples of RFC 7622 section 3.5 are refused") {
    check_rows(
        {
            {"\"juliet\"@example.com", "!"},
            {"foo bar@example.com", "!"},
            {"juliet@example.com/", "!"},
            {"@example.com/", "!"},
            {"henry\u2163@example.com", "!"},  // Roman numeral four
            {"\u265A@example.com", "!"},       // chess king
            {"juliet@", "!"},
            {"/foobar", "!"},
        },
        Jid::parse);
}

TEST_CASE("an address is split at the first slash, then at the first at-sign before it") {
    check_rows(
        {
            {"", "!"},
            {"@", "!"},
            {"/", "!"},
            {"@/", "!"},
            {"a@b@c", "!"},
            {"@example.com", "!"},
            {"a@example.com/b@c/d", "a@example.com/b@c/d"},
            {"example.com/a@b", "example.com/a@b"},
            {"example.com//", "example.com//"},
            {"a@@example.com", "!"},
            {"a@/b", "!"},
            {"ROMEO@Montague.EXAMPLE/Orchard", "romeo@montague.example/Orchard"},
            {" a@example.com", "!"},
            {"a@example.com ", "!"},
            {"a@example.com/ ", "a@example.com/ "},
        },
        Jid::parse);

    const auto jid = Jid::parse("romeo@montague.example/or@ch/ard");
    REQUIRE(jid.ok());
    CHECK(jid->local() == "romeo");
    CHECK(jid->domain() == "montague.example");
    CHECK(jid->resource() == "or@ch/ard");
    CHECK(jid->bare() == "romeo@montague.example");
    CHECK(jid->full() == "romeo@montague.example/or@ch/ard");

    const auto host = Jid::parse("montague.example/x@y");
    REQUIRE(host.ok());
    CHECK_FALSE(host->has_local());
    CHECK(host->local().empty());
    CHECK(host->domain() == "montague.example");
    CHECK(host->resource() == "x@y");
    CHECK(host->bare() == "montague.example");
}

TEST_CASE("parts are joined, dropped and replaced") {
    const auto jid = Jid::make("Romeo", "Montague.example", "Orchard");
    REQUIRE(jid.ok());
    CHECK(jid->full() == "romeo@montague.example/Orchard");
    CHECK(jid->bare_jid().full() == "romeo@montague.example");
    CHECK_FALSE(jid->bare_jid().has_resource());
    CHECK(jid->domain_jid().full() == "montague.example");
    CHECK(jid->with_resource("x").full() == "romeo@montague.example/x");
    CHECK(jid->with_resource("").full() == "romeo@montague.example");
    CHECK(jid->with_resource("x").local() == "romeo");

    const Jid host = Jid::trusted("", "montague.example", "r");
    CHECK(host.full() == "montague.example/r");
    CHECK_FALSE(host.has_local());
    CHECK(host.bare_jid().full() == "montague.example");
    CHECK(host == *Jid::parse("montague.example/r"));

    CHECK(shown(Jid::make("", "montague.example")) == "montague.example");
    CHECK(shown(Jid::make("a", "")) == "!");
    CHECK(shown(Jid::make("a b", "example.com")) == "!");
    CHECK(shown(Jid::make("a", "example.com", "\t")) == "!");
    CHECK(shown(Jid::make("a", "a@b")) == "!");
}

TEST_CASE("the empty address") {
    const Jid none;
    CHECK(none.empty());
    CHECK(none.full().empty());
    CHECK(none.bare().empty());
    CHECK(none.domain().empty());
    CHECK(none.resource().empty());
    CHECK_FALSE(none.has_local());
    CHECK_FALSE(none.has_resource());
    CHECK(none == Jid{});
    CHECK(none.bare_jid() == none);
    CHECK_FALSE(Jid::parse("a.example")->empty());
}

TEST_CASE("addresses compare and hash by their normal form") {
    const Jid a = *Jid::parse("Romeo@example.com/x");
    const Jid b = *Jid::parse("romeo@EXAMPLE.com./x");
    const Jid other = *Jid::parse("romeo@example.com/X");
    CHECK(a == b);
    CHECK(a != other);
    CHECK(std::hash<Jid>{}(a) == std::hash<Jid>{}(b));
    const std::unordered_set<Jid> unordered{a, b, other};
    CHECK(unordered.size() == 2);
    const std::set<Jid> ordered{a, b, other};
    CHECK(ordered.size() == 2);
    CHECK(ordered.begin()->resource() == "X");
}

TEST_CASE("the longest address fits, and nothing longer") {
    const std::string domain = repeat("a", 60) + ".example";
    const auto jid = Jid::parse(repeat("l", 1023) + "@" + domain + "/" + repeat("r", 1023));
    REQUIRE(jid.ok());
    CHECK(jid->local().size() == 1023);
    CHECK(jid->domain() == domain);
    CHECK(jid->resource() == repeat("r", 1023));
    CHECK(shown(Jid::parse(repeat("l", 1024) + "@" + domain)) == "!");
    CHECK(shown(Jid::parse("a@" + domain + "/" + repeat("r", 1024))) == "!");
    CHECK(shown(Jid::parse(repeat("a@b/", 100000))) == "!");
}

TEST_CASE("jid: a copy shares its text") {
    const Jid jid = *Jid::parse("juliet@capulet.lit/balcony");
    const Jid copy = jid;
    CHECK(copy.full().data() == jid.full().data());
    CHECK(copy == jid);
    const Jid bare = jid.bare_jid();
    CHECK(bare.full() == "juliet@capulet.lit");
    CHECK(bare.bare_jid().full().data() == bare.full().data());
    CHECK(Jid{}.bare_jid().empty());
    CHECK(sizeof(Jid) == sizeof(void*));
}
