// What a reload changes, option by option, and when each change takes effect.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.h"

namespace causeway {

/// When a changed option takes effect.
enum class Reload : unsigned char {
    live,         ///< at once
    new_streams,  ///< for streams that begin after the reload
    restart,      ///< only after the process was started anew
};

/// "live", "new-streams" or "restart".
std::string_view to_string(Reload reload);

/// One option whose value differs; values as TOML text. A domain's option has the key
/// `domain."a.test".certificate`; a domain that came or went, `domain."a.test"`.
struct Change {
    std::string key, old_value, new_value;
    Reload reload = Reload::live;
};

/// The options that differ, in the order of the option table, domains first. What a path leads to
/// (a renewed certificate) is not looked at.
std::vector<Change> diff(const Config& old_config, const Config& new_config);

}  // namespace causeway
