// When an account was last available, for other features.
#pragma once

#include <optional>
#include <string_view>

#include "gateway/store/store.h"

namespace causeway {

/// Answers on `home`; nullopt: it has not been online yet. Of an account that is online, it is when
/// it was last away.
void find_last_activity(Store& store, Executor& home, std::string_view bare,
                        Store::Answer<std::optional<UnixMillis>> answer);

}  // namespace causeway
