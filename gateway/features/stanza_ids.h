// For other features of this server: the ids of XEP-0359 in messages.
#pragma once

#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

/// The message without the ids that claim to be by `owner`; itself, if it has none.
[[nodiscard]] PacketRef without_ids_of(const PacketRef& message, const Jid& owner);

}  // namespace causeway
