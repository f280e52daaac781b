// XEP-0012 Last Activity: when an account was last available, and what it said when it went; for
// those that may see its presence. A server tells how long it has been up. The same is what a
// contact's probe is answered with while nobody is available (RFC 6121 §4.3.2), with a delay. Kept
// in the store, and read with the account, so that a restart forgets nothing.
#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/base/cut_text.h"
#include "gateway/base/log.h"
#include "gateway/features/last_activity.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view store_name = "last-activity";
constexpr std::string_view key = "presence";
constexpr std::size_t longest_status = 1024;
constexpr std::size_t most_statuses = 4;  ///< in different languages

struct Last final : SlotState {
    UnixMillis at = 0;
    PacketRef presence;
};
constexpr Slot<Last> slot{"last presence"};

std::string seconds_between(UnixMillis from, UnixMillis to) {
    return std::to_string(std::max<UnixMillis>(0, to - from) / 1000);
}

void answer_server(const IqRequest& request) {
    IqReturn(request).result(
        XmlBuilder()
            .open("query", ns::last_activity)
            .attribute("seconds",
                       seconds_between(request.hub.shared.started_at(), request.hub.clock().wall()))
            .take());
}

bool is_available(const Account& account) {
    return std::ranges::any_of(account.sessions().all(), &Resource::available);
}

void answer_account(const IqRequest& request) {
    const IqReturn back(request);
    if (!request.account->known_to(request.stanza.from)) {
        // Who was granted something else may ask the account, and is not subscribed (§4).
        back.error({.condition = StanzaCondition::forbidden, .text = {}});
        return;
    }
    if (!request.account->presence_visible_to(request.stanza.from)) {
        // Who is shown nothing sees an account that went away when the rule was made.
        const UnixMillis since = request.account->access().hidden_since(request.stanza.from);
        back.result(XmlBuilder()
                        .open("query", ns::last_activity)
                        .attribute("seconds", seconds_between(since, request.hub.clock().wall()))
                        .take());
        return;
    }
    if (is_available(*request.account)) {
        back.result(XmlBuilder().open("query", ns::last_activity).attribute("seconds", "0").take());
        return;
    }
    const Last* last = request.account->slots.get(slot);
    if (last == nullptr) {
        back.error(
            {.condition = StanzaCondition::item_not_found, .text = "It has not been online yet."});
        return;
    }
    XmlBuilder xml;
    xml.open("query", ns::last_activity)
        .attribute("seconds", seconds_between(last->at, request.hub.clock().wall()));
    const PacketRef shown =
        request.account->access().view_for(request.stanza.from).apply(last->presence);
    static_cast<void>(Packet::visit_bytes(shown->bytes(), [&](Stanza& stanza) {
        const Element* status = stanza.element.child(ns::client, "status");
        if (status != nullptr) xml.text(status->text(stanza.arena));
    }));
    back.result(xml.take());
}

// ---- the last presence ----

/// The words of an unavailable presence, as they are kept.
std::string statuses_of(const Packet& packet) {
    XmlBuilder statuses;
    static_cast<void>(Packet::visit_bytes(packet.bytes(), [&](Stanza& stanza) {
        std::size_t count = 0;
        for (const Element* child = stanza.element.first_element();
             child != nullptr && count < most_statuses; child = child->next_element()) {
            if (!child->is(ns::client, "status")) continue;
            statuses.open("status")
                .attribute_if("xml:lang", child->attribute(ns::xml, "lang"))
                .text(cut_text(child->text(stanza.arena), longest_status))
                .close();
            ++count;
        }
    }));
    return statuses.take();
}

/// From here on this is what the account said last.
void adopt(Account& account, UnixMillis at, std::string_view statuses) {
    XmlBuilder inner;
    inner.raw(statuses)
        .open("delay", ns::delay)
        .attribute("from", account.jid().bare())
        .attribute("stamp", format_date_time_exactly(at));
    Last& last = account.slots.make(slot);
    last.at = at;
    last.presence = Packet::make(StanzaKind::presence, StanzaType::unavailable, account.jid(), {},
                                 {}, inner.take());
    account.presence().set_last(last.presence);
}

