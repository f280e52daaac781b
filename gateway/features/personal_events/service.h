// For other features of this server: what is put into an account's nodes, and read there, on the
// account's own behalf. None of it is announced as a change (conversions::announce). Others include
// this header and avatar.h, and nothing else of this folder.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
/// As if a client of the account took the item away; its subscribers are told. Refused: there is
/// none.
void retract_for(Account& account, std::string node, std::string id,
                 std::function<void(const Outcome&)> done);
/// The item with that id, or with an empty one the newest of the node; absent: there is none.
void read_for(Account& account, std::string node, std::string id,
              std::function<void(const Result<OwnItem>&)> done);

/// Those of the node's items that have these ids; without ids all, newest first. None, if there is
/// no such node.
void read_items_for(Account& account, std::string node, std::vector<std::string> ids,
                    std::function<void(const Result<std::vector<OwnItem>>&)> done);

/// Who reads a node's items beside its owner.
enum class Readers : unsigned char {
    undecided,  ///< there is no such node
    nobody,
    some,  ///< whom the owner chose
    contacts,
    everybody,
};
Readers readers_of(const Account& account, std::string_view node);

}  // namespace causeway::personal_events
