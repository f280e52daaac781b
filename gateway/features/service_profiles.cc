// What a domain offers, and what one of its accounts takes part in: presence, messages, or both
// (RFC 2779 §2.1: each works where the other is not offered). Without presence, a bound session
// takes messages at once, and nobody can subscribe. Without messages, nobody can send any. Personal
// events (XEP-0163) go with presence: where there is none, contacts are told of none.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/random.h"
#include "gateway/control/accounts.h"
#include "gateway/control/answers.h"
#include "gateway/session/accounts.h"
#include "gateway/session/published_presences.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view store_name = "profile";
constexpr std::string_view key = "services";

std::optional<std::string> refuse_no_service(std::string_view text) {
    if (text == "presence" || text == "messages") return std::nullopt;
    return "is neither \"presence\" nor \"messages\"";
}

constexpr FeatureOption services{
    .key = "domain.services",
    .kind = FeatureOption::Kind::list,
    .form = "a list of \"presence\" and \"messages\"",
    .example = R"(["presence", "messages"])",
    .doc = "What accounts here can take part in. An empty list is the same as both.",
    .check = refuse_no_service};
constexpr std::array options{&services};

struct Profile {
    bool presence = true;
    bool messages = true;
    bool operator==(const Profile&) const = default;
};

/// "presence", "messages" or "both"; nullopt: none of them.
std::optional<Profile> read_profile(std::string_view text) {
    if (text == "both") return Profile{};
    if (text == "presence") return Profile{.messages = false};
    if (text == "messages") return Profile{.presence = false};
    return std::nullopt;
}

/// What an account takes part in, where that is less than its domain offers.
struct Own final : SlotState {
    Profile profile;
};
constexpr Slot<Own> own_slot{"service-profile"};

Profile of_domain(const Hub& hub, std::string_view domain) {
    const std::vector<std::string> offered = services.list(*hub.config, domain);
    if (offered.empty()) return {};
    const auto has = [&](std::string_view one) {
        return std::ranges::find(offered, one) != offered.end();
    };
    return {.presence = has("presence"), .messages = has("messages")};
}

Profile of_account(const Account& account) {
    Profile profile = of_domain(account.hub(), account.jid().domain());
    if (const Own* own = account.slots.get(own_slot)) {
        profile.presence = profile.presence && own->profile.presence;
        profile.messages = profile.messages && own->profile.messages;
    }
    return profile;
}

void adopt(Account& account, const Profile& profile) {
    account.slots.drop(own_slot);
    if (!profile.presence || !profile.messages) account.slots.make(own_slot).profile = profile;
}

void load(Account& account, const std::vector<MapEntry>& entries) {
    Profile profile;
    for (const MapEntry& entry : entries) {
        if (entry.key == key) profile = read_profile(entry.value).value_or(Profile{});
    }
    adopt(account, profile);
}

// ---- what does not go on ----

StanzaError not_offered() {
    return {.condition = StanzaCondition::service_unavailable, .text = {}};
}

/// Nothing but a notification of a publish-subscribe service, with what servers say beside it.
bool is_event(const Packet& message) {
    constexpr std::array said_beside{ns::hints, ns::delay, ns::stanza_ids,
                                     std::string_view("http://jabber.org/protocol/shim"),
                                     std::string_view("http://jabber.org/protocol/address")};
    bool event = false, more = false;
    const Outcome read = Packet::visit_bytes(message.bytes(), [&](const Stanza& stanza) {
        for (const Element* child = stanza.element.first_element(); child != nullptr;
             child = child->next_element()) {
            const bool beside = std::ranges::find(said_beside, child->ns) != said_beside.end();
            (child->is(ns::pubsub_event, "event") ? event : more) |= !beside;
        }
    });
    return read && event && !more;
}

/// What somebody publishes for those who see his presence is part of that (XEP-0163 §1), and comes
/// in the name of his account, not of a client: an account that takes part in presence alone gets
/// the events of its contacts, and its own.
bool belongs_to_presence(const AtAccount& at) {
    const Jid& from = at.packet->from();
    if (!of_account(at.account).presence || from.has_resource()) return false;
    const RosterItem* item = at.account.roster().items().find(from);
    const bool sees = from == at.account.jid() || (item != nullptr && item->state.to);
    return sees && is_event(*at.packet);
}

Verdict refuse_message(AtAccount& at) {
    if (of_account(at.account).messages || belongs_to_presence(at)) return Verdict::next;
    // An error answers what the account itself sent.
    return at.packet->type() == StanzaType::error ? Verdict::next : at.refuse(not_offered());
}

/// Presence says nothing to an account without it, and who asks to subscribe is told so at once:
/// that there is an inbox, each message tells. A stranger's probe has the usual answer.
Verdict refuse_presence(AtAccount& at) {
    if (of_account(at.account).presence) return Verdict::next;
    // That its own was refused (refuse_own) is for its client to know.
    if (at.packet->type() == StanzaType::error) return Verdict::next;
    if (at.packet->type() == StanzaType::subscribe) return at.refuse(not_offered());
    const bool stranger = !at.account.known_to(at.packet->from());
    return stranger && at.packet->type() == StanzaType::probe ? Verdict::next : Verdict::dropped;
}

