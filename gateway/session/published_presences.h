// What is published in the names of accounts that nobody uses: it may have been seen, and stays
// shown until somebody says otherwise.
#pragma once

#include <set>
#include <string>

namespace causeway {

struct Hub;

/// The domains show presence now, or no more: loads the accounts of theirs on this shard in whose
/// name somebody published presence, but for those in `settled`, one after the other, and settles
/// what is shown of it (AccountPresence::settle_published).
void settle_published_presences(Hub& hub, std::set<std::string> domains,
                                std::set<std::string> settled);

}  // namespace causeway
