#include "gateway/features/conversions/bookmark_list.h"

#include <doctest/doctest.h>

namespace causeway::conversions {
namespace {

std::string list_of(const std::string& inner) {
    return "<storage xmlns='storage:bookmarks'>" + inner + "</storage>";
}

TEST_CASE("bookmarks: the address of a room is compared in its normal form") {
    CHECK(room_of("Play@MUC.test") == "play@muc.test");
    CHECK(room_of("muc.test").empty());
    CHECK(room_of("play@muc.test/nick").empty());
    CHECK(room_of("@").empty());
    CHECK(room_of("").empty());
}

TEST_CASE("bookmarks: a list and an item say the same in their own words") {
    const std::string list = list_of(
        "<conference jid='play@muc.test' name='Play' autojoin='1'><nick>JC</nick>"
        "<password>rose</password><a xmlns='urn:example'>x</a>"
        "<extensions><b xmlns='urn:example' c='d'/></extensions></conference>");
    const Bookmarks found = bookmarks_in(list);
    REQUIRE(found.size() == 1);
    const Bookmark& bookmark = found.at("play@muc.test");
    CHECK(bookmark.name == "Play");
    CHECK(bookmark.autojoin);
    CHECK(bookmark.nick == "JC");
    CHECK(bookmark.password == "rose");
    CHECK(bookmark.extensions == "<a xmlns='urn:example'>x</a><b xmlns='urn:example' c='d'/>");
    CHECK(bookmark_in(payload_of(bookmark, "")) == bookmark);
    CHECK(bookmarks_in(changed_list("", {.put = found, .removed = {}})) == found);
    CHECK_FALSE(bookmark_in("<conference xmlns='storage:bookmarks'/>").has_value());
    CHECK_FALSE(bookmark_in("nothing").has_value());
}

TEST_CASE("bookmarks: only what differs between two lists is a change") {
    const std::string before = list_of(
        "<conference jid='a@muc.test'/><conference jid='b@muc.test'/>"
        "<conference jid='c@muc.test'/>");
    const std::string after = list_of(
        "<conference jid='c@muc.test' name='C'/>"
        "<conference jid='A@muc.test' autojoin='false'/>"
        "<conference jid='d@muc.test'/>");
    const BookmarkChange change = difference(before, after);
    CHECK(change.put.size() == 2);
    CHECK(change.put.at("c@muc.test").name == "C");
    CHECK(change.put.contains("d@muc.test"));
    CHECK(change.removed == std::set<std::string, std::less<>>{"b@muc.test"});
    CHECK(difference(after, after).empty());
    CHECK(difference("", "").empty());
    CHECK(bookmarks_in(changed_list(before, change)) == bookmarks_in(after));
}

TEST_CASE("bookmarks: a list that says what it shall say stays as it is written") {
    const std::string list = list_of("<url url='x'/><conference  jid='A@muc.test' minimize='1'/>");
    BookmarkChange change;
    change.add("a@muc.test", Bookmark{});
    change.add("b@muc.test", std::nullopt);
    CHECK(changed_list(list, change) == list);
}

TEST_CASE("bookmarks: what is no part of a bookmark stays") {
    const std::string list = list_of(
        "<url url='x'/><conference jid='A@muc.test' minimize='1'><note>n</note></conference>"
        "<conference name='no room'/><conference jid='a@muc.test' name='again'/>");
    BookmarkChange change;
    change.add("a@muc.test", Bookmark{.name = "A"});
    CHECK(changed_list(list, change) ==
          list_of("<url url='x'/><conference minimize='1' jid='a@muc.test' name='A'>"
                  "<note>n</note></conference><conference name='no room'/>"));
    change.add("a@muc.test", std::nullopt);
    CHECK(changed_list(list, change) == list_of("<url url='x'/><conference name='no room'/>"));
    const std::string other = list_of("<conference jid='b@muc.test'/><url url='old'/>");
    CHECK(with_rest_change(other, other, list) ==
          list_of("<conference jid='b@muc.test'/><url url='x'/><conference name='no room'/>"));
    // What another list lost or got, and nothing else: what it never had stays.
    CHECK(with_rest_change(other, "", list_of("<url url='y'/>")) ==
          list_of("<conference jid='b@muc.test'/><url url='old'/><url url='y'/>"));
    CHECK(with_rest_change(other, list_of("<url url='z'/>"), "") == other);
    CHECK(payload_of({.name = "A"},
                     "<conference xmlns='urn:xmpp:bookmarks:1' a='b' name='old'>"
                     "<nick>old</nick><more/></conference>") ==
          "<conference xmlns='urn:xmpp:bookmarks:1' a='b' name='A'><more/></conference>");
}

}  // namespace
}  // namespace causeway::conversions
