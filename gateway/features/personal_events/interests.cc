#include "gateway/features/personal_events/interests.h"

#include <algorithm>
#include <array>
#include <map>

#include "gateway/base/string_hash.h"
#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/personal_events.h"
#include "gateway/session/accounts.h"

namespace causeway::personal_events {
namespace {

/// Of a session that is available and announces capabilities.
struct SessionInterests final : SlotState {
    AnnouncedCapabilities announced;
    InterestsRef interests;    ///< nullptr: not known yet
    InterestsRef before;       ///< until they changed: of what they have it was told all the time
    Moment since = no_moment;  ///< when the last items of the rest were asked for
    /// What was asked about, so that a change of them alone is looked at.
    std::string asked;
};
constexpr Slot<SessionInterests> session_slot{"interests"};

/// The client is sent the last items of the nodes that it wants and did not want before.
void send_all_last_items(const Account& account, const Resource& session,
                         const InterestsRef& wanted, const InterestsRef& known, Moment since) {
    if (wanted->empty()) return;
    const Hub& hub = account.hub();
    send_last_items(hub, account.jid(), session.jid(), wanted, known, since);
    for (const auto& [key, item] : account.roster().items().items()) {
        // Elsewhere the contact's own server does it.
        if (item.state.to && hub.serves(item.jid.domain())) {
            send_last_items(hub, item.jid, session.jid(), wanted, known, since);
        }
    }
}

enum class Cause : unsigned char { presence, resumption };

void look_up(Account& account, Resource& session, SessionInterests& state, Cause cause) {
    std::string key = state.announced.key();
    if (state.asked == key) return;
    state.asked = std::move(key);
    Hub& hub = account.hub();
    CapabilitiesResolver::of(hub).resolve(
        state.announced, account.jid(), session.jid(),
        [&hub, jid = session.jid(), asked = state.asked,
         cause](const CapabilitiesResolver::Answer& answer) {
            Account* owner = hub.accounts->find(jid.bare());
            Resource* still = owner == nullptr ? nullptr : owner->sessions().find(jid.resource());
            SessionInterests* slot = still == nullptr ? nullptr : still->slots.get(session_slot);
            if (slot == nullptr || slot->asked != asked) return;
            if (answer.interests == nullptr) {
                slot->asked.clear();  // its next presence is another occasion
                return;
            }
            slot->before = std::exchange(slot->interests, answer.interests);
            if (cause == Cause::resumption) return;
            slot->since = this_moment();
            send_all_last_items(*owner, *still, answer.interests, slot->before, slot->since);
        });
}

}  // namespace

Verdict note_announced(FromClient& from) {
    if (from.stanza.kind != StanzaKind::presence || !from.stanza.to.empty()) return Verdict::next;
    if (from.stanza.type == StanzaType::unavailable) {
        from.session.slots.drop(session_slot);
    } else if (from.stanza.type == StanzaType::available) {
        // Presence without capabilities changes nothing of them.
        if (auto announced = announced_in(from.stanza.element)) {
            from.session.slots.make(session_slot).announced = std::move(*announced);
        }
    }
    return Verdict::next;
}

void presence_changed(const Life& life) {
    SessionInterests* state = life.session->slots.get(session_slot);
    if (state != nullptr && life.session->available()) {
        look_up(*life.account, *life.session, *state, Cause::presence);
    }
}

// A session that goes on after the end of the process.

std::string save_interests(const Resource& session) {
    const SessionInterests* state = session.slots.get(session_slot);
    if (state == nullptr) return {};
    const AnnouncedCapabilities& announced = state->announced;
    return announced.hash + ' ' + announced.ver + ' ' + announced.node;
}

void restore_interests(Resource& session, std::string_view saved) {
    const std::size_t hash_end = saved.find(' ');
    const std::size_t ver_end = saved.find(' ', hash_end + 1);
    if (hash_end == std::string_view::npos || ver_end == std::string_view::npos) return;
    session.slots.make(session_slot).announced = {
        .hash = std::string(saved.substr(0, hash_end)),
        .node = std::string(saved.substr(ver_end + 1)),
        .ver = std::string(saved.substr(hash_end + 1, ver_end - hash_end - 1))};
}

void session_resumed(const Life& life) {
    SessionInterests* state = life.session->slots.get(session_slot);
    if (state != nullptr) look_up(*life.account, *life.session, *state, Cause::resumption);
}

// ---- clients elsewhere ----

namespace {

struct RemoteClient {
    Jid jid;
    AnnouncedCapabilities announced;
    InterestsRef interests;             ///< nullptr: not known yet
    Moment since = no_moment;           ///< when they became known
    std::vector<Jid> waiting;           ///< accounts to be told when it is
    std::vector<std::size_t> accounts;  ///< hashes of those that it is available to, sorted
};

/// By the domain, which is forgotten as a whole, and by the full address.
struct RemoteClients final : SlotState {
    using OfDomain = std::map<std::string, RemoteClient, std::less<>>;
    std::unordered_map<std::string, OfDomain, StringHash, std::equal_to<>> domains;
    std::size_t count = 0;

