// Messages that the access rules hold until their owner decides about them (requests.cc), as those
// know them that put one more there or take one away.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "gateway/features/access/operations.h"

namespace causeway::access {

/// How many may wait for the owner.
std::size_t most_held(const Account& account);
/// Those that wait, without what was accepted.
void list_held(Account& account, std::function<void(Result<Requests>)> answer);
/// That one does not wait any more.
void no_longer_held(Account& account, std::uint64_t row);
/// What is held has to be read again.
void held_anew(Account& account);

/// What the rules made of a message, for the trace.
void note_rules(const Account& account, const Packet& packet, TraceVerdict verdict,
                std::string_view why);

}  // namespace causeway::access
