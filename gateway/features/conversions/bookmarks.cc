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
#include <array>
#include <utility>
#include <vector>

#include "gateway/features/conversions/bookmark_pass.h"
#include "gateway/features/conversions/data_change.h"
#include "gateway/features/conversions/passes.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"

namespace causeway::conversions {
namespace {

using personal_events::Readers;

constexpr Slot<Passes> passes{"bookmarks"};
constexpr std::string_view private_list_name = "storage:bookmarks storage";
/// Questions of an account that wait until the places are the same for the first time.
constexpr std::size_t most_asked = 16;

struct Pending final : SlotState {
    ChangedBookmarks changed;
    std::vector<PacketRef> asked;  ///< questions that are answered behind the pass
};
constexpr Slot<Pending> pending{"changed bookmarks"};

/// Answers a question that waited, if its client is still there.
void answer(Account& account, const PacketRef& iq) {
    Resource* const session = account.sessions().find(iq->from().resource());
    if (session == nullptr) return;
    static_cast<void>(Packet::visit_bytes(
        iq->bytes(), [&](Stanza& stanza) { account.own_iq(stanza, *session); }));
}

void unify(Account& account, const Passes::Done& done) {
    ChangedBookmarks changed;
    std::vector<PacketRef> asked;
    if (Pending* waiting = account.slots.get(pending)) {
        changed = std::move(waiting->changed);
        asked = std::move(waiting->asked);
        account.slots.drop(pending);
    }
    unify_bookmarks(account, changed, [&account, changed, asked, done](const Outcome& outcome) {
        if (outcome.cause() == Cause::retry) {
            account.slots.make(pending).changed.take_back(changed);
        }
        // First, for until the pass is over the account stays loaded.
        for (const PacketRef& iq : asked) answer(account, iq);
        done(outcome);
    });
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
        auto& before = account.slots.make(pending).changed.private_before;
        if (!before) before = std::string(data.before);
    } else if (data.is_of_node(ns::bookmark_list)) {
        if (data.item.empty()) return;  // it went whole
        auto& before = account.slots.make(pending).changed.list_before;
        if (!before) before = std::string(data.before);
    } else if (data.is_of_node(ns::bookmarks)) {
        if (data.item.empty()) {
            // What is not there now was not retracted by anybody.
            if (Pending* what = account.slots.get(pending)) what->changed.items.clear();
            return;
        }
        auto& changed = account.slots.make(pending).changed.items;
        if (changed.size() < most_bookmark_changes) changed.emplace(data.item);
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