    RemoteClient* find(const Jid& client) {
        const auto domain = domains.find(client.domain());
        if (domain == domains.end()) return nullptr;
        const auto found = domain->second.find(client.full());
        return found == domain->second.end() ? nullptr : &found->second;
    }
    void erase(const Jid& client) {
        const auto domain = domains.find(client.domain());
        if (domain == domains.end()) return;
        count -= domain->second.erase(std::string(client.full()));
        if (domain->second.empty()) domains.erase(domain);
    }
};
constexpr Slot<RemoteClients> remote_slot{"remote_interests"};

std::size_t hash_of(const Jid& account) { return std::hash<std::string_view>{}(account.bare()); }

/// Calls `visit` for each client of a bare address.
void each_client(RemoteClients& clients, const Jid& contact, const auto& visit) {
    const auto domain = clients.domains.find(contact.domain());
    if (domain == clients.domains.end()) return;
    const std::string prefix = std::string(contact.bare()) + '/';
    for (auto at = domain->second.lower_bound(prefix);
         at != domain->second.end() && at->first.starts_with(prefix); ++at) {
        visit(at->second);
    }
}

void remote_resolved(Hub& hub, const Jid& client, const std::string& key,
                     const InterestsRef& interests) {
    RemoteClient* known = hub.slots.make(remote_slot).find(client);
    if (known == nullptr || known->announced.key() != key) return;
    if (interests == nullptr) {
        known->announced = {};  // its next presence is another occasion
        known->waiting.clear();
        return;
    }
    known->interests = interests;
    known->since = this_moment();
    for (const Jid& account : std::exchange(known->waiting, {})) {
        if (interests->empty()) continue;
        send_last_items(hub, account, client, interests, nullptr, known->since);
    }
}

void remote_available(Hub& hub, const Jid& client, const Jid& account,
                      const AnnouncedCapabilities& announced) {
    RemoteClients& clients = hub.slots.make(remote_slot);
    RemoteClient* known = clients.find(client);
    if (known == nullptr) {
        const auto domain = clients.domains.find(client.domain());
        if (clients.count >= remote_clients_limit ||
            (domain != clients.domains.end() &&
             domain->second.size() >= remote_clients_of_domain)) {
            return;
        }
        ++clients.count;
        known = &clients.domains[std::string(client.domain())][std::string(client.full())];
        known->jid = client;
    }
    const bool changed = known->announced != announced;
    if (changed) {
        known->announced = announced;
        known->interests = nullptr;
        known->waiting.clear();
        known->accounts.clear();
    }
    const std::size_t hash = hash_of(account);
    const auto at = std::ranges::lower_bound(known->accounts, hash);
    if (at != known->accounts.end() && *at == hash) return;
    if (known->accounts.size() >= accounts_of_remote_client) return;
    known->accounts.insert(at, hash);
    if (known->interests != nullptr) {
        if (!known->interests->empty()) {
            send_last_items(hub, account, client, known->interests, nullptr, this_moment());
        }
        return;
    }
    known->waiting.push_back(account);
    if (!changed) return;  // it is asked already
    CapabilitiesResolver::of(hub).resolve(
        announced, account, client,
        [&hub, client, key = announced.key()](const CapabilitiesResolver::Answer& answer) {
            remote_resolved(hub, client, key, answer.interests);
        });
}

void remote_unavailable(Hub& hub, const Jid& client, const Jid& account) {
    RemoteClients* clients = hub.slots.get(remote_slot);
    if (clients == nullptr) return;
    std::vector<Jid> gone;
    const auto forget = [&](RemoteClient& known) {
        std::erase(known.accounts, hash_of(account));
        std::erase(known.waiting, account);
        if (known.accounts.empty()) gone.push_back(known.jid);
    };
    if (!client.has_resource()) {
        each_client(*clients, client, forget);
    } else if (RemoteClient* known = clients->find(client)) {
        forget(*known);
    }
    for (const Jid& each : gone) clients->erase(each);
}

/// Calls `then` with the account, if it exists, behind the changes of its roster that came before.
void with_account(const Hub& from, const Jid& bare, std::function<void(Account&)> then) {
    Hub& home = from.home_of(bare.bare());
    from.at(home, [&home, bare, then = std::move(then)] {
        Account& account = home.accounts->get(bare.bare());
        account.begin_question();
        account.in_order([&account, then](const Outcome& loaded) {
            if (loaded && account.exists()) then(account);
        });
        account.end_question();
    });
}

}  // namespace

/// Only contacts are noted: nobody else is told of events, and strangers are beyond number.
Verdict note_remote(FromServer& from) {
    const Stanza& stanza = from.stanza;
    if (stanza.kind != StanzaKind::presence || !stanza.to.has_local() ||
        from.hub.target_of(stanza.to.domain()).kind != Target::Kind::accounts) {
        return Verdict::next;
    }
    const Jid account = stanza.to.bare_jid();
    if (stanza.type == StanzaType::unavailable) {
        with_account(from.hub, account, [client = stanza.from](Account& owner) {
            Hub& home = owner.hub().home_of(client.domain());
            owner.hub().at(home, [&home, client, bare = owner.jid()] {
                remote_unavailable(home, client, bare);
            });
        });
    } else if (stanza.type == StanzaType::available && stanza.from.has_resource()) {
        const auto announced = announced_in(stanza.element);
        if (!announced) return Verdict::next;
        with_account(from.hub, account,
                     [client = stanza.from, announced = *announced](Account& owner) {
                         const RosterItem* item = owner.roster().items().find(client.bare_jid());
                         if (item == nullptr || !(item->state.to || item->state.from)) return;
                         Hub& home = owner.hub().home_of(client.domain());
                         owner.hub().at(home, [&home, client, bare = owner.jid(), announced] {
                             remote_available(home, client, bare, announced);
                         });
                     });
    }
    return Verdict::next;
}

/// What is there now is told anew when the domain is back (RFC 6121 §4.3).
void link_down(const Life& life) {
    RemoteClients* clients = life.hub.slots.get(remote_slot);
    if (clients == nullptr) return;
    const auto found = clients->domains.find(life.contact->domain());
    if (found == clients->domains.end()) return;
    clients->count -= found->second.size();
    clients->domains.erase(found);
}

// ---- both ----

namespace {

bool takes(const InterestsRef& interests, Moment since, const Jid& client,
           const Occasion& occasion) {
    return interests != nullptr && interests->has(occasion.node) && occasion.moment > since &&
           std::ranges::find(occasion.except, client) == occasion.except.end();
}

void deliver(Account& account, const PacketRef& event, const Occasion& occasion) {
    // The list of sessions may change while one of them is given something.
    AccountSessions::Some takers;
    for (Resource* session : account.sessions().all()) {
        const SessionInterests* state = session->slots.get(session_slot);
        if (!session->available() || state == nullptr) continue;
        const bool as_before = state->before != nullptr && state->before->has(occasion.node);
        const Moment since = as_before ? no_moment : state->since;
        if (takes(state->interests, since, session->jid(), occasion)) takers.push_back(session);
    }
    for (const Resource* session : takers) {
        account.receive(event->readdressed(session->jid()), {});
        account.hub().metrics.add(notified);
    }
}

}  // namespace

void deliver_to_interested(Hub& home, const Jid& contact, const PacketRef& event,
                           const Occasion& occasion) {
    if (home.serves(contact.domain())) {
        Account* account = home.accounts->find(contact.bare());
        if (account != nullptr) deliver(*account, event, occasion);
        return;
    }
    RemoteClients* clients = home.slots.get(remote_slot);
    if (clients == nullptr) return;
    each_client(*clients, contact, [&](const RemoteClient& known) {
        if (!takes(known.interests, known.since, known.jid, occasion)) return;
        home.routing->route(event->readdressed(known.jid));
        home.metrics.add(notified);
    });
}

void may_hear_from_now_on(const Hub& from, const Jid& contact, const Jid& owner,
                          const std::string& node) {
    const bool here = from.serves(contact.domain());
    Hub& home = from.home_of(here ? contact.bare() : contact.domain());
    from.at(home, [&home, here, contact = contact.bare_jid(), owner = owner.bare_jid(), node] {
        const auto send = [&](const Jid& client, const InterestsRef& interests) {
            if (interests == nullptr || interests->empty()) return;
            if (node.empty()) {
                send_last_items(home, owner, client, interests, nullptr);
            } else if (interests->has(node)) {
                send_last_items(home, owner, client, std::make_shared<const Interests>(node),
                                nullptr);
            }
        };
        if (!here) {
            if (RemoteClients* clients = home.slots.get(remote_slot)) {
                each_client(*clients, contact,
                            [&](const RemoteClient& known) { send(known.jid, known.interests); });
            }
            return;
        }
        const Account* account = home.accounts->find(contact.bare());
        if (account == nullptr) return;
        for (const Resource* session : account->sessions().all()) {
            const SessionInterests* state = session->slots.get(session_slot);
            if (session->available() && state != nullptr) send(session->jid(), state->interests);
        }
    });
}

}  // namespace causeway::personal_events
