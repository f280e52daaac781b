// Metrics as text: the samples of the engine and of the features, written by prometheus-cpp in the
// form of OpenMetrics 1.0.
#pragma once

#include <string>

#include "gateway/control/operations.h"
#include "gateway/feature/metric.h"

namespace causeway {

/// What the engine tells of itself: the numbers of `causewayctl status`.
MetricSamples samples_of(const control::Status& status);

/// The text of one scrape; ends with "# EOF". Its families live as long as the call, so it is as
/// large as the list of metrics and of served domains.
std::string metrics_text(const MetricSamples& samples);

}  // namespace causeway
