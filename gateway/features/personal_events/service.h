// For other features of this server: what is put into an account's nodes, and read there, on the
// account's own behalf. None of it is announced as a change (conversions::announce). Others include
// this header and avatar.h, and nothing else of this folder. An item whose time has passed
// (item_expire) is not there.
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

/// How a node is made whose items are for the account alone, and of which all are kept (XEP-0223).
const FormValues& private_node();

/// An item, published as if a client of the account did it.
struct OwnItem {
    std::string node, id;
    std::string payload;  ///< canonical XML that declares its namespace
};

/// On the account's home, once it is loaded. If there is no such node, it is made with `options`
/// ("pubsub#access_model" and so on). One that is there stays as its owner made it; but what is for
/// the account alone by its options is not published (refused) where others may read it. `done` is
/// told when the item is durable and notified, or why it is not; it may be empty.
void publish_for(Account& account, OwnItem item, const FormValues& options,
                 std::function<void(const Outcome&)> done);
/// What an item's payload shall be instead of that of `known`, which is nullptr if there is none;
/// nullopt: it stays.
using ItemEdit = std::function<std::optional<std::string>(const OwnItem* known)>;

/// Publishes in place of the item with that id, or with an empty one of the newest of the node; if
/// there is none, with the id `id_if_none`. Nobody publishes between the look at what is there and
/// the publication. Otherwise as publish_for(); `done` is told as well if the item stays.
void edit_for(Account& account, std::string node, std::string id, std::string id_if_none,
              ItemEdit edit, const FormValues& options, std::function<void(const Outcome&)> done);
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
