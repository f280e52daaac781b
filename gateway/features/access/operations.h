// What can be done with the access rules, presence views and held requests of an account, and with
// the rules of a domain: for the control socket and for the menus of clients alike. Nothing outside
// this folder includes it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/feature_option.h"
#include "gateway/session/account.h"

namespace causeway::access {

using Done = std::function<void(const Outcome&)>;

extern const FeatureOption rules_limit;
extern const FeatureOption views_limit;
extern const FeatureOption blocked_limit;
extern const FeatureOption held_limit;

// ---- an account's own; all on its home shard, once it is loaded ----

/// `at`: the place of the rule, from 1; 0 or beyond the end: the last.
void add_rule(Account& account, AccessRule rule, std::size_t at, Done done);
/// Of the rule at that place in an account's list: which one decides before it whoever asks, and so
/// leaves it without effect; empty: none.
std::string told_before(const Account& account, std::size_t at);
/// The same of a list of that domain.
std::string told_before(const AccessRules& rules, std::size_t at, std::string_view domain);
void remove_rule(Account& account, std::size_t number, Done done);
void clear_rules(Account& account, Done done);
void set_view(Account& account, PresenceView view, Done done);
/// Refused while a rule names it.
void remove_view(Account& account, std::string name, Done done);

/// Blocks addresses (XEP-0191), and tells the clients that know of the list; policy: too many.
void block(Account& account, std::vector<std::string> addresses, Done done);
/// What the account says of somebody (XEP-0377), for whoever watches over the server.
void note_report(const Account& account, std::string_view jid, std::string_view reason,
                 std::string_view text);

/// Presence that the account has whether or not a session is there; empty: none any more.
void publish(Account& account, PublishedPresence presence, Done done);

/// An answer with its reason.
struct Explained {
    AccessDecision decision;
    std::string answer;    ///< as a rule has it; for `see` the name of the view
    std::string sentence;  ///< where it comes from
};
Explained explain(const Account& account, const Jid& who, AccessAct act);

/// A headline from the domain to each of its sessions.
void tell_sessions(Account& account, std::string_view text);

// ---- a domain's ----

/// `most`: the number of rules that a list may have.
using EditRules = std::function<Outcome(AccessRules& rules, std::size_t most)>;
/// Changes the rules of a domain here: stored, then in force on every shard, and sessions of the
/// domain's accounts are told `what` was changed. On any shard; `done` runs there.
void change_domain(Hub& hub, std::string domain, EditRules edit, std::string what, Done done);
/// Also where the stored list is damaged.
void clear_domain(Hub& hub, std::string domain, Done done);
/// Puts a rule into a list, within its limit; what a rule of a domain may name is checked.
Outcome insert_rule(AccessRules& rules, AccessRule rule, std::size_t at, std::size_t most);
/// What a rule of a domain may say: no views of an account, and no polite answer.
Outcome check_domain_rule(const AccessRule& rule);

// ---- what waits for the owner ----

/// A message that is held, or a request to subscribe.
struct Request {
    enum class Kind : unsigned char { subscription, message };
    Kind kind = Kind::subscription;
    Jid from;
    std::string text;       ///< what was said
    UnixMillis at = 0;      ///< of a message
    std::uint64_t row = 0;  ///< of a message
    std::string body;       ///< of a message: the stanza
};

using Requests = std::vector<Request>;
/// Subscription requests first, then messages in their order.
void list_requests(Account& account, std::function<void(Result<Requests>)> answer);
/// A number may mean another request a moment later; this names one for good.
std::string name_of(const Request& request);
/// `which`: its place in the list, from 1, or its name. A subscription is approved; messages of
/// that sender are delivered, all that are held.
void accept_request(Account& account, std::string which, Done done);
void refuse_request(Account& account, std::string which, Done done);
/// Whoever sent it is blocked and reported, and all that waits of it is refused.
void report_request(Account& account, std::string which, Done done);
/// Keeps a message until its owner accepts it; an error to its sender if too many are held.
void hold_message(Account& account, const PacketRef& packet, AcknowledgementTicket ticket);
/// Whether the owner accepted that message; true once.
bool was_accepted(Account& account, const PacketRef& packet);

inline constexpr std::string_view held_store = "held-messages";

}  // namespace causeway::access