/// A domain without presence refuses requests to subscribe whether there is such an account or not.
bool asks_in_vain(const Hub& hub, const Stanza& stanza) {
    return stanza.kind == StanzaKind::presence && stanza.type == StanzaType::subscribe &&
           hub.target_of(stanza.to.domain()).kind == Target::Kind::accounts &&
           !of_domain(hub, stanza.to.domain()).presence;
}

Verdict refuse_from_server(FromServer& from) {
    return asks_in_vain(from.hub, from.stanza) ? from.refuse(not_offered()) : Verdict::next;
}

Verdict refuse_own(FromClient& from) {
    const Profile profile = of_account(from.account);
    const StanzaType type = from.stanza.type;
    if (from.stanza.kind == StanzaKind::message && !profile.messages) {
        return type == StanzaType::error
                   ? Verdict::dropped
                   : from.refuse({.condition = StanzaCondition::service_unavailable,
                                  .text = "This account does not take part in messages."});
    }
    if (from.stanza.kind == StanzaKind::presence && !profile.presence) {
        // Who asks, or joins a room, waits for an answer.
        const bool joins = type == StanzaType::available && !from.stanza.to.empty();
        return type == StanzaType::subscribe || joins
                   ? from.refuse({.condition = StanzaCondition::service_unavailable,
                                  .text = "This account does not take part in presence."})
                   : Verdict::dropped;
    }
    return asks_in_vain(from.hub, from.stanza) ? from.refuse(not_offered()) : Verdict::next;
}

/// A session that is there for messages alone is nobody's to see, nor that it goes.
void settle_presence(const Life& life) {
    life.account->take_part(of_account(*life.account).presence);
}

/// Without presence a session is there for messages from the moment it is bound.
void take_messages(const Life& life) {
    if (of_domain(life.hub, life.account->jid().domain()).presence && life.account->loaded() &&
        of_account(*life.account).presence) {
        return;
    }
    life.account->when_loaded(
        [account = life.account,
         resource = std::string(life.session->jid().resource())](const Outcome& loaded) {
            Resource* const session = account->sessions().find(resource);
            if (!loaded || session == nullptr || of_account(*account).presence) return;
            session->presence = Packet::make(StanzaKind::presence, StanzaType::available,
                                             session->jid(), {}, {}, {});
            account->inbox().sessions_changed();
            account->inbox().read_stored();
        });
}

// ---- service discovery ----

/// What other features announce for messages is not announced where there are none.
void leave_out(const Profile& profile, DiscoInfo& info) {
    if (profile.messages) return;
    constexpr std::array<std::string_view, 5> of_messages{
        ns::archive, ns::archive_extended, ns::archive_groupchat_field, ns::carbons, "msgoffline"};
    std::erase_if(info.features, [&](const std::string& feature) {
        return std::ranges::find(of_messages, feature) != of_messages.end();
    });
}

void tell_of_account(const DiscoQuery& query, DiscoInfo& info) {
    if (query.node.empty() && query.account != nullptr) leave_out(of_account(*query.account), info);
}

void tell_of_domain(const DiscoQuery& query, DiscoInfo& info) {
    if (query.node.empty()) leave_out(of_domain(query.hub, query.to.domain()), info);
}

// ---- the control socket ----

std::string words_of(const Profile& profile) {
    if (!profile.presence) return profile.messages ? "messages" : "nothing";
    return profile.messages ? "presence and messages" : "presence";
}

/// What it takes part in, and which profile bounds that: its domain's, its own, or both.
std::string tell_profile(const Account& account) {
    const Profile offered = of_domain(account.hub(), account.jid().domain());
    std::string why;
    if (offered != Profile{}) why = "its domain offers " + words_of(offered);
    if (const Own* own = account.slots.get(own_slot)) {
        why += (why.empty() ? "" : ", ") + ("its own profile is " + words_of(own->profile));
    }
    const std::string all = words_of(of_account(account));
    return why.empty() ? all : all + " (" + why + ")";
}

using control::CommandRequest;
using control::Field;
using control::Param;

/// What a session is there for was settled as it came: if that changes, it is to come again. Its
/// contacts hear that it went.
void end_sessions(Account& account) {
    account.sessions().evict_all(stream_error::reset,
                                 "the account takes part in other services now; log in again");
}

void take_up(Hub& hub, const std::string& bare, const Profile& profile) {
    if (Account* account = hub.accounts->find(bare); account != nullptr && account->loaded()) {
        const Profile before = of_account(*account);
        adopt(*account, profile);
        if (of_account(*account) != before) end_sessions(*account);
    }
    hub.accounts->forget(bare);
    // What somebody published in its name may have been seen though it is not in use.
    Account& account = hub.accounts->get(bare);
    account.when_loaded([&account](const Outcome& loaded) {
        if (loaded && account.exists()) account.presence().settle_published();
    });
}

