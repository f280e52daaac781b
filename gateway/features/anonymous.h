// Anonymous accounts: made for one client, and gone with it.
#pragma once

#include <functional>
#include <string_view>

#include "gateway/session/hub.h"
#include "gateway/xmpp/jid.h"

namespace causeway::anonymous {

/// Whether clients may log in to that domain without an account (domain.anonymous).
[[nodiscard]] bool offered(const Hub& hub, std::string_view domain);
/// Whether that is the address of such an account.
[[nodiscard]] bool is_anonymous(const Hub& hub, const Jid& jid);

/// Makes an account with a random name for a client from that network (see network_prefix). `done`
/// is called later, on the hub's shard: policy if there are too many. The account ends with its
/// last session, or soon if it never has one.
void make(Hub& hub, std::string_view domain, std::string network,
          std::function<void(const Result<Jid>&)> done);

}  // namespace causeway::anonymous
