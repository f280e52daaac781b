// The options of features stand in the table before the first test looks at it.
#include "gateway/features/registry.h"

namespace {
const bool declared = [] {
    causeway::declare_feature_options();
    return true;
}();
}  // namespace
