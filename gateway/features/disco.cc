// XEP-0030 Service Discovery of domains and accounts, from what the other features declare.
#include <array>

#include "gateway/route/router.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

void append_info(std::string& out, const Identity& identity,
                 const std::vector<std::string_view>& features) {
    out += "<query xmlns='http://jabber.org/protocol/disco#info'><identity";
    append_attribute(out, "category", identity.category);
    append_attribute(out, "type", identity.type);
    if (!identity.name.empty()) append_attribute(out, "name", identity.name);
    out += "/>";
    for (const std::string_view feature : features) {
        out += "<feature";
        append_attribute(out, "var", feature);
        out += "/>";
    }
    out += "</query>";
}

bool has_node(const IqRequest& request) {
    if (request.payload.attribute("node").empty()) return false;
    IqReturn(request).error({.condition = StanzaCondition::item_not_found, .text = {}});
    return true;
}

void server_info(const IqRequest& request) {
    if (has_node(request)) return;
    std::string inner;
    append_info(inner, {"server", "im", "Causeway"}, request.hub.shared.features.server_disco());
    IqReturn(request).result(inner);
}

void server_items(const IqRequest& request) {
    if (has_node(request)) return;
    IqReturn(request).result("<query xmlns='http://jabber.org/protocol/disco#items'/>");
}

// XEP-0030 §8: whoever may not see the account's presence learns nothing of it, not even whether it
// exists.
bool may_see(const IqRequest& request) {
    if (request.stanza.from.bare() == request.stanza.to.bare()) return true;
    const Account* user = request.hub.accounts->find(request.stanza.to.bare());
    const RosterItem* item =
        user == nullptr ? nullptr : user->roster().find(request.stanza.from.bare_jid());
    if (item != nullptr && item->state.from) return true;
    IqReturn(request).error({.condition = StanzaCondition::service_unavailable, .text = {}});
    return false;
}

void account_info(const IqRequest& request) {
    if (!may_see(request) || has_node(request)) return;
    std::string inner;
    append_info(inner, {"account", "registered", {}}, request.hub.shared.features.account_disco());
    IqReturn(request).result(inner);
}

void account_items(const IqRequest& request) {
    if (!may_see(request) || has_node(request)) return;
    IqReturn(request).result("<query xmlns='http://jabber.org/protocol/disco#items'/>");
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::disco_info, "query", IqTarget::server, server_info},
    IqHandler{StanzaType::get, ns::disco_items, "query", IqTarget::server, server_items},
    IqHandler{StanzaType::get, ns::disco_info, "query", IqTarget::account, account_info},
    IqHandler{StanzaType::get, ns::disco_items, "query", IqTarget::account, account_items},
};
constexpr std::array disco_features{ns::disco_info, ns::disco_items};

}  // namespace

extern const Feature disco;
const Feature disco{.name = "disco",
                    .xep = 30,
                    .version = "2.5rc3",
                    .server_disco = disco_features,
                    .account_disco = disco_features,
                    .iq = handlers};

}  // namespace causeway
