// XEP-0175 Anonymous accounts, where domain.anonymous says so (SASL ANONYMOUS, RFC 4505). Such an
// account has a random name and a password that nobody knows; its client may chat, and ask to see
// somebody's presence (RFC 2779 §5.1.3), but changes nothing else that would be kept, and reaches
// no other domain unless anonymous.other_domains says so. Service discovery tells it of what works
// so, in its account and of its domain. It is removed with everything of it when
// its last session ends. One whose client never bound a session is removed within minutes, one that
// a crash left behind at the next start.
//
// The first shard counts them, by network and in all.
#include "gateway/features/anonymous.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/control/operations.h"
#include "gateway/feature/feature.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace anonymous {
namespace {

constexpr std::string_view store_name = "anonymous";
constexpr std::string_view key = "made";
/// A client that has not bound a session by then never will.
constexpr Duration time_to_bind{2 * 60'000};
constexpr std::size_t page = 200;

constexpr FeatureOption other_domains{
    .key = "anonymous.other_domains",
    .kind = FeatureOption::Kind::boolean,
    .form = {},
    .example = "true",
    .doc = "Whether they may write to other domains.",
    .section_doc = "Clients without an account, on domains with domain.anonymous."};
constexpr FeatureOption accounts{.key = "anonymous.accounts",
                                 .kind = FeatureOption::Kind::integer,
                                 .form = {},
                                 .example = "1000",
                                 .doc = "How many there may be at a time, on all domains.",
                                 .minimum = 1,
                                 .maximum = 1'000'000,
                                 .fallback = 1000};
constexpr FeatureOption accounts_per_network{
    .key = "anonymous.accounts_per_network",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "20",
    .doc = "The same from one network (an IPv4 /24, an IPv6 /64).",
    .minimum = 1,
    .maximum = 1'000'000,
    .fallback = 20};
constexpr std::array options{&allows_anonymous, &other_domains, &accounts, &accounts_per_network};

/// Those that there are, on the first shard.
class Guests final : public SlotState {
public:
    struct Guest {
        std::string network;
        TimePoint since;
    };

    bool admit(const Hub& hub, const std::string& bare, const std::string& network) {
        if (std::cmp_greater_equal(guests_.size(), accounts.integer(*hub.config))) return false;
        std::int64_t& count = of_network_[network];
        if (count >= accounts_per_network.integer(*hub.config)) return false;
        ++count;
        guests_.emplace(bare, Guest{network, hub.clock().now()});
        return true;
    }

    void gone(const std::string& bare) {
        const auto guest = guests_.find(bare);
        if (guest == guests_.end()) return;
        const auto network = of_network_.find(guest->second.network);
        if (--network->second == 0) of_network_.erase(network);
        guests_.erase(guest);
    }

    [[nodiscard]] bool has(const std::string& bare) const { return guests_.contains(bare); }

    /// Those that are old enough to have a session.
    [[nodiscard]] std::vector<std::string> settled(TimePoint now) const {
        std::vector<std::string> found;
        for (const auto& [bare, guest] : guests_) {
            if (guest.since + time_to_bind < now) found.push_back(bare);
        }
        return found;
    }

private:
    std::unordered_map<std::string, Guest> guests_;
    std::unordered_map<std::string, std::int64_t> of_network_;
};
constexpr Slot<Guests> slot{"anonymous accounts"};

void remove(Hub& hub, const std::string& bare) {
    if (hub.shared.operations == nullptr) return;
    Hub& first = *hub.shared.hubs.front();
    hub.shared.control->post([&first, bare] {
        first.shared.operations->remove_user(bare, [&first, bare](const Outcome& outcome) {
            if (!outcome && outcome.cause() != Cause::absent) {
                CAUSEWAY_LOG(warn, "anonymous.not_removed", {"jid", bare},
                             {"cause", outcome.why()});
                return;
            }
            first.shard.post([&first, bare] {
                first.slots.make(slot).gone(bare);
                Batch batch;
                batch.map_erase(store_name, bare, key);
                first.shared.store.commit(std::move(batch), first.shard, {});
            });
        });
    });
}

void add(Hub& hub, const Jid& jid, std::function<void(const Result<Jid>&)> done) {
    Batch batch;
    batch.map_set(store_name, jid.bare(), key, "1");
    const std::string bare(jid.bare());
    hub.shared.store.commit(
        std::move(batch), hub.shard, [&hub, jid, bare, done = std::move(done)](Outcome marked) {
            if (!marked) {
                done(marked);
                return;
            }
            hub.shared.control->post([&hub, jid, bare, done] {
                // Nobody knows the password, so one iteration protects it as well as many.
                hub.shared.operations->add_user(
                    {bare, random_token(32)}, 1, [&hub, jid, done](const Outcome& added) {
                        hub.shard.post([jid, done, added] {
                            done(added ? Result<Jid>(jid) : Result<Jid>(added));
                        });
                    });
            });
        });
}

}  // namespace

bool offered(const Hub& hub, std::string_view domain) {
    return allows_anonymous.boolean(*hub.config, domain);
}

bool is_anonymous(const Hub& hub, const Jid& jid) { return is_anonymous_account(hub, jid); }

void make(Hub& hub, std::string_view domain, std::string network,
          std::function<void(const Result<Jid>&)> done) {
    const auto jid =
        Jid::make(std::string(anonymous_prefix) + ascii_lower(random_token(15)), domain);
    if (!jid) {
        hub.shard.post([done = std::move(done), jid] { done(jid); });
        return;
    }
    Hub& first = *hub.shared.hubs.front();
    hub.at(first, [&first, &hub, jid = *jid, network = std::move(network), done = std::move(done)] {
        const bool admitted = first.slots.make(slot).admit(first, std::string(jid.bare()), network);
        // Always later: whoever asks is not called while it is asking.
        hub.shard.post([&hub, jid, done, admitted] {
            if (admitted) {
                add(hub, jid, done);
            } else {
                done(Outcome::policy("too many clients without an account; try again later"));
            }
        });
    });
}

namespace {

// ---- what they may not ----

/// A change of what an account here has. What changes the session alone may be asked for; all else,
/// what features of a later day keep included, may not.
bool is_change(const Hub& hub, const Stanza& stanza) {
    if (stanza.kind != StanzaKind::iq || stanza.type != StanzaType::set) return false;
    const bool of_account =
        stanza.to.empty() || (!stanza.to.has_resource() && hub.serves(stanza.to.domain()));
    const Element* payload = stanza.payload();
    if (!of_account || payload == nullptr) return false;
    if (payload->ns == ns::archive) return payload->name != "query";
    constexpr std::array of_session{ns::bind, ns::session, ns::carbons, ns::ping};
    return std::ranges::find(of_session, payload->ns) == of_session.end();
}

bool is_kept(const Hub& hub, const Stanza& stanza) {
    if (stanza.kind != StanzaKind::presence) return is_change(hub, stanza);
    // It may ask to see somebody's presence: what the other decides holds until it is gone. Nobody
    // can ask that of it.
    return stanza.type == StanzaType::subscribed || stanza.type == StanzaType::unsubscribed;
}

Verdict restrict_clients(FromClient& from) {
    if (!is_anonymous(from.hub, from.account.jid())) return Verdict::next;
    if (is_kept(from.hub, from.stanza)) {
        return from.refuse({.condition = StanzaCondition::not_allowed,
                            .text = "Nothing is kept for a client without an account."});
    }
    const Jid& to = from.stanza.to;
    if (to.empty() || from.hub.serves(to.domain()) || other_domains.boolean(*from.hub.config)) {
        return Verdict::next;
    }
    return from.refuse({.condition = StanzaCondition::not_allowed,
                        .text = "A client without an account reaches this server only."});
}

// ---- their end ----

void session_gone(const Life& life) {
    const Account& account = *life.account;
    if (account.sessions().empty() && is_anonymous(life.hub, account.jid())) {
        // An account of such a name that the administrator made stays.
        Hub& first = *life.hub.shared.hubs.front();
        life.hub.at(first, [&first, bare = std::string(account.jid().bare())] {
            if (first.slots.make(slot).has(bare)) remove(first, bare);
        });
    }
}

void sweep(const Life& life) {
    const Guests* guests = life.hub.slots.get(slot);
    if (guests == nullptr) return;
    for (const std::string& bare : guests->settled(life.hub.clock().now())) {
        Hub& home = life.hub.home_of(bare);
        life.hub.at(home, [&home, bare] {
            const Account* account = home.accounts->find(bare);
            if (account == nullptr || account->sessions().empty()) remove(home, bare);
        });
    }
}

/// What the process before this one left behind.
void remove_leftovers(Hub& hub, const std::string& after) {
    hub.shared.store.map_scan(std::string(store_name), after, std::string(key), page, hub.shard,
                              [&hub](const Result<std::vector<MapEntry>>& left) {
                                  if (!left || left->empty()) return;
                                  for (const MapEntry& entry : *left) remove(hub, entry.owner);
                                  if (left->size() == page) {
                                      remove_leftovers(hub, left->back().owner);
                                  }
                              });
}

void started(const Life& life) {
    if (&life.hub == life.hub.shared.hubs.front()) remove_leftovers(life.hub, {});
}

// ---- service discovery ----

/// Behind what the other features tell: only what works where nothing is kept. What features of a
/// later day tell does not.
void leave_out(DiscoInfo& info, bool of_domain) {
    constexpr std::array<std::string_view, 16> works{ns::archive,
                                                     ns::archive_extended,
                                                     ns::archive_groupchat_field,
                                                     ns::capabilities,
                                                     ns::carbons,
                                                     ns::delay,
                                                     ns::disco_info,
                                                     ns::disco_items,
                                                     ns::last_activity,
                                                     ns::ping,
                                                     ns::retraction,
                                                     ns::retraction_tombstones,
                                                     ns::stanza_ids,
                                                     ns::time,
                                                     ns::version,
                                                     "msgoffline"};
    std::erase_if(info.features, [&](const std::string& feature) {
        // It may look at the cards of others.
        const bool others = of_domain && feature == ns::vcard;
        return !others && std::ranges::find(works, feature) == works.end();
    });
    std::erase_if(info.identities,
                  [](const Identity& identity) { return identity.category == "pubsub"; });
}

void tell_info(const DiscoQuery& query, DiscoInfo& info) {
    const bool of_domain = query.account == nullptr;
    if (!is_anonymous(query.hub, of_domain ? query.from : query.to)) return;
    if (query.node.empty()) leave_out(info, of_domain);
}

/// It cannot carry out any command here (is_change()).
void tell_items(const DiscoQuery& query, DiscoItems& items) {
    if (query.node == ns::ad_hoc && is_anonymous(query.hub, query.from)) items.items.clear();
}

constexpr std::array sources{
    DiscoSource{.of = DiscoSource::Of::account, .info = tell_info, .items = tell_items},
    DiscoSource{.of = DiscoSource::Of::server, .info = tell_info, .items = tell_items}};
constexpr std::array from_client{FromClientHook{Phase::check, restrict_clients}};
constexpr std::array life{LifeHook{LifeEvent::session_gone, session_gone},
                          LifeHook{LifeEvent::tick, sweep}, LifeHook{LifeEvent::started, started}};
// Not the account's own: what says that there is one is written before it and erased after it.
constexpr std::array stores{
    OwnedStore{.name = store_name, .shape = OwnedStore::Shape::map, .of_accounts = false}};

}  // namespace
}  // namespace anonymous

extern const Feature anonymous_accounts;
const Feature anonymous_accounts{
    .name = "anonymous_accounts",
    .xep = 175,
    .version = "1.2",
    .points = {.from_client = anonymous::from_client, .life = anonymous::life},
    .stores = anonymous::stores,
    .options = anonymous::options};

// The last to tell anything.
extern const Feature anonymous_discovery;
const Feature anonymous_discovery{.name = "anonymous_discovery", .disco = anonymous::sources};

}  // namespace causeway
