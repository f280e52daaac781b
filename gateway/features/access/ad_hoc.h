// The access rules, presence views and held requests in the menus of clients (XEP-0050), on the
// account's own address, and for a grantee the publishing of presence.
#pragma once

#include <array>

#include "gateway/feature/ad_hoc.h"

namespace causeway {

extern constinit const std::array<AdHocCommand, 5> access_menus;

}  // namespace causeway
