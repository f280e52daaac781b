// How long, and to how many addresses, a connection to another server is tried.
#pragma once

#include <chrono>

#include "gateway/net/connector.h"
#include "gateway/session/hub.h"

namespace causeway {

/// As the configuration of this moment has it.
[[nodiscard]] inline ConnectorLimits connector_limits(const Hub& hub) {
    const Limits& limits = hub.limits();
    ConnectorLimits bounds;
    bounds.attempt = std::chrono::duration_cast<Duration>(limits.connect_seconds);
    bounds.total = std::chrono::duration_cast<Duration>(limits.link_connect_seconds);
    bounds.addresses_per_family = limits.addresses_per_target;
    if (const auto& source = hub.config->s2s.bind) {
        (source->is_v4() ? bounds.source_v4 : bounds.source_v6) = *source;
    }
    return bounds;
}

}  // namespace causeway
