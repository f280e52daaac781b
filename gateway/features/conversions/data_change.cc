#include "gateway/features/conversions/data_change.h"

#include <array>

namespace causeway::conversions {

void announce(Account& account, const DataChange& change) {
    constexpr std::array hear{avatar_changed, bookmarks_changed, vcard4_changed};
    for (const auto& conversion : hear) conversion(account, change);
}

}  // namespace causeway::conversions
