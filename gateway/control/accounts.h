// The address that a command names, as the administrator wrote it.
#pragma once

#include <functional>
#include <string_view>

#include "gateway/base/executor.h"
#include "gateway/control/operations.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/jid.h"

namespace causeway::control {

/// Any address; if it is none, the reason names it.
Result<Jid> address_of(std::string_view text);

/// A bare JID with a local part; malformed otherwise.
Result<Jid> account_of(std::string_view text);

/// Calls `then` if the account exists; `fail` hears why not. Both on `home`.
void if_account(Store& store, Executor& home, const Jid& account, Done fail,
                std::function<void()> then);

}  // namespace causeway::control
