#include "gateway/features/conversions/bookmark_pass.h"

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "gateway/features/conversions/bookmark_list.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/features/private_storage.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"

namespace causeway::conversions {
namespace {

using personal_events::OwnItem;
using personal_events::Readers;

constexpr std::string_view storage = "storage";
/// Items that are looked at in one turn of the shard.
constexpr std::size_t items_in_a_turn = 100;

struct KnownItem {
    std::string id, payload;
    Bookmark bookmark;
};

/// One pass: the three places are read, and then changed one after the other.
struct Unification : std::enable_shared_from_this<Unification> {
    Account& account;
    Passes::Done done;
    std::optional<std::string> private_before, list_before;
    std::set<std::string> changed_items;
    std::string private_list = {};
    std::optional<OwnItem> list;                          ///< nullopt: there is none
    bool strange_list = false;                            ///< there is something else instead
    std::map<std::string, KnownItem, std::less<>> items;  ///< by room
    std::set<std::string, std::less<>> strange_items;     ///< rooms whose item is no bookmark
    BookmarkChange change;
    Outcome failure = {};  ///< see note()

    Unification(Account& of, ChangedBookmarks changed, Passes::Done end)
        : account(of),
          done(std::move(end)),
          private_before(std::move(changed.private_before)),
          list_before(std::move(changed.list_before)),
          changed_items(std::move(changed.items)) {}

    void read_lists();
    void look_at_list();
    void read_items();
    void look_at_items(const std::shared_ptr<const std::vector<OwnItem>>& found, std::size_t from);
    void decide();
    void find_change();
    void change_items();
    void change_private_list();
    [[nodiscard]] std::string next_private_list(const std::string& now) const;
    void change_list();
    [[nodiscard]] std::optional<std::string> next_list(const OwnItem* now) const;

