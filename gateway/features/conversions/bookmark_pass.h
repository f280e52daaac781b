// One pass over the places of an account's bookmarks (bookmarks.cc): they are read, and what
// differs is put into the others.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "gateway/features/conversions/passes.h"

namespace causeway::conversions {

/// Items that one pass publishes and retracts; the rest stays where it is.
inline constexpr std::size_t most_bookmark_changes = 1000;

/// What clients changed since the last pass.
struct ChangedBookmarks {
    // The list as it was before the first of their changes.
    std::optional<std::string> private_before = {}, list_before = {};
    std::set<std::string> items = {};  ///< ids of items that were published or retracted

    /// With what a pass that failed was for, which is older.
    void take_back(const ChangedBookmarks& failed);
};

/// On the account's home, once it is loaded.
void unify_bookmarks(Account& account, ChangedBookmarks changed, Passes::Done done);

}  // namespace causeway::conversions
