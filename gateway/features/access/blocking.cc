// XEP-0191 Blocking Command: addresses that the owner of an account wants nothing to do with, the
// head of the account's access rules (gateway/session/account_access.h). With XEP-0377 a client
// says why. A session that goes on after a restart (XEP-0198 §5) is told the list, if it may have
// another.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "gateway/base/cut_text.h"
#include "gateway/base/log.h"
#include "gateway/base/number.h"
#include "gateway/base/random.h"
#include "gateway/base/stable_hash.h"
#include "gateway/features/access/operations.h"
#include "gateway/features/known_version.h"
#include "gateway/route/router.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// The session asked for the list, and hears of its changes. The version is a number made of what
/// is in the list.
struct Interested final : SlotState, KnownVersion {};
constexpr Slot<Interested> interested_slot{"blocking"};
constexpr std::uint64_t unknown = 0;

using Blocked = decltype(AccessState::blocked);

std::uint64_t version_of(const Blocked& blocked) {
    StableHash hash;
    for (const auto& [address, since] : blocked) {
        hash.add(address);
        hash.add("\n");
    }
    return hash.value();
}

std::string items(const Blocked& blocked) {
    XmlBuilder xml;
    for (const auto& [address, since] : blocked) xml.open("item").attribute("jid", address).close();
    return xml.take();
}

/// §3.3.4: a session that asked for the list hears of a change.
void push(Resource& session, std::string_view name, const std::string& items) {
    const std::string inner = XmlBuilder().open(name, ns::blocking).raw(items).close().take();
    session.deliver(Packet::make(StanzaKind::iq, StanzaType::set, session.jid().bare_jid(),
                                 session.jid(), random_token(9), inner),
                    0);
}

// ---- sessions over a restart ----

std::string save(const Resource& session) {
    Interested* its = session.slots.get(interested_slot);
    const Account* account = session.hub().accounts->find(session.jid().bare());
    if (its == nullptr) return {};
    if (account != nullptr && account->loaded()) {
        its->look(session.hub(), version_of(account->access().state().blocked));
    }
    // One that was blocked and is not any more leaves the list as it was, but not what the client
    // knows, which may have got the first push alone.
    return std::to_string(its->on_their_way.empty() ? its->version : unknown);
}

/// A session goes on that may not know the list as it is: it is told all of it.
void push_missed(const Account& account, Resource& session, std::uint64_t known) {
    const Blocked& blocked = account.access().state().blocked;
    if (version_of(blocked) == known) return;
    push(session, "unblock", {});
    if (!blocked.empty()) push(session, "block", items(blocked));
}

void restore(Resource& session, std::string_view version) {
    const std::uint64_t known = read_number<std::uint64_t>(version).value_or(unknown);
    session.slots.make(interested_slot).version = known;
    // Once it goes on.
    session.hub().shard.post([&hub = session.hub(), jid = session.jid(), known] {
        const Account* account = hub.accounts->find(jid.bare());
        if (account == nullptr || !account->loaded()) return;
        Resource* still = account->sessions().find(jid.resource());
        if (still != nullptr) push_missed(*account, *still, known);
    });
}
constexpr std::array session_data{SessionData{"blocking", save, restore}};

void get(const IqRequest& request) {
    const Blocked& blocked = request.account->access().state().blocked;
    Interested& its = request.sender->slots.make(interested_slot);
    its.version = version_of(blocked);
    its.on_their_way.clear();
    IqReturn(request).result(
        XmlBuilder().open("blocklist", ns::blocking).raw(items(blocked)).close().take());
}

void push(Account& account, std::string_view name, const std::vector<std::string>& addresses) {
    XmlBuilder xml;
    for (const std::string& address : addresses) xml.open("item").attribute("jid", address).close();
    const std::string its_items = xml.take();
    const std::uint64_t version = version_of(account.access().state().blocked);
    for (Resource* session : account.sessions().all()) {
        Interested* const its = session->slots.get(interested_slot);
        if (its == nullptr) continue;
        its->look(account.hub(), version);
        push(*session, name, its_items);
    }
}