    [[nodiscard]] std::string listed() const { return list ? list->payload : std::string{}; }
    /// Nothing was ever unified, or the list is the first one since it was taken away.
    [[nodiscard]] bool first() const {
        return !strange_list && (!list || (list_before && list_before->empty()));
    }
    [[nodiscard]] bool whole() const { return private_before || list_before || first(); }
    /// What can be tried again counts more than what cannot.
    void note(const Outcome& outcome) {
        if (failure.ok() || outcome.cause() == Cause::retry) failure = outcome;
    }
};

bool others_read(const Account& account, std::string_view node) {
    const Readers readers = personal_events::readers_of(account, node);
    return readers != Readers::undecided && readers != Readers::nobody;
}

void Unification::read_lists() {
    read_private(account, ns::bookmark_list, storage,
                 [self = shared_from_this()](const Result<std::string>& found) {
                     if (!found) {
                         self->done(found.error());
                         return;
                     }
                     self->private_list = *found;
                     personal_events::read_for(
                         self->account, std::string(ns::bookmark_list), {},
                         [self](const Result<OwnItem>& newest) {
                             if (newest) {
                                 self->list = *newest;
                             } else if (newest.error().cause() != Cause::absent) {
                                 self->done(newest.error());
                                 return;
                             }
                             self->look_at_list();
                         });
                 });
}

/// Whether what was read, and what was there before, is a list at all.
void Unification::look_at_list() {
    if (!private_list.empty() && !is_list(private_list)) {
        done(Outcome::malformed("the list in private storage cannot be read"));
        return;
    }
    if (list_before && !list_before->empty() && !is_list(*list_before)) list_before->clear();
    if (list && !is_list(list->payload)) {
        note(Outcome::malformed("what is published as the list of bookmarks is none"));
        strange_list = true;
        list.reset();
        list_before.reset();
    }
    if (list_before && !list) {
        // It was taken away whole, which is no wish to have no bookmarks.
        list_before.reset();
        if (!private_before && changed_items.empty()) {
            done({});
            return;
        }
    }
    read_items();
}

void Unification::read_items() {
    // Items that went with their node were not retracted.
    if (personal_events::readers_of(account, ns::bookmarks) == Readers::undecided) {
        changed_items.clear();
    }
    std::vector<std::string> ids;
    if (!whole()) ids.assign(changed_items.begin(), changed_items.end());
    if (!whole() && ids.empty()) {
        done(failure);
        return;
    }
    personal_events::read_items_for(
        account, std::string(ns::bookmarks), std::move(ids),
        [self = shared_from_this()](const Result<std::vector<OwnItem>>& found) {
            if (found) {
                self->look_at_items(std::make_shared<const std::vector<OwnItem>>(*found), 0);
            } else {
                self->done(found.error());
            }
        });
}

/// A node may hold thousands, and other accounts live on this shard.
void Unification::look_at_items(const std::shared_ptr<const std::vector<OwnItem>>& found,
                                std::size_t from) {
    const std::size_t end = std::min(from + items_in_a_turn, found->size());
    for (const OwnItem& item : std::span(*found).subspan(from, end - from)) {
        const auto bookmark = bookmark_in(item.payload);
        const std::string room = room_of(item.id);
        if (room.empty()) continue;
        if (bookmark) {
            items.emplace(room, KnownItem{item.id, item.payload, *bookmark});
        } else {
            strange_items.insert(room);
        }
    }
    if (end == found->size()) {
        decide();
    } else {
        account.hub().shard.post(
            [self = shared_from_this(), found, end] { self->look_at_items(found, end); });
    }
}

/// What clients changed, and the first time what is not in all places yet.
void Unification::find_change() {
    if (private_before) change = difference(*private_before, private_list);
    if (list_before) change.add(difference(*list_before, listed()));
    for (const std::string& id : changed_items) {
        const std::string room = room_of(id);
        if (room.empty() || strange_items.contains(room)) continue;
        const auto item = items.find(room);
        change.add(room, item == items.end() ? std::nullopt : std::optional(item->second.bookmark));
    }
    if (!first()) return;
    Bookmarks there;
    for (const auto& [room, item] : items) there.emplace(room, item.bookmark);
    there.merge(bookmarks_in(listed()));
    there.merge(bookmarks_in(private_list));
    change.add_missing(there);
}

void Unification::decide() {
    find_change();
    if (whole()) {
        change_items();
    } else {
        change_private_list();
    }
}

/// Publishes and retracts one item after the other.
struct ItemChanges : std::enable_shared_from_this<ItemChanges> {
    std::shared_ptr<Unification> all;
    struct Put {
        std::string id, payload;
        std::string known;  ///< payload of the item that was there; empty: there was none
    };
    std::vector<Put> put;
    std::vector<std::string> retracted;

