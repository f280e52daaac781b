// RFC 6121 §2: the roster as its owner's clients see and change it, with versions (§2.6). A session
// that goes on after a restart (XEP-0198 §5) gets the pushes that it may have missed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "gateway/base/random.h"
#include "gateway/features/known_version.h"
#include "gateway/features/roster_commands.h"
#include "gateway/route/router.h"
#include "gateway/session/accounts.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::size_t name_limit = 1023;
constexpr std::size_t group_limit = 64;

StanzaError cannot_change() {
    return {.condition = StanzaCondition::internal_server_error,
            .text = "The roster could not be changed: try again later.",
            .type = "wait"};
}

// ---- sessions over a restart ----

/// Which version of the roster the client of a session has.
struct Seen final : SlotState, KnownVersion {};
constexpr Slot<Seen> seen_slot{"roster"};

std::string save(const Resource& session) {
    Seen* seen = session.slots.get(seen_slot);
    const Account* account = session.hub().accounts->find(session.jid().bare());
    if (seen == nullptr || account == nullptr || !account->loaded()) return {};
    const Roster& roster = account->roster().items();
    seen->look(session.hub(), roster.version());
    return roster.version_text(seen->version);
}

/// In the order of the changes.
std::vector<const RosterItem*> changed_since(const Roster& roster, std::uint64_t version) {
    std::vector<const RosterItem*> changed;
    for (const auto& [key, item] : roster.items()) {
        if (item.version > version && (item.listed || item.removed)) changed.push_back(&item);
    }
    std::ranges::sort(changed, {}, &RosterItem::version);
    return changed;
}

void push_missed(const Account& account, Resource& session, std::string_view version) {
    const Roster& roster = account.roster().items();
    const auto since = roster.since(version);
    if (!since || !session.interested) return;
    for (const RosterItem* item : changed_since(roster, *since)) {
        session.deliver(Packet::make(StanzaKind::iq, StanzaType::set, session.jid().bare_jid(),
                                     session.jid(), random_token(9), roster_push(roster, *item)),
                        0);
    }
}

void restore(Resource& session, std::string_view version) {
    // What is saved next has to say no less.
    const Account* its = session.hub().accounts->find(session.jid().bare());
    if (its != nullptr && its->loaded()) {
        const Roster& roster = its->roster().items();
        session.slots.make(seen_slot).version = roster.since(version).value_or(roster.version());
    }
    // Once it goes on.
    session.hub().shard.post(
        [&hub = session.hub(), jid = session.jid(), version = std::string(version)] {
            const Account* account = hub.accounts->find(jid.bare());
            if (account == nullptr || !account->loaded()) return;
            Resource* still = account->sessions().find(jid.resource());
            if (still != nullptr) push_missed(*account, *still, version);
        });
}

constexpr std::array session_data{SessionData{.name = "roster", .save = save, .restore = restore}};

// ---- iq ----

// §2.6.3: an empty result, followed by a push for each change that the client has not seen.
void send_changes(const IqReturn& back, const Roster& roster, std::uint64_t since) {
    back.result({});
    for (const RosterItem* item : changed_since(roster, since)) {
        back.hub.routing->route(Packet::make(StanzaKind::iq, StanzaType::set, back.to.bare_jid(),
                                             back.to, random_token(9), roster_push(roster, *item)));
    }
}

void send_whole(const IqReturn& back, const Roster& roster, bool versioned) {
    XmlBuilder xml;
    xml.open("query", ns::roster);
    if (versioned) xml.attribute("ver", roster.version_text(roster.version()));
    for (const auto& [key, item] : roster.items()) {
        if (item.listed) append_item(xml, item);
    }
    back.result(xml.take());
}

