// What a feature tells of itself by service discovery (XEP-0030), as functions of who asks and of
// which node. A feature whose answer depends on neither uses the lists in Feature.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/xmpp/jid.h"

namespace causeway {

struct Hub;
class Account;

/// A disco identity (XEP-0030 §3.1). Category, type and name are constants.
struct Identity {
    std::string_view category, type, name;
};

/// One question. `account` is the account that is asked, or nullptr where a domain is.
struct DiscoQuery {
    Hub& hub;
    Account* account;
    const Jid& to;
    const Jid& from;
    std::string_view node;  ///< empty: the address itself
};

/// The answer to disco#info, collected from all features.
struct DiscoInfo {
    std::vector<Identity> identities;
    std::vector<std::string> features;
    std::vector<std::string> forms;  ///< whole data forms (XEP-0128), canonical XML
    bool found = false;              ///< the node asked for exists
};

/// One item of the answer to disco#items.
struct DiscoItem {
    std::string jid, node, name;
};

/// The answer to disco#items.
struct DiscoItems {
    std::vector<DiscoItem> items;
    bool found = false;
};

/// Functions of one feature. Each checks the node of the query itself, and adds nothing for a node
/// that is not its own.
struct DiscoSource {
    enum class Of : unsigned char { server, account };
    Of of = Of::server;
    void (*info)(const DiscoQuery& query, DiscoInfo& info) = nullptr;
    void (*items)(const DiscoQuery& query, DiscoItems& items) = nullptr;
};

}  // namespace causeway