/// Why an address was blocked (XEP-0377 §2), for whoever watches over the server.
struct Report {
    std::string jid, reason, text;
};
constexpr std::size_t most_reports = 10;  ///< of one request
constexpr std::size_t longest_reason = 200;
constexpr std::size_t longest_text = 500;

std::vector<Report> reports_in(const IqRequest& request) {
    std::vector<Report> reports;
    for (const Element* item = request.payload.first_element();
         item != nullptr && reports.size() < most_reports; item = item->next_element()) {
        const Element* report = item->child(ns::reporting, "report");
        if (report == nullptr) continue;
        const Element* text = report->child(ns::reporting, "text");
        reports.push_back({std::string(item->attribute("jid")),
                           std::string(cut_text(report->attribute("reason"), longest_reason)),
                           text == nullptr ? std::string()
                                           : std::string(cut_text(text->text(request.stanza.arena),
                                                                  longest_text))});
    }
    return reports;
}

/// The addresses in a request; an error is answered, and nothing returned.
std::optional<std::vector<std::string>> read_items(const IqRequest& request) {
    std::vector<std::string> addresses;
    for (const Element* item = request.payload.first_element(); item != nullptr;
         item = item->next_element()) {
        if (!item->is(ns::blocking, "item")) continue;
        const auto jid = Jid::parse(item->attribute("jid"));
        if (!jid) {
            IqReturn(request).error(
                {.condition = StanzaCondition::jid_malformed, .text = jid.error().why()});
            return std::nullopt;
        }
        addresses.emplace_back(jid->full());
    }
    return addresses;
}

void answer(const IqReturn& back, const Outcome& outcome) {
    if (outcome) {
        back.result({});
    } else if (outcome.cause() == Cause::policy) {
        back.error({.condition = StanzaCondition::resource_constraint, .text = outcome.why()});
    } else {
        back.error({.condition = StanzaCondition::internal_server_error,
                    .text = "The list could not be changed: try again later.",
                    .type = "wait"});
    }
}

void block(const IqRequest& request) {
    const IqReturn back(request);
    auto addresses = read_items(request);
    if (!addresses) return;
    if (addresses->empty()) {
        // §3.3.10
        back.error({.condition = StanzaCondition::bad_request, .text = "Name whom to block."});
        return;
    }
    Account& account = *request.account;
    access::block(account, std::move(*addresses),
                  [&account, back, reports = reports_in(request)](const Outcome& outcome) {
                      answer(back, outcome);
                      if (!outcome) return;
                      for (const Report& report : reports) {
                          access::note_report(account, report.jid, report.reason, report.text);
                      }
                  });
}

/// Contacts, and who waits for leave to subscribe, that are blocked now.
std::vector<Jid> blocked_contacts(const Account& account) {
    std::vector<Jid> all;
    for (const auto& [key, item] : account.roster().items().items()) {
        if (account.access().blocks(item.jid)) all.push_back(item.jid);
    }
    return all;
}

/// What the account's sessions missed of a contact that is not blocked any more: its presence was
/// dropped, and its request to subscribe waits, if it did not take it back.
void catch_up(Account& account, const Jid& contact) {
    const RosterItem* item = account.roster().items().find(contact);
    if (item == nullptr) return;
    PacketRef request;
    if (auto read = Packet::from_bytes(item->request)) request = *read;
    for (Resource* session : account.sessions().all()) {
        if (!session->available()) continue;
        if (item->state.to) {
            account.hub().routing->route(Packet::make(StanzaKind::presence, StanzaType::probe,
                                                      session->jid(), contact, random_token(6),
                                                      {}));
        }
        if (request != nullptr) session->deliver(request, 0);
    }
}

void unblock(const IqRequest& request) {
    const IqReturn back(request);
    auto addresses = read_items(request);
    if (!addresses) return;
    Account& account = *request.account;
    const auto before = std::make_shared<std::vector<Jid>>();
    account.access().change(
        [&account, before, addresses = *addresses](AccessState& next) {
            *before = blocked_contacts(account);
            if (addresses.empty()) next.blocked.clear();
            for (const std::string& address : addresses) next.blocked.erase(address);
            return Outcome{};
        },
        [&account, back, before, addresses = *addresses](const Outcome& outcome) {
            answer(back, outcome);
            if (!outcome) return;
            push(account, "unblock", addresses);
            for (const Jid& contact : *before) {
                if (!account.access().blocks(contact)) catch_up(account, contact);
            }
            account.inbox().recount();
            account.inbox().redeliver();
        });
}

