// Bookmarks of chat rooms are kept in three places, for clients of three ages: an item for each
// room in the node urn:xmpp:bookmarks:1 (XEP-0402), a list of all in the node storage:bookmarks
// (XEP-0048 over XEP-0223), and the same list in private storage (XEP-0048 over XEP-0049). What a
// client changes in one of them is changed in the others (XEP-0402 §5.3, XEP-0411).
//
// Of a list that a client replaces, only what differs from the one before concerns the others:
// items are published and retracted for that, so clients are told of nothing that stayed as it was,
// and nothing that another client did meanwhile is undone. The first time, which a client's
// question for a node may be, all places get what is in any of them. Only the account itself may
// read what is put into a node (XEP-0411 §5): a node that others may read is left as it is.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/features/conversions/bookmark_list.h"
#include "gateway/features/conversions/data_change.h"
#include "gateway/features/conversions/passes.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/features/private_storage.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"

namespace causeway::conversions {
namespace {

using personal_events::OwnItem;
using personal_events::Readers;

constexpr Slot<Passes> passes{"bookmarks"};
constexpr std::string_view storage = "storage";
constexpr std::string_view private_list_name = "storage:bookmarks storage";
/// Items that one pass publishes and retracts; the rest stays where it is.
constexpr std::size_t most_changes = 1000;

/// What clients changed since the last pass.
struct Pending final : SlotState {
    // The list as it was before the first of their changes.
    std::optional<std::string> private_before, list_before;
    std::set<std::string> items;  ///< ids of items that were published or retracted
    bool cleared = false;         ///< all items went
};
constexpr Slot<Pending> pending{"changed bookmarks"};

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
    bool cleared = false;
    std::string private_list;
    std::optional<OwnItem> list;                          ///< nullopt: nothing was ever unified
    std::map<std::string, KnownItem, std::less<>> items;  ///< by room
    BookmarkChange change;
    Outcome failure = {};  ///< the first one

    Unification(Account& of, Passes::Done end) : account(of), done(std::move(end)) {}

    void read_lists();
    void read_items();
    void decide();
    void change_items();
    void change_private_list();
    void change_list();

    [[nodiscard]] bool whole() const { return private_before || list_before || cleared || !list; }
    void note(const Outcome& outcome) {
        if (failure.ok()) failure = outcome;
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
                             self->read_items();
                         });
                 });
}

void Unification::read_items() {
    std::vector<std::string> ids;
    if (!whole()) ids.assign(changed_items.begin(), changed_items.end());
    personal_events::read_items_for(
        account, std::string(ns::bookmarks), std::move(ids),
        [self = shared_from_this()](const Result<std::vector<OwnItem>>& found) {
            if (!found) {
                self->done(found.error());
                return;
            }
            for (const OwnItem& item : *found) {
                const auto bookmark = bookmark_in(item.payload);
                std::string room = room_of(item.id);
                if (!bookmark || room.empty()) continue;
                self->items.emplace(std::move(room), KnownItem{item.id, item.payload, *bookmark});
            }
            self->decide();
        });
}

void Unification::decide() {
    if (list_before && !list) {
        // It was taken away whole, which is no wish to have no bookmarks.
        list_before.reset();
        if (!private_before && changed_items.empty() && !cleared) {
            done({});
            return;
        }
    }
    const std::string listed = list ? list->payload : std::string{};
    if (private_before) change = difference(*private_before, private_list);
    if (list_before) {
        const BookmarkChange more = difference(*list_before, listed);
        for (const auto& [room, bookmark] : more.put) change.add(room, bookmark);
        for (const std::string& room : more.removed) change.add(room, std::nullopt);
    }
    for (const std::string& id : changed_items) {
        const std::string room = room_of(id);
        if (room.empty()) continue;
        const auto item = items.find(room);
        change.add(room, item == items.end() ? std::nullopt : std::optional(item->second.bookmark));
    }
    const auto is_new = [&](const std::string& room) {
        return !change.put.contains(room) && !change.removed.contains(room);
    };
    Bookmarks in_lists = bookmarks_in(private_list);
    in_lists.merge(bookmarks_in(listed));
    for (const auto& [room, bookmark] : in_lists) {
        if (items.contains(room) || !is_new(room)) continue;
        if (cleared) {
            change.add(room, std::nullopt);
        } else if (!list) {
            change.add(room, bookmark);
        }
    }
    if (!list) {
        for (const auto& [room, item] : items) {
            if (is_new(room)) change.add(room, item.bookmark);
        }
    }
    if (whole()) {
        change_items();
    } else {
        change_private_list();
    }
}

/// Publishes and retracts one item after the other.
struct ItemChanges : std::enable_shared_from_this<ItemChanges> {
    std::shared_ptr<Unification> all;
    std::vector<OwnItem> put;
    std::vector<std::string> retracted;

