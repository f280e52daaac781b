// The version of this build.
#pragma once

#include <string_view>

namespace causeway {

#ifdef CAUSEWAY_VERSION
inline constexpr std::string_view version_text = CAUSEWAY_VERSION;
#else
inline constexpr std::string_view version_text = "unknown";
#endif

}  // namespace causeway
