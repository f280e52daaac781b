// The address that a command names, as the administrator wrote it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "gateway/base/executor.h"
#include "gateway/config/config.h"
#include "gateway/control/operations.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/jid.h"

namespace causeway::control {

/// Any address; if it is none, the reason names it.
Result<Jid> address_of(std::string_view text);

/// A bare JID with a local part; malformed otherwise.
Result<Jid> account_of(std::string_view text);

/// Which domains are served here, for a sentence: "a.test, b.test and 3 more".
std::string served_domains(const Config& config);
/// That there is no such account, and why none can be there: its domain is not served.
Outcome no_account(const Config& config, const Jid& account);

/// Calls `then` if the account exists; `fail` hears why not. Both on `home`.
void if_account(const Operations& operations, Store& store, Executor& home, const Jid& account,
                Done fail, std::function<void()> then);

}  // namespace causeway::control
