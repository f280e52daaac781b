// Who administers a domain: the addresses in its option `administrators`.
#pragma once

#include <string_view>

#include "gateway/session/hub.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

/// Whether `who`, with or without a resource, is an administrator of that served domain. False for
/// a domain that is not served.
[[nodiscard]] bool is_administrator(const Hub& hub, const Jid& who, std::string_view domain);
/// Whether it is one of any domain that is served here.
[[nodiscard]] bool is_administrator(const Hub& hub, const Jid& who);

}  // namespace causeway