// ---- nothing comes in ----

/// §3.3.2: a blocked address is answered as if nobody were there, and its presence goes nowhere.
Verdict drop_presence(AtAccount& at) {
    if (!at.account.access().blocks(at.packet->from())) return Verdict::next;
    at.why = "its sender is blocked";
    return Verdict::dropped;
}

Verdict refuse_iq(AtAccount& at) {
    if (!at.account.access().blocks(at.packet->from())) return Verdict::next;
    const StanzaType type = at.packet->type();
    // An answer to what was asked before the block gets none in turn.
    if (type != StanzaType::get && type != StanzaType::set) return Verdict::dropped;
    return at.refuse({.condition = StanzaCondition::service_unavailable, .text = {}});
}

// ---- and nothing goes out ----

Verdict refuse_own(FromClient& from) {
    const Stanza& stanza = from.stanza;
    if (stanza.to.empty() || !from.account.access().blocks(stanza.to)) return Verdict::next;
    switch (stanza.type) {
        // Taking leave is always possible, and so are answers.
        case StanzaType::unavailable:
        case StanzaType::unsubscribe:
        case StanzaType::unsubscribed:
        case StanzaType::result:
        case StanzaType::error: return Verdict::next;
        default: break;
    }
    // Straight to the client: what comes from a blocked address through the account is dropped.
    const PacketRef error =
        Packet::error_reply(*from.packet(), {.condition = StanzaCondition::not_acceptable,
                                             .text = "This account has blocked that address.",
                                             .type = "cancel",
                                             .detail = "blocked",
                                             .detail_ns = ns::blocking_errors});
    if (error != nullptr) {
        from.session.deliver(error, 0);
        from.hub.trace.note(*from.packet(), {.stage = TraceStage::answer,
                                             .verdict = TraceVerdict::refused,
                                             .where = from.session.jid().full(),
                                             .reason = "not-acceptable"});
    }
    from.why = "the sender has blocked that address";
    return Verdict::dropped;
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::blocking, "blocklist", IqTarget::own, get},
    IqHandler{StanzaType::set, ns::blocking, "block", IqTarget::own, block},
    IqHandler{StanzaType::set, ns::blocking, "unblock", IqTarget::own, unblock},
};
constexpr std::array disco_features{ns::blocking, ns::reporting};
constexpr std::array at_account{AtAccountHook{StanzaKind::presence, Phase::privacy, drop_presence},
                                AtAccountHook{StanzaKind::iq, Phase::privacy, refuse_iq}};
constexpr std::array from_client{FromClientHook{Phase::privacy, refuse_own}};

}  // namespace

namespace access {

void block(Account& account, std::vector<std::string> addresses, Done done) {
    const auto limit = static_cast<std::size_t>(blocked_limit.integer(*account.hub().config));
    account.access().change(
        [addresses, limit, now = account.hub().clock().wall()](AccessState& next) {
            for (const std::string& address : addresses) next.blocked.emplace(address, now);
            return next.blocked.size() <= limit
                       ? Outcome{}
                       : Outcome::policy("Too many addresses are blocked.");
        },
        [&account, addresses, done = std::move(done)](const Outcome& outcome) {
            done(outcome);
            if (!outcome) return;
            account.inbox().recount();
            push(account, "block", addresses);
        });
}

void note_report(const Account& account, std::string_view jid, std::string_view reason,
                 std::string_view text) {
    CAUSEWAY_LOG(warn, "blocking.reported", {"by", account.jid().bare()}, {"jid", jid},
                 {"reason", reason}, {"text", text});
}

}  // namespace access

extern const Feature blocking;
const Feature blocking{.name = "blocking",
                       .xep = 191,
                       .version = "1.3",
                       .server_disco = disco_features,
                       .account_disco = disco_features,
                       .iq = handlers,
                       .points = {.from_client = from_client, .at_account = at_account},
                       .session_data = session_data};

}  // namespace causeway
