// For other features of this server: the vcard-temp card of an account (XEP-0054), as a client of
// the account would read it and set it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway {

class Account;

/// On the account's home, once it is loaded. The card as canonical XML; empty: the account has
/// none.
void read_card(Account& account, std::function<void(const Result<std::string>&)> done);

/// What a card shall be instead of `card`, which is empty if there is none; nullopt: it stays.
using CardEdit = std::function<std::optional<std::string>(const std::string& card)>;

/// The same. Changes the card, with its hash in the account's presence; `done` is told when that is
/// durable. Policy: the card would be larger than a card may be, and stays as it is. `by` is a
/// constant of the program: who changes it, as in conversions::DataChange.
void edit_card(Account& account, std::string_view by, CardEdit edit,
               std::function<void(const Outcome&)> done);

}  // namespace causeway