void get(const IqRequest& request) {
    request.sender->interested = true;
    const Roster& roster = request.account->roster().items();
    const auto since = roster.since(request.payload.attribute("ver"));
    Seen& seen = request.sender->slots.make(seen_slot);
    seen.version = since.value_or(roster.version());  // what follows is on its way
    seen.on_their_way.clear();
    if (since) {
        send_changes(IqReturn(request), roster, *since);
    } else {
        send_whole(IqReturn(request), roster, request.payload.has_attribute("ver"));
    }
}

// §2.1.5, §2.3.3: a roster is its owner's alone; whether somebody else has one is not told.
bool is_of_another(const Stanza& stanza) {
    const Element* payload = stanza.kind == StanzaKind::iq ? stanza.payload() : nullptr;
    return payload != nullptr && payload->ns == ns::roster && stanza.to.has_local() &&
           !stanza.to.has_resource() && stanza.to.bare() != stanza.from.bare() &&
           (stanza.type == StanzaType::get || stanza.type == StanzaType::set);
}

StanzaError of_another() {
    return {.condition = StanzaCondition::forbidden,
            .text = "Only an account itself sees and changes its roster."};
}

Verdict refuse_clients(FromClient& from) {
    const bool here = from.hub.serves(from.stanza.to.domain());
    return here && is_of_another(from.stanza) ? from.refuse(of_another()) : Verdict::next;
}

Verdict refuse_servers(FromServer& from) {
    return is_of_another(from.stanza) ? from.refuse(of_another()) : Verdict::next;
}

/// What a roster set asks for, or the error it deserves (§2.3.3).
struct Wish {
    Jid jid;
    std::string name;
    std::vector<std::string> groups;
    bool remove = false;
};

std::optional<Wish> read_wish(const IqRequest& request, StanzaError& error) {
    error = {.condition = StanzaCondition::bad_request, .text = "A roster set holds one item."};
    const Element* item = request.payload.child(ns::roster, "item");
    if (item == nullptr || request.payload.element_count() != 1) return std::nullopt;
    Wish wish;
    auto jid = Jid::parse(item->attribute("jid"));
    if (!jid) {
        error = {.condition = StanzaCondition::jid_malformed, .text = jid.error().why()};
        return std::nullopt;
    }
    wish.jid = jid->bare_jid();
    wish.name = item->attribute("name");
    wish.remove = item->attribute("subscription") == "remove";
    if (wish.jid.full() == request.sender->jid().bare()) {
        error = {.condition = StanzaCondition::not_allowed,
                 .text = "An account is not its own contact."};
        return std::nullopt;
    }
    for (const Element* child = item->first_element(); child != nullptr;
         child = child->next_element()) {
        if (!child->is(ns::roster, "group")) continue;
        std::string group(child->text(request.stanza.arena));
        if (group.empty() || group.size() > name_limit || wish.groups.size() == group_limit) {
            error = {.condition = StanzaCondition::not_acceptable,
                     .text = fmt::format(
                         "A group has a name of 1 to {} bytes, and an item has at most {} "
                         "groups.",
                         name_limit, group_limit)};
            return std::nullopt;
        }
        if (std::ranges::find(wish.groups, group) != wish.groups.end()) {
            error = {.condition = StanzaCondition::bad_request,
                     .text = fmt::format("The item lists the group \"{}\" twice.", group)};
            return std::nullopt;
        }
        wish.groups.push_back(std::move(group));
    }
    if (wish.name.size() > name_limit) {
        error = {.condition = StanzaCondition::not_acceptable, .text = "The name is too long."};
        return std::nullopt;
    }
    return wish;
}

void update(Account& account, Wish wish, const IqReturn& back) {
    account.roster().change(
        [&account, wish = std::move(wish)](Batch& batch, AccountRoster::Change& change) -> Outcome {
            change.others_follow = true;
            const Roster& roster = account.roster().items();
            const RosterItem* known = roster.find(wish.jid);
            RosterItem item = known != nullptr ? *known : RosterItem{};
            if (!item.listed && roster.listed_count() >= account.hub().limits().roster_items) {
                return Outcome::policy("The roster is full.");
            }
            item.jid = wish.jid;
            item.name = wish.name;
            item.groups = wish.groups;
            item.listed = true;
            item.removed = false;
            account.roster().plan_item(batch, change, std::move(item), true);
            return {};
        },
        [back](const Outcome& outcome) {
            if (outcome) {
                back.result({});
            } else if (outcome.cause() == Cause::policy) {
                back.error({.condition = StanzaCondition::not_allowed, .text = outcome.why()});
            } else {
                back.error(cannot_change());
            }
        });
}

