// Contacts at a domain that is out of contact. RFC 6121 §4.3 leaves open what becomes of presence
// when a link between servers breaks: what was said meanwhile is lost in both directions.
//
// A domain is out of contact from the moment when no stream with it is left, in either direction,
// because one broke or fell silent or an attempt failed, until a stream is proven again (s2s tells
// that by link_down and link_up). If it stays so for s2s.unreachable_minutes, each session here
// that was shown a contact there as available is shown it as unavailable. When the domain is back,
// contacts there are probed, and the presence of the sessions here is sent to them again.
//
// What a session was shown goes with it over the end of the process (XEP-0198 §5): if it was shown
// contacts at a domain that we had no contact with since then, that is an outage as well.
//
// Each session keeps which full addresses of contacts elsewhere it was shown as available; each
// shard keeps which accounts have contacts at which domains; the home of a domain keeps since when
// it has been out of contact.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gateway/base/string_hash.h"
#include "gateway/feature/feature.h"
#include "gateway/features/shown_contacts.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/builder.h"

namespace causeway {
namespace {

/// Domains of one home that are remembered as out of contact; beyond that the oldest is forgotten.
constexpr std::size_t outage_limit = 20'000;
/// How long a domain is remembered so, at least; as long as it is tried, if that is longer.
constexpr Duration outage_remembered{24 * 60 * 60'000};
/// How long contacts' servers have for their answers: an address that was available before, and is
/// not named by then although the contact's server answered, is not available any more. A domain
/// whose link breaks again and again is not asked more often.
constexpr Duration time_to_answer{60'000};
/// Accounts that are seen to in one turn of the shard.
constexpr std::size_t accounts_in_a_turn = 100;

constexpr FeatureOption unreachable_minutes{
    .key = "s2s.unreachable_minutes",
    .kind = FeatureOption::Kind::integer,
    .reload = Reload::live,
    .form = {},
    .example = "5",
    .doc =
        "Minutes without contact to a domain after which contacts there are shown as "
        "unavailable, until it is back; 0 leaves them as they were.",
    .minimum = 0,
    .maximum = 1440,
    .fallback = 5};
constexpr std::array<const FeatureOption*, 1> options{&unreachable_minutes};

constexpr Metric shown_unavailable{
    .name = "contacts_shown_unreachable",
    .help = "Presence that told a session that a contact's domain cannot be reached."};
constexpr Metric outages_now{.name = "contact_outages",
                             .kind = Metric::Kind::gauge,
                             .help = "Domains that are out of contact, or were a minute ago."};
constexpr std::array metrics{&shown_unavailable, &outages_now};

// ---- what a session was shown ----

constexpr Slot<ShownContacts> shown_slot{"shown_contacts"};

// ---- what a shard knows ----

struct Outage {
    enum class Stage : unsigned char {
        expected,  ///< not in contact yet since our start; sessions that are back asked it
        lost,      ///< out of contact
        shown,     ///< and contacts there are shown as unavailable
        back,      ///< in contact again, and contacts there are still to be asked
        asked,
    };
    Stage stage = Stage::lost;
    TimePoint since{};  ///< out of contact
    TimePoint asked{};  ///< when its contacts were asked last, if ever
};

struct ShardState final : SlotState {
    /// By domains that have their home here.
    std::unordered_map<std::string, Outage, StringHash, std::equal_to<>> outages;
    /// Domains whose contacts are shown as unavailable to the accounts here.
    std::unordered_set<std::string, StringHash, std::equal_to<>> unreachable;
    /// Accounts here that have sessions and contacts at a domain.
    std::unordered_map<std::string, std::unordered_set<Account*>, StringHash, std::equal_to<>>
        watchers;
};
constexpr Slot<ShardState> shard_slot{"outages"};

ShardState& state_of(Hub& hub) { return hub.slots.make(shard_slot); }

/// Where an account stands among the watchers.
class Watching final : public SlotState {
public:
    explicit Watching(Account& account) : account_(account) {}
    ~Watching() override {
        ShardState& state = state_of(account_.hub());
        for (const std::string& domain : domains_) {
            const auto found = state.watchers.find(domain);
            if (found == state.watchers.end()) continue;
            found->second.erase(&account_);
            if (found->second.empty()) state.watchers.erase(found);
        }
    }

    void add(std::string_view domain) {
        if (domains_.contains(domain)) return;
        domains_.emplace(domain);
        state_of(account_.hub()).watchers[std::string(domain)].insert(&account_);
    }

private:
    Account& account_;
    std::set<std::string, std::less<>> domains_;
};
constexpr Slot<Watching> watching_slot{"watched_domains"};

// ---- what is learnt on the way of presence ----

/// What is sent to contacts elsewhere, or asked of them.
Verdict sent_to_contact(ToServer& outgoing) {
    const Packet& packet = *outgoing.packet;
    if (packet.kind() != StanzaKind::presence || packet.directed() ||
        (packet.type() != StanzaType::available && packet.type() != StanzaType::probe)) {
        return Verdict::next;
    }
    if (Account* account = outgoing.hub.accounts->find(packet.from().bare())) {
        account->slots.make(watching_slot, *account).add(packet.to().domain());
    }
    return Verdict::next;
}

bool is_contact(const Account& account, const Jid& who) {
    const auto& items = account.roster().items().items();
    const auto found = items.find(who.bare());
    return found != items.end() && found->second.state.to;
}

ClientVerdict shown_to_client(const ToClient& outgoing) {
    const Packet& packet = *outgoing.packet;
    if (packet.kind() != StanzaKind::presence) return ClientVerdict::now;
    Resource& session = outgoing.session;
    Hub& hub = session.hub();
    if (hub.serves(packet.from().domain())) return ClientVerdict::now;
    if (packet.type() == StanzaType::unavailable) {
        if (ShownContacts* shown = session.slots.get(shown_slot)) shown->unavailable(packet.from());
    } else if (packet.type() == StanzaType::available) {
        Account* account = hub.accounts->find(session.jid().bare());
        if (account != nullptr && is_contact(*account, packet.from())) {
            session.slots.make(shown_slot).available(packet.from());
            account->slots.make(watching_slot, *account).add(packet.from().domain());
        }
    }
    return ClientVerdict::now;
}

// ---- over the end of the process ----

std::string save(const Resource& session) {
    const ShownContacts* shown = session.slots.get(shown_slot);
    return shown == nullptr ? std::string{} : shown->text();
}

void restore(Resource& session, std::string_view saved) {
    const Hub& hub = session.hub();
    Account* account = hub.accounts->find(session.jid().bare());
    if (account == nullptr) return;
    for (const Jid& contact : ShownContacts::addresses_in(saved)) {
        // The others are not asked when the session is back.
        if (hub.serves(contact.domain()) || !is_contact(*account, contact) ||
            account->access().blocks(contact)) {
            continue;
        }
        session.slots.make(shown_slot).restore(contact);
        account->slots.make(watching_slot, *account).add(contact.domain());
    }
}
constexpr std::array session_data{SessionData{"shown_contacts", save, restore}};

void session_gone(const Life& life) {
    if (life.account->sessions().empty()) life.account->slots.drop(watching_slot);
}

// ---- what is done for the accounts of a shard ----

void show_unavailable(Resource& session, const Jid& contact) {
    session.hub().metrics.add(shown_unavailable);
    session.deliver(
        Packet::make(StanzaKind::presence, StanzaType::unavailable, contact, session.jid(), {},
                     XmlBuilder()
                         .element("status", fmt::format("{} cannot be reached.", contact.domain()))
                         .take()),
        0);
}

void show_all_unavailable(Resource& session, std::string_view domain) {
    ShownContacts* shown = session.slots.get(shown_slot);
    if (shown == nullptr || !session.available()) return;
    for (const auto& [contact, word] : shown->take(domain)) show_unavailable(session, contact);
}

void show_all_unavailable(Account& account, std::string_view domain) {
    for (Resource* session : account.sessions().all()) show_all_unavailable(*session, domain);
}

/// RFC 6121 §4.3.1, §4.2.2, as at a first presence; the answers go to every session.
void ask_contacts(Account& account, std::string_view domain) {
    bool any = false;
    for (Resource* session : account.sessions().all()) {
        if (!session->available()) continue;
        any = true;
        if (ShownContacts* shown = session->slots.get(shown_slot)) shown->ask_again(domain);
    }
    if (any) account.presence().renew(domain);
}

void show_not_named(Account& account, std::string_view domain) {
    for (Resource* session : account.sessions().all()) {
        ShownContacts* shown = session->slots.get(shown_slot);
        if (shown == nullptr || !session->available()) continue;
        for (const Jid& contact : shown->not_named(domain)) show_unavailable(*session, contact);
    }
}

/// Visits the accounts of one shard that have contacts at a domain, some in each turn, as long as
/// the domain stays reachable or not.
class Round : public std::enable_shared_from_this<Round> {
public:
    using Visit = void (*)(Account& account, std::string_view domain);

    Round(Hub& hub, std::string domain, Visit visit)
        : hub_(hub), domain_(std::move(domain)), visit_(visit), reachable_(reachable()) {
        const auto& watchers = state_of(hub_).watchers;
        const auto found = watchers.find(domain_);
        if (found == watchers.end()) return;
        for (const Account* account : found->second) accounts_.emplace_back(account->jid().bare());
    }

    void go_on() {
        if (reachable() != reachable_) return;
        for (std::size_t i = 0; i < accounts_in_a_turn && !accounts_.empty(); ++i) {
            if (Account* account = hub_.accounts->find(accounts_.back())) visit_(*account, domain_);
            accounts_.pop_back();
        }
        if (!accounts_.empty()) hub_.shard.post([self = shared_from_this()] { self->go_on(); });
    }

private:
    [[nodiscard]] bool reachable() const { return !state_of(hub_).unreachable.contains(domain_); }

    Hub& hub_;
    const std::string domain_;
    const Visit visit_;
    const bool reachable_;
    std::vector<std::string> accounts_;
};

/// On every shard, for the accounts there. `reachable`: as the domain is from now on.
void everywhere(const Hub& from, const std::string& domain, bool reachable, Round::Visit visit) {
    for (Hub* hub : from.shared.hubs) {
        from.at(*hub, [hub, domain, reachable, visit] {
            if (reachable) {
                state_of(*hub).unreachable.erase(domain);
            } else {
                state_of(*hub).unreachable.insert(domain);
            }
            std::make_shared<Round>(*hub, domain, visit)->go_on();
        });
    }
}

// ---- what becomes of a domain, at its home ----

void ask(const Hub& hub, const std::string& domain, Outage& outage) {
    outage.stage = Outage::Stage::asked;
    outage.asked = hub.clock().now();
    everywhere(hub, domain, true, ask_contacts);
}

bool may_ask(const Hub& hub, const std::string& domain, const Outage& outage) {
    // What is sent for this alone is no reason to end a pause between attempts.
    if (hub.remote != nullptr && hub.remote->pausing(domain)) return false;
    return outage.asked == TimePoint{} || hub.clock().now() - outage.asked >= time_to_answer;
}

void nothing_to_do(Account&, std::string_view) {}

void forget(Hub& hub, const std::string& domain, const Outage& outage) {
    hub.metrics.add(outages_now, 0, -1);
    if (outage.stage == Outage::Stage::shown) everywhere(hub, domain, true, nothing_to_do);
}

void forget_oldest(Hub& hub,
                   std::unordered_map<std::string, Outage, StringHash, std::equal_to<>>& outages) {
    const auto oldest =
        std::ranges::min_element(outages, {}, [](const auto& entry) { return entry.second.since; });
    forget(hub, oldest->first, oldest->second);
    outages.erase(oldest);
}

Outage& begin_outage(Hub& hub, const std::string& domain, Outage::Stage stage) {
    auto& outages = state_of(hub).outages;
    if (outages.size() >= outage_limit) forget_oldest(hub, outages);
    hub.metrics.add(outages_now);
    Outage& outage = outages[domain];
    outage.stage = stage;
    outage.since = hub.clock().now();
    return outage;
}

void link_down(const Life& life) {
    auto& outages = state_of(life.hub).outages;
    const std::string domain(life.contact->domain());
    const auto known = outages.find(domain);
    if (known == outages.end()) {
        begin_outage(life.hub, domain, Outage::Stage::lost);
        return;
    }
    Outage& outage = known->second;
    if (outage.stage == Outage::Stage::shown) return;
    if (outage.stage >= Outage::Stage::back) outage.since = life.hub.clock().now();
    outage.stage = Outage::Stage::lost;
}

/// A session that an earlier process had asks contacts at that domain now, some of which it was
/// shown as available.
void asked_by_session(Hub& hub, const std::string& domain) {
    auto& outages = state_of(hub).outages;
    const auto known = outages.find(domain);
    const bool in_contact = hub.remote != nullptr && hub.remote->in_contact(domain);
    if (known == outages.end() && !in_contact) {
        begin_outage(hub, domain, Outage::Stage::expected);
    } else if (known == outages.end()) {
        begin_outage(hub, domain, Outage::Stage::asked).asked = hub.clock().now();
    } else if (known->second.stage == Outage::Stage::asked) {
        known->second.asked = hub.clock().now();
    }
}

void presence_changed(const Life& life) {
    ShownContacts* shown = life.session->slots.get(shown_slot);
    if (shown == nullptr) return;
    if (!life.session->available()) {
        life.session->slots.drop(shown_slot);
        return;
    }
    for (const std::string& domain : shown->take_restored()) {
        if (state_of(life.hub).unreachable.contains(domain)) {
            show_all_unavailable(*life.session, domain);
            continue;
        }
        Hub& home = life.hub.home_of(domain);
        life.hub.at(home, [&home, domain] { asked_by_session(home, domain); });
    }
}

void link_up(const Life& life) {
    auto& outages = state_of(life.hub).outages;
    const auto found = outages.find(life.contact->domain());
    if (found == outages.end()) return;
    Outage& outage = found->second;
    // Nothing was lost: that would have been told by link_down.
    if (outage.stage == Outage::Stage::asked) return;
    if (outage.stage == Outage::Stage::expected) {
        outage.stage = Outage::Stage::asked;
        outage.asked = life.hub.clock().now();
    } else if (may_ask(life.hub, found->first, outage)) {
        ask(life.hub, found->first, outage);
    } else {
        outage.stage = Outage::Stage::back;
    }
}

/// Once a minute. True: nothing is left to be done for the domain.
bool look_at(Hub& hub, const std::string& domain, Outage& outage) {
    const std::chrono::minutes patience(unreachable_minutes.integer(*hub.config));
    const TimePoint now = hub.clock().now();
    const Duration remembered =
        std::max<Duration>(outage_remembered, hub.limits().remote_queue_seconds);
    if (outage.stage < Outage::Stage::back && now - outage.since >= remembered) {
        forget(hub, domain, outage);
        return true;
    }
    switch (outage.stage) {
        case Outage::Stage::expected:
        case Outage::Stage::lost:
            if (patience.count() == 0 || now - outage.since < patience) return false;
            outage.stage = Outage::Stage::shown;
            everywhere(hub, domain, false, show_all_unavailable);
            return false;
        case Outage::Stage::shown: return false;
        case Outage::Stage::back:
            if (may_ask(hub, domain, outage)) ask(hub, domain, outage);
            return false;
        case Outage::Stage::asked: break;
    }
    if (now - outage.asked < time_to_answer) return false;
    everywhere(hub, domain, true, show_not_named);
    forget(hub, domain, outage);
    return true;
}

void tick(const Life& life) {
    auto& outages = state_of(life.hub).outages;
    for (auto at = outages.begin(); at != outages.end();) {
        at = look_at(life.hub, at->first, at->second) ? outages.erase(at) : std::next(at);
    }
}

constexpr std::array to_server{ToServerHook{Phase::copy, sent_to_contact}};
constexpr std::array to_client{ToClientHook{Phase::check, shown_to_client}};
constexpr std::array life{LifeHook{LifeEvent::presence_changed, presence_changed},
                          LifeHook{LifeEvent::session_gone, session_gone},
                          LifeHook{LifeEvent::link_down, link_down},
                          LifeHook{LifeEvent::link_up, link_up}, LifeHook{LifeEvent::tick, tick}};

}  // namespace

extern const Feature unreachable_contacts;
const Feature unreachable_contacts{
    .name = "unreachable_contacts",
    .points = {.to_client = to_client, .to_server = to_server, .life = life},
    .session_data = session_data,
    .options = options,
    .metrics = metrics};

}  // namespace causeway
