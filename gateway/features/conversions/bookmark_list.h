// Bookmarks of chat rooms in their two forms: an item for each room (XEP-0402), whose id is the
// address of the room, and one list of all (XEP-0048). What one form does not know of the other is
// kept where it is.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace causeway::conversions {

/// What both forms say of a room.
struct Bookmark {
    std::string name = {};
    bool autojoin = false;
    std::string nick = {}, password = {};
    std::string extensions = {};  ///< XML of other clients' elements, each with its namespace

    bool operator==(const Bookmark&) const = default;
};

/// By the address of the room, in its normal form.
using Bookmarks = std::map<std::string, Bookmark, std::less<>>;

/// The normal form of a room's address; empty: it is none.
std::string room_of(std::string_view address);

/// Whether it is a list of bookmarks, perhaps one without any; an empty text is none.
bool is_list(const std::string& xml);
/// The bookmarks in a list, which may be empty. A conference without an address, or with one that
/// is none, is passed over; of several with the same the first counts.
Bookmarks bookmarks_in(const std::string& list);
/// The bookmark in the payload of an item; nullopt: it is none.
std::optional<Bookmark> bookmark_in(const std::string& payload);

/// What is to be changed.
struct BookmarkChange {
    Bookmarks put;
    std::set<std::string, std::less<>> removed;

    /// What comes later counts.
    void add(const std::string& room, const std::optional<Bookmark>& bookmark);
    void add(const BookmarkChange& later);
    /// What it does not know yet.
    void add_missing(const Bookmarks& bookmarks);
    /// What that other change is about stays as it makes it.
    void leave_out(const BookmarkChange& other);
    [[nodiscard]] bool empty() const { return put.empty() && removed.empty(); }
};

/// What a client changed that replaced one list by another.
BookmarkChange difference(const std::string& before, const std::string& after);

/// The list with the change; the same text, if that makes no difference. `list` may be empty.
/// Elements that are no bookmark stay, and what a conference holds that a Bookmark does not.
std::string changed_list(const std::string& list, const BookmarkChange& change);
/// The list with what is no bookmark of a room changed as it was in another list. All may be empty.
std::string with_rest_change(const std::string& list, const std::string& before,
                             const std::string& after);

/// The payload of an item. What `known`, the payload of the item that is there, holds beside a
/// bookmark, stays; it may be empty.
std::string payload_of(const Bookmark& bookmark, const std::string& known);

}  // namespace causeway::conversions
