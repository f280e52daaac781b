// An account's archive as a file.
#pragma once

#include <functional>
#include <string>

#include "gateway/control/command.h"
#include "gateway/store/store.h"

namespace causeway {

/// Calls `then` if there is something of `owner`, a bare address: messages, or at least the
/// account. Else `reply` hears that there is none. Both on `home`.
void if_archive_owner(const control::Operations& operations, Store& store, Executor& home,
                      const std::string& owner, const control::Reply& reply,
                      std::function<void()> then);

/// Writes the archive of `owner` into the new file that the request names (mode 0600), page by
/// page, and answers how many messages. One XML document as in XEP-0227 §Archived messages, each
/// message as a result of XEP-0313: what other servers and clients read. A failure, or a client
/// that leaves, leaves no file.
void start_archive_export(const std::string& owner, const control::CommandRequest& request);

}  // namespace causeway
