// What the files of this feature share; nothing outside this folder includes it.
#pragma once

#include "gateway/config/feature_option.h"
#include "gateway/feature/feature.h"

namespace causeway::personal_events {

extern const FeatureOption nodes_per_account;
extern const FeatureOption items_per_node;
extern const FeatureOption item_bytes;
extern const FeatureOption bytes_per_account;
extern const FeatureOption subscribers_per_node;
extern const FeatureOption requests_per_node;

extern const Metric published;
extern const Metric notified;

/// The value in force.
std::uint64_t limit(const Hub& hub, const FeatureOption& option);

// iq
void answer(const IqRequest& request);

}  // namespace causeway::personal_events
