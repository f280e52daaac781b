// XEP-0012 Last Activity: when an account was last available, and what it said when it went; for
// those that may see its presence. A server tells how long it has been up. Kept in the store, so
// that a restart forgets nothing.
#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/base/log.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view store_name = "last-activity";
constexpr std::string_view key = "last";
constexpr std::size_t longest_status = 1024;

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

void answer_from_store(const IqReturn& back, const std::string& value) {
    UnixMillis at = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), at);
    if (error != std::errc{}) {
        back.error({.condition = StanzaCondition::item_not_found, .text = {}});
        return;
    }
    const auto used = static_cast<std::size_t>(end - value.data());
    const std::string_view status =
        used < value.size() ? std::string_view(value).substr(used + 1) : std::string_view{};
    back.result(XmlBuilder()
                    .open("query", ns::last_activity)
                    .attribute("seconds", seconds_between(at, back.hub.clock().wall()))
                    .text(status)
                    .take());
}

void answer_account(const IqRequest& request) {
    const IqReturn back(request);
    if (is_available(*request.account)) {
        back.result(XmlBuilder().open("query", ns::last_activity).attribute("seconds", "0").take());
        return;
    }
    Account& account = *request.account;
    account.begin_question();
    request.hub.shared.store.map_get(
        std::string(store_name), std::string(account.jid().bare()), std::string(key),
        request.hub.shard, [back, &account](const Result<std::optional<std::string>>& value) {
            if (!value) {
                back.error({.condition = StanzaCondition::internal_server_error,
                            .text = "That cannot be read at the moment.",
                            .type = "wait"});
            } else if (!value->has_value()) {
                back.error({.condition = StanzaCondition::item_not_found,
                            .text = "It has not been online yet."});
            } else {
                answer_from_store(back, **value);
            }
            account.end_question();
        });
}

/// The words of an unavailable presence, cut where a character ends.
std::string status_of(const Packet& packet) {
    std::string status;
    static_cast<void>(Packet::visit_bytes(packet.bytes(), [&](Stanza& stanza) {
        const Element* child = stanza.element.child(ns::client, "status");
        if (child != nullptr) status = child->text(stanza.arena);
    }));
    if (status.size() <= longest_status) return status;
    std::size_t end = longest_status;
    while (end > 0 && (static_cast<unsigned char>(status[end]) & 0xc0U) == 0x80U) --end;
    return status.substr(0, end);
}

void note(const Life& life) {
    if (life.packet->type() != StanzaType::unavailable || is_available(*life.account)) return;
    Batch batch;
    batch.map_set(store_name, life.account->jid().bare(), key,
                  std::to_string(life.hub.clock().wall()) + ' ' + status_of(*life.packet));
    life.hub.shared.store.commit(
        std::move(batch), life.hub.shard,
        [jid = std::string(life.account->jid().bare())](const Outcome& outcome) {
            if (!outcome) {
                CAUSEWAY_LOG(warn, "last_activity.not_stored", {"jid", jid},
                             {"cause", outcome.why()});
            }
        });
}

/// §3: a session's own answer is for the same people as the account's.
Verdict guard_session(AtAccount& at) {
    const Packet& packet = *at.packet;
    if (packet.kind() != StanzaKind::iq || packet.type() != StanzaType::get ||
        !packet.to().has_resource() || at.account.presence_visible_to(packet.from())) {
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

}  // namespace

extern const Feature last_activity;
const Feature last_activity{.name = "last_activity",
                            .xep = 12,
                            .version = "2.0",
                            .server_disco = disco_features,
                            .account_disco = disco_features,
                            .iq = handlers,
                            .points = {.at_account = at_account, .life = life},
                            .stores = stores};

}  // namespace causeway
