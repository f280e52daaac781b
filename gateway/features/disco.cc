// XEP-0030 Service Discovery of domains and accounts, from what the features declare.
#include <array>

#include "gateway/features/anonymous.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void answer_info(const IqRequest& request, DiscoSource::Of of) {
    const DiscoQuery query{request.hub, request.account, request.stanza.to, request.stanza.from,
                           request.payload.attribute("node")};
    const DiscoInfo info = request.hub.shared.features.info(of, query);
    if (!info.found) {
        IqReturn(request).error({.condition = StanzaCondition::item_not_found, .text = {}});
        return;
    }
    XmlBuilder xml;
    xml.open("query", ns::disco_info).attribute_if("node", query.node);
    for (const Identity& identity : info.identities) {
        xml.open("identity")
            .attribute("category", identity.category)
            .attribute("type", identity.type)
            .attribute_if("name", identity.name)
            .close();
    }
    for (const std::string& feature : info.features) {
        xml.open("feature").attribute("var", feature).close();
    }
    for (const std::string& form : info.forms) xml.raw(form);
    IqReturn(request).result(xml.take());
}

void answer_items(const IqRequest& request, DiscoSource::Of of) {
    const DiscoQuery query{request.hub, request.account, request.stanza.to, request.stanza.from,
                           request.payload.attribute("node")};
    const DiscoItems items = request.hub.shared.features.items(of, query);
    if (!items.found) {
        IqReturn(request).error({.condition = StanzaCondition::item_not_found, .text = {}});
        return;
    }
    XmlBuilder xml;
    xml.open("query", ns::disco_items).attribute_if("node", query.node);
    for (const DiscoItem& item : items.items) {
        xml.open("item")
            .attribute("jid", item.jid)
            .attribute_if("node", item.node)
            .attribute_if("name", item.name)
            .close();
    }
    IqReturn(request).result(xml.take());
}

void server_info(const IqRequest& request) { answer_info(request, DiscoSource::Of::server); }
void server_items(const IqRequest& request) { answer_items(request, DiscoSource::Of::server); }
void account_info(const IqRequest& request) { answer_info(request, DiscoSource::Of::account); }

/// XEP-0030 §8: those that may not know of an account are told of nothing there, with or without a
/// node, and so is everybody where there is no account.
void account_items(const IqRequest& request) {
    const Account& account = *request.account;
    if (account.exists() && account.may_be_asked_by(request.stanza.from)) {
        answer_items(request, DiscoSource::Of::account);
        return;
    }
    XmlBuilder xml;
    xml.open("query", ns::disco_items).attribute_if("node", request.payload.attribute("node"));
    IqReturn(request).result(xml.take());
}

void server_identity(const DiscoQuery& query, DiscoInfo& info) {
    if (!query.node.empty()) return;
    info.identities.push_back({"server", "im", "Causeway"});
    // XEP-0160 §4: that messages wait for their recipients is the inbox's doing, no feature's.
    if (query.hub.limits().offline_messages > 0) info.features.emplace_back("msgoffline");
}

void account_identity(const DiscoQuery& query, DiscoInfo& info) {
    if (!query.node.empty()) return;
    // XEP-0175 §4
    const bool anonymous = anonymous::is_anonymous(query.hub, query.to);
    info.identities.push_back({"account", anonymous ? "anonymous" : "registered", {}});
}

// XEP-0030 §8: an account is told of only to those that may see its presence.
constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::disco_info, "query", IqTarget::server, server_info},
    IqHandler{StanzaType::get, ns::disco_items, "query", IqTarget::server, server_items},
    IqHandler{StanzaType::get, ns::disco_info, "query", IqTarget::account, account_info,
              IqAudience::presence_subscribers},
    IqHandler{StanzaType::get, ns::disco_items, "query", IqTarget::account, account_items,
              IqAudience::handler_decides},
};
constexpr std::array disco_features{ns::disco_info, ns::disco_items};
constexpr std::array sources{
    DiscoSource{.of = DiscoSource::Of::server, .info = server_identity},
    DiscoSource{.of = DiscoSource::Of::account, .info = account_identity},
};

}  // namespace

extern const Feature disco;
const Feature disco{.name = "disco",
                    .xep = 30,
                    .version = "2.5rc3",
                    .server_disco = disco_features,
                    .account_disco = disco_features,
                    .iq = handlers,
                    .disco = sources};

}  // namespace causeway
