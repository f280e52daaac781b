// The list of all features, by XEP number: the table of contents of what Causeway can do.
#pragma once

#include <span>

#include "gateway/feature/feature.h"

namespace causeway {

std::span<const Feature* const> all_features();

}  // namespace causeway