/// The parts of a stored value: when, and the words.
std::optional<std::pair<UnixMillis, std::string_view>> parse(std::string_view value) {
    UnixMillis at = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), at);
    const auto used = static_cast<std::size_t>(end - value.data());
    if (error != std::errc{} || used >= value.size()) return {};
    return std::pair{at, value.substr(used + 1)};
}

void load(Account& account, const std::vector<MapEntry>& entries) {
    const auto found = std::ranges::find(entries, key, &MapEntry::key);
    const auto stored = found == entries.end() ? std::nullopt : parse(found->value);
    if (stored) {
        adopt(account, stored->first, stored->second);
    } else {
        account.slots.drop(slot);
        account.presence().set_last(nullptr);
    }
}

void note(const Life& life) {
    if (life.packet->type() != StanzaType::unavailable || is_available(*life.account)) return;
    const UnixMillis now = life.hub.clock().wall();
    const std::string statuses = statuses_of(*life.packet);
    Account& account = *life.account;
    adopt(account, now, statuses);
    Batch batch;
    batch.map_set(store_name, account.jid().bare(), key, std::to_string(now) + ' ' + statuses);
    account.begin_question();  // it stays until this is stored
    life.hub.shared.store.commit(
        std::move(batch), life.hub.shard, [&account, now, statuses](const Outcome& outcome) {
            if (outcome) {
                account.stored_anew();
                // A reload may have put back what was stored before.
                const Last* last = account.slots.get(slot);
                if (last == nullptr || last->at < now) adopt(account, now, statuses);
            } else {
                CAUSEWAY_LOG(warn, "last_activity.not_stored", {"jid", account.jid().bare()},
                             {"cause", outcome.why()});
            }
            account.end_question();
        });
}

/// §3: a session's own answer is for the same people as the account's.
Verdict guard_session(AtAccount& at) {
    const Packet& packet = *at.packet;
    if (packet.kind() != StanzaKind::iq || packet.type() != StanzaType::get ||
        !packet.to().has_resource() || at.account.known_to(packet.from())) {
        return Verdict::next;
    }
    bool asks = false;
    static_cast<void>(Packet::visit_bytes(packet.bytes(), [&](Stanza& stanza) {
        asks = stanza.element.child(ns::last_activity, "query") != nullptr;
    }));
    return asks ? at.refuse({.condition = StanzaCondition::forbidden, .text = {}}) : Verdict::next;
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::last_activity, "query", IqTarget::server, answer_server},
    IqHandler{StanzaType::get, ns::last_activity, "query", IqTarget::account, answer_account,
              IqAudience::presence_subscribers, StanzaCondition::forbidden},
};
constexpr std::array disco_features{ns::last_activity};
constexpr std::array at_account{AtAccountHook{StanzaKind::iq, Phase::check, guard_session}};
constexpr std::array life{LifeHook{LifeEvent::presence_changed, note}};
constexpr std::array stores{OwnedStore{store_name, OwnedStore::Shape::map}};
constexpr std::array account_data{AccountData{store_name, load}};

}  // namespace

void find_last_activity(Store& store, Executor& home, std::string_view bare,
                        Store::Answer<std::optional<UnixMillis>> answer) {
    store.map_get(std::string(store_name), std::string(bare), std::string(key), home,
                  [answer = std::move(answer)](const Result<std::optional<std::string>>& value) {
                      if (!value) {
                          answer(value.error());
                          return;
                      }
                      const auto stored = value->has_value() ? parse(**value) : std::nullopt;
                      answer(stored ? std::optional(stored->first) : std::nullopt);
                  });
}

extern const Feature last_activity;
const Feature last_activity{.name = "last_activity",
                            .xep = 12,
                            .version = "2.0",
                            .server_disco = disco_features,
                            .account_disco = disco_features,
                            .iq = handlers,
                            .points = {.at_account = at_account, .life = life},
                            .stores = stores,
                            .account_data = account_data};

}  // namespace causeway
