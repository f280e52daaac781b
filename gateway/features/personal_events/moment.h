// Which of two things that happened on different shards came first. What is published while a
// client becomes known to want it would otherwise reach it twice, or not at all: as a notification,
// and as the last item.
#pragma once

#include <cstdint>

namespace causeway::personal_events {

/// A later one is greater, in the whole process.
enum class Moment : std::uint64_t {};

/// Before all others, and so after none.
inline constexpr Moment no_moment{0};

/// Different at each call, on any thread.
Moment now();

}  // namespace causeway::personal_events
