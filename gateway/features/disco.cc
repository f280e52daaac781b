// XEP-0030 Service Discovery of domains and accounts, from what the features declare.
//
// XEP-0115 §6.3: a domain's answer is also told as a hash, among the features of a client's stream,
// so that a client that knows the hash need not ask.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/features/anonymous.h"
#include "gateway/features/personal_events/capabilities.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

std::string info_query(const DiscoInfo& info, std::string_view node) {
    XmlBuilder xml;
    xml.open("query", ns::disco_info).attribute_if("node", node);
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
    return xml.take();
}

// ---- capabilities of domains (XEP-0115) ----

constexpr std::string_view capabilities_hash = "sha-1";
/// In front of the hash, in the node that a client asks for what it does not know.
constexpr std::string_view capabilities_node = "causeway:server";

/// The hash over what the domain answers now (§5.1); empty: it has none.
std::string capabilities_of(Hub& hub, const Jid& domain) {
    const DiscoInfo info = hub.shared.features.info(
        DiscoSource::Of::server,
        {.hub = hub, .account = nullptr, .to = domain, .from = domain, .node = {}});
    const PacketRef packet = Packet::make(StanzaKind::iq, StanzaType::result, domain, domain,
                                          "capabilities", info_query(info, {}));
    std::string hash;
    static_cast<void>(Packet::visit_bytes(packet->bytes(), [&](Stanza& stanza) {
        hash = personal_events::verification_of(*stanza.payload(), capabilities_hash, stanza.arena)
                   .value_or("");
    }));
    return hash;
}

void offer_capabilities(Negotiation& negotiation, std::string& out) {
    const std::string hash =
        capabilities_of(negotiation.hub(), Jid::trusted({}, negotiation.domain(), {}));
    if (hash.empty()) return;
    out += XmlBuilder()
               .open("c", ns::capabilities)
               .attribute("hash", capabilities_hash)
               .attribute("node", capabilities_node)
               .attribute("ver", hash)
               .take();
}

/// Whether that node is the domain itself, by its hash.
bool is_capabilities(const IqRequest& request, std::string_view node) {
    const std::size_t hash = capabilities_node.size() + 1;
    return node.starts_with(capabilities_node) && node.size() > hash && node[hash - 1] == '#' &&
           node.substr(hash) == capabilities_of(request.hub, request.stanza.to);
}

// ---- what is answered ----

void answer_info(const IqRequest& request, DiscoSource::Of of) {
    const std::string_view node = request.payload.attribute("node");
    const bool itself = of == DiscoSource::Of::server && is_capabilities(request, node);
    // What a hash is told for is the same for everybody.
    const Jid& from = itself ? request.stanza.to : request.stanza.from;
    const DiscoQuery query{request.hub, request.account, request.stanza.to, from,
                           itself ? std::string_view{} : node};
    const DiscoInfo info = request.hub.shared.features.info(of, query);
    if (info.found) {
        IqReturn(request).result(info_query(info, node));
    } else {
        IqReturn(request).error({.condition = StanzaCondition::item_not_found, .text = {}});
    }
}

std::string items_query(const DiscoItems& items, std::string_view node) {
    XmlBuilder xml;
    xml.open("query", ns::disco_items).attribute_if("node", node);
    for (const DiscoItem& item : items.items) {
        xml.open("item")
            .attribute("jid", item.jid)
            .attribute_if("node", item.node)
            .attribute_if("name", item.name)
            .close();
    }
    return xml.take();
}

/// `strict`: a node that is not there is an error, and not an empty set.
void answer_items(const IqRequest& request, DiscoSource::Of of, bool strict) {
    const DiscoQuery query{request.hub, request.account, request.stanza.to, request.stanza.from,
                           request.payload.attribute("node")};
    const DiscoItems items = request.hub.shared.features.items(of, query);
    if (items.found || !strict) {
        IqReturn(request).result(items_query(items, query.node));
    } else {
        IqReturn(request).error({.condition = StanzaCondition::item_not_found, .text = {}});
    }
}

void server_info(const IqRequest& request) { answer_info(request, DiscoSource::Of::server); }
void server_items(const IqRequest& request) {
    answer_items(request, DiscoSource::Of::server, true);
}

/// Whether the node asked for is among those that the sender is told of.
bool is_listed(const IqRequest& request) {
    const std::string_view node = request.payload.attribute("node");
    if (node.empty()) return false;
    const DiscoItems listed = request.hub.shared.features.items(
        DiscoSource::Of::account,
        {request.hub, request.account, request.stanza.to, request.stanza.from, {}});
    return std::ranges::any_of(listed.items,
                               [node](const DiscoItem& item) { return item.node == node; });
}

/// XEP-0030 §8: of an account somebody hears who may see its presence; anybody else of those of its
/// nodes that are for everybody (XEP-0060 §5.3), and of all else what there is where nobody is.
void account_info(const IqRequest& request) {
    const Account& account = *request.account;
    if (account.exists() && (account.may_be_asked_by(request.stanza.from) || is_listed(request))) {
        answer_info(request, DiscoSource::Of::account);
    } else {
        IqReturn(request).error({.condition = StanzaCondition::service_unavailable, .text = {}});
    }
}

/// XEP-0030 §8: those that may not know of an account are told of nothing there but what is for
/// everybody; where that is nothing, in the same words as where there is no account.
void account_items(const IqRequest& request) {
    const Account& account = *request.account;
    if (account.exists()) {
        answer_items(request, DiscoSource::Of::account,
                     account.may_be_asked_by(request.stanza.from));
    } else {
        IqReturn(request).result(items_query({}, request.payload.attribute("node")));
    }
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

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::disco_info, "query", IqTarget::server, server_info},
    IqHandler{StanzaType::get, ns::disco_items, "query", IqTarget::server, server_items},
    IqHandler{StanzaType::get, ns::disco_info, "query", IqTarget::account, account_info,
              IqAudience::handler_decides},
    IqHandler{StanzaType::get, ns::disco_items, "query", IqTarget::account, account_items,
              IqAudience::handler_decides},
};
constexpr std::array server_features{ns::capabilities, ns::disco_info, ns::disco_items};
constexpr std::array account_features{ns::disco_info, ns::disco_items};
// Fewer of them work for an anonymous account.
constexpr std::array stream_features{StreamFeature{.side = StreamSide::client,
                                                   .needs = stream_bits::authenticated,
                                                   .forbids = stream_bits::anonymous,
                                                   .offer = offer_capabilities}};
constexpr std::array sources{
    DiscoSource{.of = DiscoSource::Of::server, .info = server_identity},
    DiscoSource{.of = DiscoSource::Of::account, .info = account_identity},
};

}  // namespace

extern const Feature disco;
const Feature disco{.name = "disco",
                    .xep = 30,
                    .version = "2.5rc3",
                    .server_disco = server_features,
                    .account_disco = account_features,
                    .iq = handlers,
                    .disco = sources,
                    .stream = stream_features};

}  // namespace causeway
