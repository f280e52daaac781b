// What other features may know of message archives (gateway/features/archive).
#pragma once

#include <string_view>

#include "gateway/session/hub.h"
#include "gateway/xmpp/jid.h"

namespace causeway::archive {

/// Whether the accounts of that domain have an archive.
[[nodiscard]] bool offered(const Hub& hub, std::string_view domain);
/// Whether messages with `other` are archived for the account.
[[nodiscard]] bool keeps(const Account& account, const Jid& other);
/// Whether what the account sends to somebody else is in its archive. Not while it is unknown
/// whether the account wants that.
[[nodiscard]] bool keeps_sent(const Account& account, const Packet& message);

}  // namespace causeway::archive
