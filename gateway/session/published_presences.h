// What is published in the names of accounts that nobody uses: it may have been seen, and stays
// shown until somebody says otherwise.
#pragma once

#include <functional>
#include <set>
#include <string>

namespace causeway {

class Account;
struct Hub;

/// Loads the accounts of those domains on this shard in whose name somebody published presence, but
/// for those in `known`, one after the other, and calls `visit` for each.
void visit_published_presences(Hub& hub, std::set<std::string> domains, std::set<std::string> known,
                               std::function<void(Account&)> visit);

}  // namespace causeway
