// Access rules: what the owner of an account, and the administrator of a domain, let others do
// (gateway/session/account_access.h decides). Here are the hooks that carry decisions out for
// messages, what is stored, and the verbs of the control socket (commands.cc).
#include <algorithm>
#include <array>

#include "gateway/features/access/ad_hoc.h"
#include "gateway/features/access/commands.h"
#include "gateway/features/access/held.h"
#include "gateway/features/access/operations.h"
#include "gateway/route/router.h"

namespace causeway {
namespace access {

constexpr std::string_view about_section =
    "What owners of accounts may keep to decide who may do what.";

constexpr FeatureOption rules_limit{.key = "access.rules_per_list",
                                    .kind = FeatureOption::Kind::integer,
                                    .form = {},
                                    .example = "500",
                                    .doc = "Access rules of one account, or of one domain.",
                                    .minimum = 1,
                                    .maximum = 10'000,
                                    .fallback = 500,
                                    .section_doc = about_section};
constexpr FeatureOption views_limit{.key = "access.views_per_account",
                                    .kind = FeatureOption::Kind::integer,
                                    .form = {},
                                    .example = "50",
                                    .doc = "Named presence views of one account.",
                                    .minimum = 0,
                                    .maximum = 1000,
                                    .fallback = 50};
constexpr FeatureOption blocked_limit{.key = "access.blocked_per_account",
                                      .kind = FeatureOption::Kind::integer,
                                      .form = {},
                                      .example = "1000",
                                      .doc = "Addresses that one account may block (XEP-0191).",
                                      .minimum = 0,
                                      .maximum = 100'000,
                                      .fallback = 1000};
constexpr FeatureOption held_limit{
    .key = "access.held_per_account",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "100",
    .doc =
        "Messages that wait for the owner of one account to accept them. Senders of more get "
        "an error.",
    .minimum = 0,
    .maximum = 10'000,
    .fallback = 100};

namespace {

constexpr std::array options{&rules_limit, &views_limit, &blocked_limit, &held_limit};
constexpr std::array stores{OwnedStore{AccountAccess::store_name, OwnedStore::Shape::map},
                            OwnedStore{held_store, OwnedStore::Shape::log}};

void load(Account& account, const std::vector<MapEntry>& entries) {
    account.access().load(entries);
    held_anew(account);
}
constexpr std::array account_data{AccountData{AccountAccess::store_name, load}};

/// One of the account's sessions is in that room, or whatever it is: it sent presence there.
bool has_joined(const Account& account, const Jid& who) {
    return std::ranges::any_of(account.sessions().all(), [&](const Resource* session) {
        return std::ranges::any_of(session->directed,
                                   [&](const Jid& to) { return to.bare() == who.bare(); });
    });
}

/// What somebody says in a room that the account is in, to all or to it alone.
bool comes_from_room(const AtAccount& at) {
    const bool said_in_room =
        at.packet->type() == StanzaType::groupchat || at.packet->traits().room_private;
    return said_in_room && has_joined(at.account, at.packet->from());
}

/// Who is subscribed and is shown nothing.
bool is_hidden_from(const Account& account, const Jid& who) {
    return !account.access().usual(AccessAct::see) && account.known_to(who) &&
           !account.presence_visible_to(who);
}

/// To whom the account is hidden, no session of it is there (RFC 6121 §8.5.3.2.1).
Verdict without_session(AtAccount& at) {
    switch (at.packet->type()) {
        case StanzaType::chat:
            at.packet = at.packet->readdressed(at.account.jid());
            return Verdict::next;
        case StanzaType::headline: return Verdict::dropped;
        default:
            at.why = "the account shows its presence to nobody there, so no session is";
            return at.refuse({.condition = StanzaCondition::service_unavailable, .text = {}});
    }
}

Verdict filter_message(AtAccount& at) {
    // Another takes its place where it is readdressed.
    const PacketRef came = at.packet;
    const Jid& from = came->from();
    if (was_accepted(at.account, at.packet)) return Verdict::next;
    if (at.packet->type() == StanzaType::error) {
        // An error is an answer to what the account itself sent.
        if (!at.account.access().blocks(from)) return Verdict::next;
        at.why = "its sender is blocked";
        return Verdict::dropped;
    }
    if (at.packet->to().has_resource() && is_hidden_from(at.account, from)) {
        if (const Verdict verdict = without_session(at); verdict != Verdict::next) return verdict;
    }
    if (at.account.access().usual(AccessAct::write)) return Verdict::next;
    const bool from_room = comes_from_room(at);
    if (from_room && at.packet->type() == StanzaType::groupchat &&
        !at.account.access().blocks(from)) {
        return Verdict::next;
    }
    const AccessAnswer answer = at.account.access().decide(from, AccessAct::write).answer;
    if (answer == AccessAnswer::deny || answer == AccessAnswer::hold) {
        at.why = explain(at.account, from, AccessAct::write).sentence;
    }
    switch (answer) {
        case AccessAnswer::deny:
            // Rooms put out who answers with an error: a blocked occupant could bring that about.
            if (from_room) return Verdict::dropped;
            // The words of an account that is not there.
            return at.refuse({.condition = StanzaCondition::service_unavailable, .text = {}});
        case AccessAnswer::hold:
            if (!at.packet->storable()) return Verdict::dropped;
            at.why = "it waits until the account accepts it, for " + at.why;
            hold_message(at.account, at.packet, at.ticket);
            return Verdict::taken;
        default: return Verdict::next;
    }
}

/// Presence that nobody asked for is for those who may write: what a contact whose presence the
/// account sees says, and what answers directed presence, always comes.
Verdict filter_presence(AtAccount& at) {
    const StanzaType type = at.packet->type();
    if (type != StanzaType::available || at.account.access().usual(AccessAct::write)) {
        return Verdict::next;
    }
    const Jid& from = at.packet->from();
    const RosterItem* item = at.account.roster().items().find(from.bare_jid());
    if ((item != nullptr && item->state.to) || has_joined(at.account, from)) return Verdict::next;
    return at.account.access().decide(from, AccessAct::write).allowed() ? Verdict::next
                                                                        : Verdict::dropped;
}

/// Who is subscribed and is shown nothing sees no session either.
Verdict hide_session(AtAccount& at) {
    const Packet& packet = *at.packet;
    const bool request = packet.type() == StanzaType::get || packet.type() == StanzaType::set;
    if (!request || !packet.to().has_resource() || !is_hidden_from(at.account, packet.from())) {
        return Verdict::next;
    }
    return at.refuse({.condition = StanzaCondition::service_unavailable, .text = {}});
}

constexpr std::array at_account{
    AtAccountHook{StanzaKind::message, Phase::privacy, filter_message},
    AtAccountHook{StanzaKind::presence, Phase::privacy, filter_presence},
    AtAccountHook{StanzaKind::iq, Phase::check, hide_session}};

}  // namespace
}  // namespace access

extern const Feature access_rules;
const Feature access_rules{.name = "access_rules",
                           .points = {.at_account = access::at_account},
                           .stores = access::stores,
                           .account_data = access::account_data,
                           .options = access::options,
                           .commands = access_commands,
                           .ad_hoc = access_menus};

}  // namespace causeway
