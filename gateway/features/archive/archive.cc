// XEP-0313 Message Archive Management: what accounts send and receive is kept, and their clients
// ask for it. XEP-0441: what an account does not want to have kept is not.
#include "gateway/features/archive/archive.h"

#include <array>

#include "gateway/base/log.h"
#include "gateway/base/number.h"
#include "gateway/features/archive/commands.h"
#include "gateway/features/archive/keeping.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/session/inbox_trace.h"
#include "gateway/xml/ns.h"

namespace causeway::archive {

constexpr std::string_view about_section =
    "The archive of each account: what it sends and receives is kept, and its clients ask for it "
    "(XEP-0313).";

constexpr FeatureOption enabled{
    .key = "archive.enabled",
    .kind = FeatureOption::Kind::boolean,
    .form = {},
    .example = "false",
    .doc =
        "Accounts have an archive. Without it, messages are stored only until they are "
        "delivered; what was archived before stays until it is purged.",
    .fallback = 1,
    .section_doc = about_section,
    .per_domain = true};
constexpr FeatureOption keep_days{
    .key = "archive.keep_days",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "90",
    .doc = "Days after which a message is removed from the archive; 0: never.",
    .minimum = 0,
    .maximum = 36500,
    .fallback = 365,
    .per_domain = true};
constexpr FeatureOption bytes_per_account{
    .key = "archive.bytes_per_account",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "104857600",
    .doc =
        "Bytes of messages that one account's archive may hold, without indexes; the oldest go "
        "first. 0: no limit.",
    .minimum = 0,
    .maximum = ArchiveKeeping::most_bytes,
    .fallback = std::int64_t{1} << 30U,
    .per_domain = true};
constexpr std::array options{&enabled, &keep_days, &bytes_per_account};

bool offered(const Hub& hub, std::string_view domain) {
    return enabled.boolean(*hub.config, domain);
}

namespace {

/// Whether an account that has an archive wants messages with `other` in it.
bool wants(const Account& account, const Jid& other) {
    const State* state = account.slots.get(preferences_slot);
    return state == nullptr || state->preferences.keep(account, other);
}

}  // namespace

bool keeps(const Account& account, const Jid& other) {
    return offered(account.hub(), account.jid().domain()) && wants(account, other);
}

bool keeps_sent(const Account& account, const Packet& message) {
    return account.loaded() && message.traits().archivable && keeps(account, message.to());
}

std::string text_of(std::uint64_t id) { return std::to_string(id); }

std::uint64_t id_of(std::string_view text) {
    // As we write it, and no other spelling: to a client it is no number.
    if (text.starts_with('0')) return 0;
    const std::uint64_t id = read_number<std::uint64_t>(text).value_or(0);
    return id <= ArchiveQuery::last ? id : 0;
}

namespace {

// ---- what is archived ----

// What is decided goes to the trace as well, for "causewayctl why".

void note_kept(const Account& account, const Packet& packet, std::uint64_t id) {
    account.hub().trace.note(packet, {.stage = TraceStage::archive,
                                      .verdict = TraceVerdict::accepted,
                                      .where = account.jid().bare(),
                                      .stanza_id = id});
}

void note_not_kept(const Account& account, const Packet& packet, std::string_view reason) {
    account.hub().trace.note(packet, {.stage = TraceStage::archive,
                                      .verdict = TraceVerdict::skipped,
                                      .where = account.jid().bare(),
                                      .reason = reason});
}

constexpr std::string_view left_out = "the account's preferences leave it out (XEP-0441)";

std::string_view why_not_archivable(const Packet& packet) {
    if (packet.type() != StanzaType::chat && packet.type() != StanzaType::normal) {
        return "messages of its type are not archived";
    }
    return inbox_trace::asked_not_to_keep(packet) ? "its sender asks for it not to be kept"
                                                  : "it holds nothing that is of use later";
}

/// False: the account does not want it.
bool record(Account& account, const PacketRef& packet, std::uint64_t id,
            AcknowledgementTicket ticket) {
    if (!wants(account, packet->to())) {
        note_not_kept(account, *packet, left_out);
        return false;
    }
    note_kept(account, *packet, id);
    account.hub().ledger.record(*packet, account.jid().bare(), id, ticket);
    return true;
}

/// A message of the account to itself is archived once, when it arrives.
Verdict keep_sent(FromClient& from) {
    Stanza& stanza = from.stanza;
    if (stanza.kind != StanzaKind::message || stanza.to.bare() == from.account.jid().bare() ||
        !offered(from.hub, from.account.jid().domain())) {
        return Verdict::next;
    }
    if (!from.packet()->traits().archivable) {
        note_not_kept(from.account, *from.packet(), why_not_archivable(*from.packet()));
        return Verdict::next;
    }
    // Another domain sees the same number, as an id in the sender's name.
    const std::uint64_t id =
        stanza.stanza_id != 0 ? stanza.stanza_id : from.hub.shared.ids.next_id();
    if (from.account.loaded()) {
        // Carbons tell the account's other clients the number (copy_sent in carbons.cc).
        if (record(from.account, from.packet(), id, from.ticket)) stanza.stanza_id = id;
        return Verdict::next;
    }
    // Its preferences are not known yet. If they cannot be read, nothing is kept against them.
    if (from.ticket.owed()) from.hub.expect_again(from.ticket);
    from.account.when_loaded([&account = from.account, packet = from.packet(), id,
                              ticket = from.ticket](const Outcome& loaded) {
        if (loaded) record(account, packet, id, ticket);
        account.hub().settle(ticket);
    });
    return Verdict::next;
}

Verdict keep_received(AtAccount& at) {
    if (!offered(at.hub, at.account.jid().domain())) return Verdict::next;
    if (!at.packet->traits().archivable) {
        note_not_kept(at.account, *at.packet, why_not_archivable(*at.packet));
    } else if (!wants(at.account, at.packet->from())) {
        note_not_kept(at.account, *at.packet, left_out);
    } else if (at.packet->stanza_id() != 0) {
        note_kept(at.account, *at.packet, at.packet->stanza_id());
        at.packet = Packet::for_archive(std::move(at.packet));
    }
    return Verdict::next;
}

// ---- nobody's client is an archive ----

void remove_results(Stanza& stanza) {
    if (stanza.kind != StanzaKind::message) return;
    const Element* next = nullptr;
    for (const Element* child = stanza.element.first_element(); child != nullptr; child = next) {
        next = child->next_element();
        if (child->is(ns::archive, "result")) stanza.element.remove_child(*child);
    }
}

Verdict remove_forged_by_client(FromClient& from) {
    remove_results(from.stanza);
    return Verdict::next;
}

/// An account, a room or a service answers in its own name, and a client never does.
Verdict remove_forged_elsewhere(FromServer& from) {
    if (from.stanza.from.has_resource()) remove_results(from.stanza);
    return Verdict::next;
}

void load(Account& account, const std::vector<MapEntry>& entries) {
    account.slots.drop(preferences_slot);
    forget_told(account);
    for (const MapEntry& entry : entries) {
        if (entry.key.starts_with(told_prefix)) load_told(account, entry);
        if (entry.key != preferences_key) continue;
        auto preferences = ArchivePreferences::parse(entry.value);
        if (preferences) {
            account.slots.make(preferences_slot).preferences = std::move(*preferences);
        } else {
            CAUSEWAY_LOG(error, "archive.preferences_unreadable", {"jid", account.jid().bare()},
                         {"cause", preferences.error().why()});
        }
    }
}

void tell_features(const DiscoQuery& query, DiscoInfo& info) {
    if (!query.node.empty() || !offered(query.hub, query.to.domain())) return;
    info.features.emplace_back(ns::archive);
    info.features.emplace_back(ns::archive_extended);
    info.features.emplace_back(ns::archive_groupchat_field);
}

// ---- others ask ----

/// In the same words for an account that exists and for one that does not.
void refuse_others(const IqRequest& request) {
    IqReturn(request).error({.condition = StanzaCondition::forbidden, .text = {}});
}

constexpr IqHandler of_owner(StanzaType type, std::string_view name,
                             void (*handle)(const IqRequest&)) {
    return {type, ns::archive, name, IqTarget::own, handle};
}

constexpr IqHandler of_others(StanzaType type, std::string_view name,
                              void (*handle)(const IqRequest&) = refuse_others) {
    return {type,
            ns::archive,
            name,
            IqTarget::account,
            handle,
            IqAudience::anyone,
            StanzaCondition::forbidden};
}

constexpr std::array handlers{
    of_owner(StanzaType::set, "query", answer_query),
    of_owner(StanzaType::get, "query", tell_form),
    of_owner(StanzaType::get, "metadata", tell_metadata),
    of_owner(StanzaType::get, "prefs", tell_preferences),
    of_owner(StanzaType::set, "prefs", change_preferences),
    of_others(StanzaType::set, "query", answer_grantee),
    of_others(StanzaType::get, "query", tell_form_to_grantee),
    of_others(StanzaType::get, "metadata", tell_metadata_to_grantee),
    of_others(StanzaType::get, "prefs"),
    of_others(StanzaType::set, "prefs"),
};
constexpr std::array sources{DiscoSource{.of = DiscoSource::Of::account, .info = tell_features},
                             DiscoSource{.of = DiscoSource::Of::server, .info = tell_features}};
constexpr std::array from_client{FromClientHook{Phase::rewrite, remove_forged_by_client},
                                 FromClientHook{Phase::archive, keep_sent}};
constexpr std::array from_server{FromServerHook{Phase::rewrite, remove_forged_elsewhere}};
constexpr std::array at_account{AtAccountHook{StanzaKind::message, Phase::archive, keep_received}};
constexpr std::array life{LifeHook{LifeEvent::session_has_room, resume_queries},
                          LifeHook{LifeEvent::started, trim}, LifeHook{LifeEvent::tick, trim}};
constexpr std::array stores{OwnedStore{store_name, OwnedStore::Shape::map},
                            OwnedStore{ArchiveKeeping::store, OwnedStore::Shape::map},
                            OwnedStore{"messages", OwnedStore::Shape::archive}};
constexpr std::array data{AccountData{store_name, load}};
/// What was fetched is known by what the session was sent, and not kept once more.
std::string save_nothing(const Resource&) { return {}; }
constexpr std::array session_data{SessionData{
    .name = "archive", .save = save_nothing, .had_copy = was_fetched, .got_copy = note_fetched}};

}  // namespace
}  // namespace causeway::archive

namespace causeway {

extern const Feature message_archive;
const Feature message_archive{.name = "message_archive",
                              .xep = 313,
                              .version = "1.1.3",
                              .iq = archive::handlers,
                              .disco = archive::sources,
                              .points = {.from_client = archive::from_client,
                                         .from_server = archive::from_server,
                                         .at_account = archive::at_account,
                                         .life = archive::life},
                              .stores = archive::stores,
                              .account_data = archive::data,
                              .session_data = archive::session_data,
                              .options = archive::options,
                              .commands = archive_commands};

}  // namespace causeway
