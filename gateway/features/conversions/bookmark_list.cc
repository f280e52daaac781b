#include "gateway/features/conversions/bookmark_list.h"

#include <algorithm>
#include <array>
#include <vector>

#include "gateway/features/conversions/passes.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/element.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"
#include "gateway/xmpp/jid.h"

namespace causeway::conversions {
namespace {

constexpr std::string_view conference = "conference";
constexpr std::string_view storage = "storage";
/// Elements of a conference that a Bookmark has.
constexpr std::array<std::string_view, 3> known_elements{"nick", "password", "extensions"};

bool is_known(const Element& child, std::string_view ns) {
    if (child.ns != ns) return true;  // another client's, which stands in `extensions`
    for (const std::string_view name : known_elements) {
        if (child.name == name) return true;
    }
    return false;
}

std::string text_in(const Element& element, std::string_view ns, std::string_view name,
                    Arena& arena) {
    const Element* child = element.child(ns, name);
    return child == nullptr ? std::string{} : std::string(child->text(arena));
}

/// `ns`: the namespace of the form, and of what the form itself has in `<extensions/>`.
void append_extensions(std::string& out, const Element& around, std::string_view ns) {
    for (const Element* child = around.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child->ns != ns && !child->ns.empty()) append_element(out, *child, {});
    }
}

Bookmark read_conference(const Element& element, Arena& arena) {
    const std::string_view ns = element.ns;
    Bookmark bookmark;
    bookmark.name = std::string(element.attribute("name"));
    const std::string_view autojoin = element.attribute("autojoin");
    bookmark.autojoin = autojoin == "true" || autojoin == "1";
    bookmark.nick = text_in(element, ns, "nick", arena);
    bookmark.password = text_in(element, ns, "password", arena);
    // Old clients put their own elements into the conference itself.
    append_extensions(bookmark.extensions, element, ns);
    if (const Element* extensions = element.child(ns, "extensions")) {
        append_extensions(bookmark.extensions, *extensions, ns);
    }
    return bookmark;
}

/// Writes a conference in that namespace. `known`, the one that is there, may be nullptr.
void write_conference(XmlBuilder& xml, std::string_view ns, std::string_view room,
                      const Bookmark& bookmark, const Element* known) {
    // In a list the namespace is that of the list.
    xml.open(conference, ns == ns::bookmark_list ? std::string_view{} : ns);
    for (const Attribute* one = known == nullptr ? nullptr : known->first_attribute; one != nullptr;
         one = one->next) {
        const bool ours = one->name == "jid" || one->name == "name" || one->name == "autojoin";
        if (one->ns.empty() && !ours) xml.attribute(one->name, one->value);
    }
    xml.attribute_if("jid", room).attribute_if("name", bookmark.name);
    if (bookmark.autojoin) xml.attribute("autojoin", "true");
    if (!bookmark.nick.empty()) xml.element("nick", bookmark.nick);
    if (!bookmark.password.empty()) xml.element("password", bookmark.password);
    if (!bookmark.extensions.empty()) {
        xml.open("extensions").raw(bookmark.extensions).close();
    }
    for (const Element* child = known == nullptr ? nullptr : known->first_element();
         child != nullptr; child = child->next_element()) {
        if (is_known(*child, ns)) continue;
        std::string kept;
        append_element(kept, *child, ns);
        xml.raw(kept);
    }
    xml.close();
}

/// The room of a conference in a list; empty: it is no bookmark.
std::string room_in(const Element& child) {
    if (!child.is(ns::bookmark_list, conference)) return {};
    return conversions::room_of(child.attribute("jid"));
}

std::string text_of(const Element& child) {
    std::string text;
    append_element(text, child, ns::bookmark_list);
    return text;
}

void keep(XmlBuilder& xml, const Element& child) { xml.raw(text_of(child)); }

/// What is no bookmark of a room in a list, which may be empty.
std::vector<std::string> rest_of(const std::string& list) {
    std::vector<std::string> rest;
    if (list.empty()) return rest;
    look_at(list, [&](const Element& element, Arena&) {
        for (const Element* child = element.first_element(); child != nullptr;
             child = child->next_element()) {
            if (room_in(*child).empty()) rest.push_back(text_of(*child));
        }
    });
    return rest;
}

std::vector<std::string> without(std::vector<std::string> all,
                                 const std::vector<std::string>& others) {
    const std::set<std::string_view> known(others.begin(), others.end());
    std::erase_if(all, [&](const std::string& one) { return known.contains(one); });
    return all;
}

/// Rewrites a list child by child: `write` is called with each and its room.
template <class Write>
std::string rewritten(const std::string& list, Write write, const auto& finish) {
    XmlBuilder xml;
    xml.open(storage, ns::bookmark_list);
    if (!list.empty()) {
        look_at(list, [&](const Element& element, Arena& arena) {
            for (const Element* child = element.first_element(); child != nullptr;
                 child = child->next_element()) {
                write(xml, *child, room_in(*child), arena);
            }
        });
    }
    finish(xml);
    return xml.take();
}

}  // namespace

