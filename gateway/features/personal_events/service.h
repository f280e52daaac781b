// For other features of this server: what is put into an account's nodes, and read there, on the
// account's own behalf. Others include this header and avatar.h, and nothing else of this folder.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "gateway/base/outcome.h"
#include "gateway/xmpp/data_form.h"

namespace causeway {
class Account;
}

namespace causeway::personal_events {

/// An item, published as if a client of the account did it.
struct OwnItem {
    std::string node, id;
    std::string payload;  ///< canonical XML that declares its namespace
};

/// On the account's home, once it is loaded. If there is no such node, it is made with `options`
/// ("pubsub#access_model" and so on). `done` is told when the item is durable and notified, or why
/// it is not; it may be empty.
void publish_for(Account& account, OwnItem item, const FormValues& options,
                 std::function<void(const Outcome&)> done);
/// The item with that id, or with an empty one the newest of the node; nullopt: there is none.
void read_for(Account& account, std::string node, std::string id,
              std::function<void(const std::optional<OwnItem>&)> done);

}  // namespace causeway::personal_events
