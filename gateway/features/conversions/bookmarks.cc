// Bookmarks of chat rooms are kept in three places, for clients of three ages: an item for each
// room in the node urn:xmpp:bookmarks:1 (XEP-0402), a list of all in the node storage:bookmarks
// (XEP-0048 over XEP-0223), and the same list in private storage (XEP-0048 over XEP-0049). What a
// client changes in one of them is changed in the others (XEP-0402 §5.3, XEP-0411).
//
// Of a list that a client replaces, only what differs from the one before concerns the others:
// items are published and retracted for that, so clients are told of nothing that stayed as it was,
// and nothing that another client did meanwhile is undone. The first time, all places get what is
// in any of them: that may be when a client asks for a node, which is answered when it is done, or
// when one publishes its first list. A node or a list that goes whole is no wish to have no
// bookmarks, and what is no list, or no bookmark, says nothing of any. Only the account itself may
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
/// Questions of an account that wait until the places are the same for the first time.
constexpr std::size_t most_asked = 16;

/// What clients changed since the last pass.
struct Pending final : SlotState {
    // The list as it was before the first of their changes.
    std::optional<std::string> private_before, list_before;
    std::set<std::string> items;   ///< ids of items that were published or retracted
    std::vector<PacketRef> asked;  ///< questions that are answered behind the pass
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
    std::string private_list;
    std::optional<OwnItem> list;                          ///< nullopt: there is none
    bool strange_list = false;                            ///< there is something else instead
    std::map<std::string, KnownItem, std::less<>> items;  ///< by room
    std::set<std::string, std::less<>> strange_items;     ///< rooms whose item is no bookmark
    BookmarkChange change;
    Outcome failure = {};  ///< the first one

    Unification(Account& of, Passes::Done end) : account(of), done(std::move(end)) {}

    void read_lists();
    void look_at_list();
    void read_items();
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
            if (!found) {
                self->done(found.error());
                return;
            }
            for (const OwnItem& item : *found) {
                const auto bookmark = bookmark_in(item.payload);
                const std::string room = room_of(item.id);
                if (room.empty()) continue;
                if (bookmark) {
                    self->items.emplace(room, KnownItem{item.id, item.payload, *bookmark});
                } else {
                    self->strange_items.insert(room);
                }
            }
            self->decide();
        });
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
            self->go_on();
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

/// Answers a question that waited, if its client is still there.
void answer(Account& account, const PacketRef& iq) {
    Resource* const session = account.sessions().find(iq->from().resource());
    if (session == nullptr) return;
    static_cast<void>(Packet::visit_bytes(
        iq->bytes(), [&](Stanza& stanza) { account.own_iq(stanza, *session); }));
}

void unify(Account& account, const Passes::Done& done) {
    std::vector<PacketRef> asked;
    Pending* changed = account.slots.get(pending);
    if (changed != nullptr) asked = std::move(changed->asked);
    const auto all =
        std::make_shared<Unification>(account, [&account, asked, done](const Outcome& outcome) {
            // First, for until the pass is over the account stays loaded.
            for (const PacketRef& iq : asked) answer(account, iq);
            done(outcome);
        });
    if (changed != nullptr) {
        all->private_before = std::move(changed->private_before);
        all->list_before = std::move(changed->list_before);
        all->changed_items = std::move(changed->items);
        account.slots.drop(pending);
    }
    all->read_lists();
}

bool was_never_unified(const Account& account) {
    return personal_events::readers_of(account, ns::bookmark_list) == Readers::undecided;
}

/// Answers it behind a pass, or now, if the places were unified or too many wait.
void answer_when_unified(Account& account, const PacketRef& iq) {
    Pending* waiting = account.slots.get(pending);
    if (!was_never_unified(account) ||
        (waiting != nullptr && waiting->asked.size() >= most_asked)) {
        answer(account, iq);
        return;
    }
    account.slots.make(pending).asked.push_back(iq);
    Passes::request(account, passes, unify);
}

/// A client asks for bookmarks in a node, and nothing was ever unified: what an old client keeps is
/// from a time before that was done, and is published first. Who is told that there is nothing
/// publishes what it has, and takes that for all.
Verdict look_for_older(FromClient& from) {
    const Stanza& iq = from.stanza;
    Account& account = from.account;
    if (iq.kind != StanzaKind::iq || iq.type != StanzaType::get) return Verdict::next;
    const Element* pubsub = iq.payload();
    if (pubsub == nullptr || !pubsub->is(ns::pubsub, "pubsub") || iq.to != account.jid() ||
        (account.loaded() && !was_never_unified(account))) {
        return Verdict::next;
    }
    const Element* items = pubsub->child(ns::pubsub, "items");
    const std::string_view node = items == nullptr ? std::string_view{} : items->attribute("node");
    if (node != ns::bookmarks && node != ns::bookmark_list) return Verdict::next;
    from.hub.settle(from.ticket);
    account.when_loaded([&account, packet = from.packet()](const Outcome& loaded) {
        if (loaded) {
            answer_when_unified(account, packet);
        } else {
            answer(account, packet);
        }
    });
    return Verdict::taken;
}

constexpr std::array from_client{FromClientHook{Phase::copy, look_for_older}};

}  // namespace

void bookmarks_changed(Account& account, const DataChange& data) {
    if (data.place == DataChange::Place::private_element && data.name == private_list_name) {
        auto& before = account.slots.make(pending).private_before;
        if (!before) before = std::string(data.before);
    } else if (data.is_of_node(ns::bookmark_list)) {
        if (data.item.empty()) return;  // it went whole
        auto& before = account.slots.make(pending).list_before;
        if (!before) before = std::string(data.before);
    } else if (data.is_of_node(ns::bookmarks)) {
        if (data.item.empty()) {
            // What is not there now was not retracted by anybody.
            if (Pending* what = account.slots.get(pending)) what->items.clear();
            return;
        }
        auto& changed = account.slots.make(pending).items;
        if (changed.size() < most_changes) changed.emplace(data.item);
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