std::string room_of(std::string_view address) {
    const Result<Jid> jid = Jid::parse(address);
    return jid && jid->has_local() && !jid->has_resource() ? std::string(jid->bare())
                                                           : std::string{};
}

bool is_list(const std::string& xml) {
    bool found = false;
    if (xml.empty()) return found;
    look_at(xml, [&](const Element& element, Arena&) {
        found = element.is(ns::bookmark_list, storage);
    });
    return found;
}

Bookmarks bookmarks_in(const std::string& list) {
    Bookmarks found;
    if (list.empty()) return found;
    look_at(list, [&](const Element& element, Arena& arena) {
        for (const Element* child = element.first_element(); child != nullptr;
             child = child->next_element()) {
            std::string room = room_in(*child);
            if (!room.empty()) found.emplace(std::move(room), read_conference(*child, arena));
        }
    });
    return found;
}

std::optional<Bookmark> bookmark_in(const std::string& payload) {
    std::optional<Bookmark> found;
    look_at(payload, [&](const Element& element, Arena& arena) {
        if (element.is(ns::bookmarks, conference)) found = read_conference(element, arena);
    });
    return found;
}

void BookmarkChange::add(const std::string& room, const std::optional<Bookmark>& bookmark) {
    if (bookmark) {
        removed.erase(room);
        put.insert_or_assign(room, *bookmark);
    } else {
        put.erase(room);
        removed.insert(room);
    }
}

void BookmarkChange::add(const BookmarkChange& later) {
    for (const auto& [room, bookmark] : later.put) add(room, bookmark);
    for (const std::string& room : later.removed) add(room, std::nullopt);
}

void BookmarkChange::add_missing(const Bookmarks& bookmarks) {
    for (const auto& [room, bookmark] : bookmarks) {
        if (!removed.contains(room)) put.emplace(room, bookmark);
    }
}

void BookmarkChange::leave_out(const BookmarkChange& other) {
    const auto is_of_other = [&](const std::string& room) {
        return other.put.contains(room) || other.removed.contains(room);
    };
    std::erase_if(put, [&](const auto& entry) { return is_of_other(entry.first); });
    std::erase_if(removed, is_of_other);
}

BookmarkChange difference(const std::string& before, const std::string& after) {
    const Bookmarks old_ones = bookmarks_in(before);
    const Bookmarks new_ones = bookmarks_in(after);
    BookmarkChange change;
    for (const auto& [room, bookmark] : new_ones) {
        const auto known = old_ones.find(room);
        if (known == old_ones.end() || known->second != bookmark) change.add(room, bookmark);
    }
    for (const auto& [room, bookmark] : old_ones) {
        if (!new_ones.contains(room)) change.add(room, std::nullopt);
    }
    return change;
}

std::string changed_list(const std::string& list, const BookmarkChange& change) {
    const Bookmarks there = bookmarks_in(list);
    bool same = true;
    for (const auto& [room, bookmark] : change.put) {
        const auto known = there.find(room);
        same = same && known != there.end() && known->second == bookmark;
    }
    for (const std::string& room : change.removed) same = same && !there.contains(room);
    if (same) return list;

    Bookmarks missing = change.put;
    const auto write = [&](XmlBuilder& xml, const Element& child, const std::string& room,
                           Arena& arena) {
        if (change.removed.contains(room)) return;
        const auto wanted = change.put.find(room);
        if (wanted == change.put.end()) {
            keep(xml, child);
        } else if (missing.erase(room) > 0) {
            if (read_conference(child, arena) == wanted->second) {
                keep(xml, child);
            } else {
                write_conference(xml, ns::bookmark_list, room, wanted->second, &child);
            }
        }
    };
    return rewritten(list, write, [&](XmlBuilder& xml) {
        for (const auto& [room, bookmark] : missing) {
            write_conference(xml, ns::bookmark_list, room, bookmark, nullptr);
        }
    });
}

std::string with_rest_change(const std::string& list, const std::string& before,
                             const std::string& after) {
    const std::vector<std::string> known = rest_of(list);
    const std::vector<std::string> gone = without(rest_of(before), rest_of(after));
    const std::vector<std::string> added = without(without(rest_of(after), rest_of(before)), known);
    if (added.empty() && without(known, gone).size() == known.size()) return list;
    const std::set<std::string_view> going(gone.begin(), gone.end());
    const auto write = [&](XmlBuilder& xml, const Element& child, const std::string& room, Arena&) {
        const bool goes = room.empty() && going.contains(text_of(child));
        if (!goes) keep(xml, child);
    };
    return rewritten(list, write, [&](XmlBuilder& xml) {
        for (const std::string& one : added) xml.raw(one);
    });
}

std::string payload_of(const Bookmark& bookmark, const std::string& known) {
    XmlBuilder xml;
    bool written = false;
    if (!known.empty()) {
        look_at(known, [&](const Element& element, Arena&) {
            if (!element.is(ns::bookmarks, conference)) return;
            write_conference(xml, ns::bookmarks, {}, bookmark, &element);
            written = true;
        });
    }
    if (!written) write_conference(xml, ns::bookmarks, {}, bookmark, nullptr);
    return xml.take();
}

}  // namespace causeway::conversions