/// Domains here that offer no presence.
struct WithoutPresence final : SlotState {
    std::set<std::string> domains;
};
constexpr Slot<WithoutPresence> without_presence_slot{"domains-without-presence"};

/// Those that offer presence and did not, or the other way round.
std::set<std::string> changed_domains(Hub& hub) {
    const bool first = hub.slots.get(without_presence_slot) == nullptr;
    WithoutPresence& known = hub.slots.make(without_presence_slot);
    std::set<std::string> without, changed;
    for (const DomainConfig& domain : hub.config->domains) {
        const bool offered = of_domain(hub, domain.name).presence;
        if (!offered) without.insert(domain.name);
        if (!first && offered == known.domains.contains(domain.name)) changed.insert(domain.name);
    }
    known.domains = std::move(without);
    return changed;
}

/// Its domain may offer presence now, or no more.
void settle_anew(const Life& life) {
    const auto changed = [](const Account& account) {
        return account.exists() && of_account(account).presence != account.takes_part();
    };
    std::vector<std::string> all;
    life.hub.accounts->each([&](Account& account) {
        if (changed(account)) all.emplace_back(account.jid().bare());
    });
    std::set<std::string> settled;
    for (const std::string& bare : all) {
        // One that has no session any more may make room for another.
        Account* const account = life.hub.accounts->find(bare);
        if (account == nullptr || !changed(*account)) continue;
        account->begin_question();
        end_sessions(*account);
        account->take_part(of_account(*account).presence);
        account->presence().settle_published();
        account->end_question();
        settled.insert(bare);
    }
    // What was published in the names of those that are not in use may have been seen as well.
    if (std::set<std::string> domains = changed_domains(life.hub); !domains.empty()) {
        visit_published_presences(life.hub, std::move(domains), std::move(settled),
                                  [](Account& account) { account.presence().settle_published(); });
    }
}

void set_profile(const CommandRequest& request) {
    const auto jid = control::account_of(request.text("jid"));
    if (!jid) return request.reply(jid.error());
    const std::string wanted = request.text("services");
    const auto profile = read_profile(wanted);
    if (!profile) {
        return request.reply(
            Outcome::malformed("\"" + wanted + "\" is none of presence, messages and both"));
    }
    Shared& shared = *request.host.shared;
    Executor& home = *request.host.home;
    boost::json::object result = request.naming("jid");
    result.emplace("services", wanted);
    control::if_account(
        request.host.operations, shared.store, home, *jid,
        [reply = request.reply](const Outcome& absent) { reply(absent); },
        [&shared, &home, reply = request.reply, bare = std::string(jid->bare()), wanted,
         profile = *profile, result = std::move(result)] {
            Batch batch;
            batch.map_set(store_name, bare, key, wanted);
            shared.store.commit(
                std::move(batch), home,
                [&shared, reply, bare, profile, result](const Outcome& outcome) {
                    if (!outcome) return reply(outcome);
                    Hub& hub = *shared.hubs[shared.shards.home_of(bare)];
                    hub.shard.post([&hub, bare, profile] { take_up(hub, bare, profile); });
                    reply(boost::json::value(result));
                });
        });
}

constexpr std::array params{
    control::jid_param("the account"),
    Param{.name = "services", .doc = "presence, messages or both", .at_most = 64}};
constexpr std::array commands{
    control::Command{
        .name = "user.profile",
        .params = params,
        .doc = "what an account takes part in",
        .mutates = true,
        .run = set_profile,
        .view = {.sentence = "{jid} takes part in {services}, where its domain offers that"}},
};

constexpr std::array at_account{AtAccountHook{StanzaKind::message, Phase::check, refuse_message},
                                AtAccountHook{StanzaKind::presence, Phase::check, refuse_presence}};
constexpr std::array from_client{FromClientHook{Phase::check, refuse_own}};
constexpr std::array from_server{FromServerHook{Phase::check, refuse_from_server}};
constexpr std::array life{LifeHook{LifeEvent::account_loaded, settle_presence},
                          LifeHook{LifeEvent::configuration_changed, settle_anew},
                          LifeHook{LifeEvent::session_bound, take_messages}};
constexpr std::array sources{DiscoSource{.of = DiscoSource::Of::account, .info = tell_of_account},
                             DiscoSource{.of = DiscoSource::Of::server, .info = tell_of_domain}};
constexpr std::array stores{OwnedStore{store_name, OwnedStore::Shape::map}};
constexpr std::array account_data{
    AccountData{.store = store_name, .load = load, .title = "takes part in", .tell = tell_profile}};

}  // namespace

extern const Feature service_profiles;
const Feature service_profiles{.name = "service_profiles",
                               .disco = sources,
                               .points = {.from_client = from_client,
                                          .from_server = from_server,
                                          .at_account = at_account,
                                          .life = life},
                               .stores = stores,
                               .account_data = account_data,
                               .options = options,
                               .commands = commands};

}  // namespace causeway
