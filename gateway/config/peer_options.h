// Options of [s2s] that the links with other servers read. They are declared like those of a
// feature; see declare_feature_options().
#pragma once

#include <array>

#include "gateway/config/feature_option.h"

namespace causeway {

inline constexpr FeatureOption delayed_notice_minutes{
    .key = "s2s.delayed_notice_minutes",
    .kind = FeatureOption::Kind::integer,
    .reload = Reload::live,
    .form = {},
    .example = "15",
    .doc =
        "Minutes that a message waits for another server before its sender is told, once for "
        "each recipient and outage; 0 tells nobody.",
    .minimum = 0,
    .maximum = 10'080,
    .fallback = 15};

inline constexpr FeatureOption link_silence_seconds{
    .key = "s2s.silence_seconds",
    .kind = FeatureOption::Kind::integer,
    .reload = Reload::new_streams,
    .form = {},
    .example = "60",
    .doc =
        "Time after which a connection with another server counts as dead whose machine "
        "acknowledges neither what is sent nor, in silence, the system's probes; 0 leaves it to "
        "the system.",
    .minimum = 0,
    .maximum = 3600,
    .fallback = 60};

inline constexpr std::array<const FeatureOption*, 2> peer_options{&delayed_notice_minutes,
                                                                  &link_silence_seconds};

}  // namespace causeway
