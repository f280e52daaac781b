// Dialback keys (XEP-0185): made from a secret and the stream they are for, so that any shard, and
// any later stream, can verify one without having kept it.
#pragma once

#include <string>
#include <string_view>

namespace causeway {

/// The key that `originating` shows to `receiving` on the stream `stream_id`.
std::string dialback_key(std::string_view secret, std::string_view receiving,
                         std::string_view originating, std::string_view stream_id);

}  // namespace causeway
