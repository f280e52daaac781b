// The list of all features, by XEP number: the table of contents of what Causeway can do.
#pragma once

#include <span>

#include "gateway/feature/feature.h"

namespace causeway {

std::span<const Feature* const> all_features();

/// Adds the options of all features to the table of options; once, when a program starts.
void declare_feature_options();

}  // namespace causeway
