// For other features of this server: an element in the private storage of an account (XEP-0049), as
// a client of the account would read it and set it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway {

class Account;

/// On the account's home, once it is loaded. The element as canonical XML that declares its
/// namespace; empty: there is none.
void read_private(Account& account, std::string_view element_ns, std::string_view name,
                  std::function<void(const Result<std::string>&)> done);

/// What the element shall be instead of `element`, which is empty if there is none; nullopt: it
/// stays.
using PrivateEdit = std::function<std::optional<std::string>(const std::string& element)>;

/// The same. Changes the element; it is not announced as a change. `done` is told
/// when that is durable. Policy: the account would keep more than it may.
void edit_private(Account& account, std::string_view element_ns, std::string_view name,
                  PrivateEdit edit, std::function<void(const Outcome&)> done);

}  // namespace causeway