    void go_on() {
        const auto next = [self = shared_from_this()](const Outcome& outcome) {
            self->all->note(outcome);
            self->go_on();
        };
        if (!put.empty()) {
            OwnItem item = std::move(put.back());
            put.pop_back();
            personal_events::publish_for(all->account, std::move(item),
                                         {{"pubsub#persist_items", {"true"}},
                                          {"pubsub#max_items", {"max"}},
                                          {"pubsub#send_last_published_item", {"never"}},
                                          {"pubsub#access_model", {"whitelist"}}},
                                         next);
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
        const auto known = items.find(it->first);
        const bool there = known != items.end();
        // Clients that know of no extensions leave them out when they write their list.
        if (there && it->second.extensions.empty()) {
            it->second.extensions = known->second.bookmark.extensions;
        }
        if (there && known->second.bookmark == it->second) continue;
        changes->put.push_back({std::string(ns::bookmarks), there ? known->second.id : it->first,
                                payload_of(it->second, there ? known->second.payload : "")});
    }
    for (const std::string& room : change.removed) {
        if (items.contains(room)) changes->retracted.push_back(items.at(room).id);
    }
    if (changes->put.size() + changes->retracted.size() > most_changes) {
        note(Outcome::policy("more bookmarks were changed at once than are converted"));
        const std::size_t extra = changes->put.size() + changes->retracted.size() - most_changes;
        changes->put.erase(changes->put.begin(),
                           changes->put.begin() +
                               static_cast<std::ptrdiff_t>(std::min(extra, changes->put.size())));
        changes->retracted.resize(std::min(changes->retracted.size(), most_changes));
    }
    if (others_read(account, ns::bookmarks)) {
        note(Outcome::policy("others may read the node of bookmarks"));
        change_private_list();
    } else {
        changes->go_on();
    }
}

void Unification::change_private_list() {
    const auto edit = [self = shared_from_this()](const std::string& now) {
        const std::string listed = self->list ? self->list->payload : std::string{};
        const bool made = now.empty() && !self->private_before;
        std::string next = changed_list(made ? listed : now, self->change);
        if (self->list_before) next = with_rest_of(next, listed);
        self->private_list = next;
        return std::optional(next);
    };
    if (change.empty() && !list_before && !private_list.empty()) {
        change_list();
        return;
    }
    edit_private(account, ns::bookmark_list, storage, edit,
                 [self = shared_from_this()](const Outcome& outcome) {
                     self->note(outcome);
                     self->change_list();
                 });
}

void Unification::change_list() {
    std::string next = list ? changed_list(list->payload, change) : private_list;
    if (list && private_before) next = with_rest_of(next, private_list);
    if (next.empty() || (list && next == list->payload)) {
        done(failure);
    } else if (others_read(account, ns::bookmark_list)) {
        note(Outcome::policy("others may read the node of the list of bookmarks"));
        done(failure);
    } else {
        personal_events::publish_for(
            account, {std::string(ns::bookmark_list), list ? list->id : "current", next},
            {{"pubsub#persist_items", {"true"}}, {"pubsub#access_model", {"whitelist"}}},
            [self = shared_from_this()](const Outcome& outcome) {
                self->note(outcome);
                self->done(self->failure);
            });
    }
}

void unify(Account& account, const Passes::Done& done) {
    const auto all = std::make_shared<Unification>(account, done);
    if (Pending* changed = account.slots.get(pending)) {
        all->private_before = std::move(changed->private_before);
        all->list_before = std::move(changed->list_before);
        all->changed_items = std::move(changed->items);
        all->cleared = changed->cleared;
        account.slots.drop(pending);
    }
    all->read_lists();
}

/// A client asks for bookmarks in a node, and nothing was ever unified: what an old client keeps is
/// from a time before that was done, and is published now.
Verdict look_for_older(FromClient& from) {
    const Stanza& iq = from.stanza;
    if (iq.kind != StanzaKind::iq || iq.type != StanzaType::get) return Verdict::next;
    const Element* pubsub = iq.payload();
    if (pubsub == nullptr || !pubsub->is(ns::pubsub, "pubsub") || iq.to != from.account.jid() ||
        !from.account.loaded()) {
        return Verdict::next;
    }
    const Element* items = pubsub->child(ns::pubsub, "items");
    const std::string_view node = items == nullptr ? std::string_view{} : items->attribute("node");
    if ((node == ns::bookmarks || node == ns::bookmark_list) &&
        personal_events::readers_of(from.account, ns::bookmark_list) == Readers::undecided) {
        Passes::request(from.account, passes, unify);
    }
    return Verdict::next;
}

constexpr std::array from_client{FromClientHook{Phase::copy, look_for_older}};

}  // namespace

void bookmarks_changed(Account& account, const DataChange& data) {
    if (data.place == DataChange::Place::private_element && data.name == private_list_name) {
        auto& before = account.slots.make(pending).private_before;
        if (!before) before = std::string(data.before);
    } else if (data.place == DataChange::Place::node && data.name == ns::bookmark_list) {
        if (data.item.empty()) return;  // see decide()
        auto& before = account.slots.make(pending).list_before;
        if (!before) before = std::string(data.before);
    } else if (data.place == DataChange::Place::node && data.name == ns::bookmarks) {
        Pending& what = account.slots.make(pending);
        if (data.item.empty()) {
            what.cleared = true;
        } else if (what.items.size() < most_changes) {
            what.items.emplace(data.item);
        }
    } else {
        return;
    }
    Passes::request(account, passes, unify);
}

}  // namespace causeway::conversions

namespace causeway {

constexpr std::array bookmark_disco{ns::bookmarks_compat, ns::bookmarks_compat_pep,
                                    ns::bookmarks_conversion};

extern const Feature bookmark_conversion;
const Feature bookmark_conversion{.name = "bookmark_conversion",
                                  .xep = 402,
                                  .version = "1.2.0",
                                  .account_disco = bookmark_disco,
                                  .points = {.from_client = conversions::from_client}};

}  // namespace causeway