    void go_on() {
        const auto next = [self = shared_from_this()](const Outcome& outcome) {
            self->all->note(outcome);
            if (outcome.cause() == Cause::retry) {
                self->all->done(outcome);  // all of it is tried again
            } else {
                self->go_on();
            }
        };
        if (!put.empty()) {
            const Put item = std::move(put.back());
            put.pop_back();
            // What a client published meanwhile is newer, and another pass is on its way for it.
            const auto edit = [item](const OwnItem* now) {
                const bool same = (now == nullptr ? std::string{} : now->payload) == item.known;
                return same ? std::optional(item.payload) : std::nullopt;
            };
            personal_events::edit_for(all->account, std::string(ns::bookmarks), item.id, item.id,
                                      edit, personal_events::private_node(), next);
        } else if (!retracted.empty()) {
            std::string id = std::move(retracted.back());
            retracted.pop_back();
            personal_events::retract_for(all->account, std::string(ns::bookmarks), std::move(id),
                                         next);
        } else {
            all->change_private_list();
        }
    }
};

void Unification::change_items() {
    const auto changes = std::make_shared<ItemChanges>();
    changes->all = shared_from_this();
    // In reverse, for the last one is published first.
    for (auto it = change.put.rbegin(); it != change.put.rend(); ++it) {
        if (strange_items.contains(it->first)) continue;
        const auto known = items.find(it->first);
        const bool there = known != items.end();
        // Clients that know of no extensions leave them out when they write their list.
        if (there && it->second.extensions.empty()) {
            it->second.extensions = known->second.bookmark.extensions;
        }
        if (there && known->second.bookmark == it->second) continue;
        const std::string payload = there ? known->second.payload : std::string{};
        changes->put.push_back(
            {there ? known->second.id : it->first, payload_of(it->second, payload), payload});
    }
    for (const std::string& room : change.removed) {
        if (items.contains(room)) changes->retracted.push_back(items.at(room).id);
    }
    if (changes->put.size() + changes->retracted.size() > most_bookmark_changes) {
        note(Outcome::policy("more bookmarks were changed at once than are converted"));
        const std::size_t extra =
            changes->put.size() + changes->retracted.size() - most_bookmark_changes;
        changes->put.erase(changes->put.begin(),
                           changes->put.begin() +
                               static_cast<std::ptrdiff_t>(std::min(extra, changes->put.size())));
        changes->retracted.resize(std::min(changes->retracted.size(), most_bookmark_changes));
    }
    if (others_read(account, ns::bookmarks)) {
        note(Outcome::policy("others may read the node of bookmarks"));
        change_private_list();
    } else {
        changes->go_on();
    }
}

std::string Unification::next_private_list(const std::string& now) const {
    const bool made = now.empty() && private_list.empty() && !private_before;
    BookmarkChange ours = change;
    ours.leave_out(difference(private_list, now));  // a client did that meanwhile
    const std::string next = changed_list(made ? listed() : now, ours);
    return list_before ? with_rest_change(next, *list_before, listed()) : next;
}

void Unification::change_private_list() {
    if (change.empty() && !list_before && !private_list.empty()) {
        change_list();
        return;
    }
    const auto edit = [self = shared_from_this()](const std::string& now) {
        self->private_list = self->next_private_list(now);
        return std::optional(self->private_list);
    };
    edit_private(account, ns::bookmark_list, storage, edit,
                 [self = shared_from_this()](const Outcome& outcome) {
                     self->note(outcome);
                     self->change_list();
                 });
}

std::optional<std::string> Unification::next_list(const OwnItem* now) const {
    // A client took it away, or published its first one, which makes another pass.
    if ((now == nullptr) == list.has_value()) return std::nullopt;
    std::string next = private_list;
    if (now != nullptr) {
        if (!is_list(now->payload)) return std::nullopt;
        BookmarkChange ours = change;
        ours.leave_out(difference(list->payload, now->payload));  // a client did that meanwhile
        next = changed_list(now->payload, ours);
        if (first()) {
            next = with_rest_change(next, {}, private_list);
        } else if (private_before) {
            next = with_rest_change(next, *private_before, private_list);
        }
    }
    if (next.empty() || (now != nullptr && next == now->payload)) return std::nullopt;
    return next;
}

void Unification::change_list() {
    if (strange_list || !next_list(list ? &*list : nullptr)) {
        done(failure);
    } else if (others_read(account, ns::bookmark_list)) {
        note(Outcome::policy("others may read the node of the list of bookmarks"));
        done(failure);
    } else {
        personal_events::edit_for(
            account, std::string(ns::bookmark_list), {}, "current",
            [self = shared_from_this()](const OwnItem* now) { return self->next_list(now); },
            {{"pubsub#persist_items", {"true"}}, {"pubsub#access_model", {"whitelist"}}},
            [self = shared_from_this()](const Outcome& outcome) {
                self->note(outcome);
                self->done(self->failure);
            });
    }
}

}  // namespace

void ChangedBookmarks::take_back(const ChangedBookmarks& failed) {
    if (failed.private_before) private_before = failed.private_before;
    if (failed.list_before) list_before = failed.list_before;
    for (const std::string& id : failed.items) {
        if (items.size() < most_bookmark_changes) items.insert(id);
    }
}

void unify_bookmarks(Account& account, ChangedBookmarks changed, Passes::Done done) {
    std::make_shared<Unification>(account, std::move(changed), std::move(done))->read_lists();
}

}  // namespace causeway::conversions
