// RFC 6121 §2: the roster as its owner's clients see and change it, with versions (§2.6).
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "gateway/route/router.h"
#include "gateway/session/accounts.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

constexpr std::size_t name_limit = 1023;
constexpr std::size_t group_limit = 64;

StanzaError cannot_read() {
    return {.condition = StanzaCondition::internal_server_error,
            .text = "The roster cannot be read at the moment.",
            .type = "wait"};
}

std::string push_of(const RosterItem& item) {
    std::string inner = "<query xmlns='jabber:iq:roster'";
    append_attribute(inner, "ver", fmt::format("{}", item.version));
    inner += '>';
    append_item(inner, item);
    return inner + "</query>";
}

// §2.6.3: an empty result, followed by a push for each change that the client has not seen.
void send_changes(const IqReturn& back, const Roster& roster, std::uint64_t since) {
    back.result({});
    std::vector<const RosterItem*> changed;
    for (const auto& [key, item] : roster.items()) {
        if (item.version > since && (item.listed || item.removed)) changed.push_back(&item);
    }
    std::ranges::sort(changed, {}, &RosterItem::version);
    for (const RosterItem* item : changed) {
        back.hub.routing->route(Packet::make(StanzaKind::iq, StanzaType::set, back.to.bare_jid(),
                                             back.to, fmt::format("push-{}", item->version),
                                             push_of(*item)));
    }
}

void send_whole(const IqReturn& back, const Roster& roster, bool versioned) {
    std::string inner = "<query xmlns='jabber:iq:roster'";
    if (versioned) append_attribute(inner, "ver", fmt::format("{}", roster.version()));
    inner += '>';
    for (const auto& [key, item] : roster.items()) {
        if (item.listed) append_item(inner, item);
    }
    inner += "</query>";
    back.result(inner);
}

void get(const IqRequest& request) {
    const IqReturn back(request);
    const bool versioned = request.payload.has_attribute("ver");
    const std::string known(request.payload.attribute("ver"));
    Account& user = request.hub.accounts->get(request.sender->jid().bare());
    user.when_loaded([&user, back, versioned, known](const Outcome& outcome) {
        if (!outcome) {
            back.error(cannot_read());
            return;
        }
        if (Resource* resource = user.find(back.to.resource())) resource->interested = true;
        std::uint64_t since = 0;
        const auto [end, error] = std::from_chars(known.data(), known.data() + known.size(), since);
        const bool number =
            !known.empty() && error == std::errc{} && end == known.data() + known.size();
        if (number && user.roster().knows_since(since)) {
            send_changes(back, user.roster(), since);
        } else {
            send_whole(back, user.roster(), versioned);
        }
    });
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
                     .text = "A group is empty, or too long, or there are too many."};
            return std::nullopt;
        }
        if (std::ranges::find(wish.groups, group) != wish.groups.end()) {
            error = {.condition = StanzaCondition::bad_request, .text = "A group stands twice."};
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

void update(Account& user, Wish wish, const IqReturn& back) {
    Hub& hub = back.hub;
    user.change_roster(
        [&user, &hub, wish = std::move(wish)](Batch& batch, Account::Change& change) -> Outcome {
            const RosterItem* known = user.roster().find(wish.jid);
            RosterItem item = known != nullptr ? *known : RosterItem{};
            if (!item.listed && user.roster().listed_count() >= hub.limits().roster_items) {
                return Outcome::policy("The roster is full.");
            }
            item.jid = wish.jid;
            item.name = wish.name;
            item.groups = wish.groups;
            item.listed = true;
            item.removed = false;
            user.plan_item(batch, change, std::move(item), true);
            return {};
        },
        [back](const Outcome& outcome) {
            if (outcome) {
                back.result({});
            } else if (outcome.cause() == Cause::policy) {
                back.error({.condition = StanzaCondition::not_allowed, .text = outcome.why()});
            } else {
                back.error(cannot_read());
            }
        });
}

// §2.5.2: removing a contact also ends the subscriptions in both directions.
void end_subscriptions(Account& user, Hub& hub, const RosterItem& item) {
    const auto send = [&](StanzaType type) {
        hub.routing->route(Packet::make(StanzaKind::presence, type, user.jid(), item.jid, {}, {}));
    };
    if (item.state.to || item.state.pending_out) send(StanzaType::unsubscribe);
    if (item.state.from) user.send_unavailable(item.jid);
    if (item.state.from || item.state.pending_in) send(StanzaType::unsubscribed);
}

void remove(Account& user, const Jid& contact, const IqReturn& back) {
    const auto before = std::make_shared<RosterItem>();
    user.change_roster(
        [&user, contact, before](Batch& batch, Account::Change& change) -> Outcome {
            const RosterItem* known = user.roster().find(contact);
            if (known == nullptr || !known->listed) return Outcome::absent("no such contact");
            *before = *known;
            RosterItem item;
            item.jid = contact;
            item.removed = true;
            user.plan_item(batch, change, std::move(item), true);
            return {};
        },
        [&user, before, back](const Outcome& outcome) {
            if (outcome) {
                back.result({});
                end_subscriptions(user, back.hub, *before);
            } else if (outcome.cause() == Cause::absent) {
                back.error({.condition = StanzaCondition::item_not_found, .text = {}});
            } else {
                back.error(cannot_read());
            }
        });
}

void set(const IqRequest& request) {
    const IqReturn back(request);
    StanzaError error;
    auto wish = read_wish(request, error);
    if (!wish) {
        back.error(error);
        return;
    }
    Account& user = request.hub.accounts->get(request.sender->jid().bare());
    user.when_loaded([&user, back, wish = std::move(*wish)](const Outcome& outcome) {
        if (!outcome) {
            back.error(cannot_read());
        } else if (wish.remove) {
            remove(user, wish.jid, back);
        } else {
            update(user, wish, back);
        }
    });
}

// RFC 6121 §2.6.1 and §3.4.1: informational.
void offer(Negotiation&, std::string& out) {
    out +=
        "<ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>";
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::roster, "query", IqTarget::own, get},
    IqHandler{StanzaType::set, ns::roster, "query", IqTarget::own, set},
};
constexpr std::array stream_features{
    StreamFeature{.side = StreamSide::client, .needs = stream_bits::authenticated, .offer = offer},
};
constexpr std::array disco_features{ns::roster};

}  // namespace

extern const Feature roster;
const Feature roster{
    .name = "roster", .server_disco = disco_features, .iq = handlers, .stream = stream_features};

}  // namespace causeway