// §2.5.2: removing a contact also ends the subscriptions in both directions.
void end_subscriptions(Account& account, const RosterItem& item, bool saw_presence) {
    const auto send = [&](StanzaType type) {
        account.hub().routing->route(
            Packet::make(StanzaKind::presence, type, account.jid(), item.jid, {}, {}));
    };
    if (item.state.to || item.state.pending_out) send(StanzaType::unsubscribe);
    if (saw_presence) account.presence().send_unavailable(item.jid);
    if (item.state.from || item.state.pending_in) send(StanzaType::unsubscribed);
}

void remove(Account& account, const Jid& contact, const IqReturn& back) {
    struct Before {
        RosterItem item;
        bool saw_presence = false;
    };
    const auto before = std::make_shared<Before>();
    account.roster().change(
        [&account, contact, before](Batch& batch, AccountRoster::Change& change) -> Outcome {
            change.others_follow = true;
            const RosterItem* known = account.roster().items().find(contact);
            if (known == nullptr || !known->listed) return Outcome::absent("no such contact");
            *before = {*known, account.presence_visible_to(contact)};
            RosterItem item;
            item.jid = contact;
            item.removed = true;
            account.roster().plan_item(batch, change, std::move(item), true);
            return {};
        },
        [&account, before, back](const Outcome& outcome) {
            if (outcome) {
                back.result({});
                end_subscriptions(account, before->item, before->saw_presence);
            } else if (outcome.cause() == Cause::absent) {
                back.error({.condition = StanzaCondition::item_not_found, .text = {}});
            } else {
                back.error(cannot_change());
            }
        });
}

void set(const IqRequest& request) {
    const IqReturn back(request);
    StanzaError error;
    auto wish = read_wish(request, error);
    if (!wish) {
        back.error(error);
    } else if (wish->remove) {
        remove(*request.account, wish->jid, back);
    } else {
        update(*request.account, std::move(*wish), back);
    }
}

// RFC 6121 §2.6.1 and §3.4.1: informational.
void offer_versions(Negotiation&, std::string& out) {
    out += XmlBuilder().empty("ver", ns::roster_versioning).take();
}
void offer_pre_approval(Negotiation&, std::string& out) {
    out += XmlBuilder().empty("sub", ns::pre_approval).take();
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::roster, "query", IqTarget::own, get},
    IqHandler{.type = StanzaType::set,
              .ns = ns::roster,
              .name = "query",
              .target = IqTarget::own,
              .handle = set,
              .changes_roster = true},
};
constexpr std::array stream_features{
    StreamFeature{
        .side = StreamSide::client, .needs = stream_bits::authenticated, .offer = offer_versions},
    // An anonymous account approves nothing.
    StreamFeature{.side = StreamSide::client,
                  .needs = stream_bits::authenticated,
                  .forbids = stream_bits::anonymous,
                  .offer = offer_pre_approval},
};
constexpr std::array disco_features{ns::roster};
constexpr std::array from_client{FromClientHook{Phase::check, refuse_clients}};
constexpr std::array from_server{FromServerHook{Phase::check, refuse_servers}};

}  // namespace

extern const Feature roster;
const Feature roster{.name = "roster",
                     .server_disco = disco_features,
                     .iq = handlers,
                     .points = {.from_client = from_client, .from_server = from_server},
                     .stream = stream_features,
                     .session_data = session_data,
                     .commands = roster_commands};

}  // namespace causeway
