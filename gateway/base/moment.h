// Which of two things that happened on different shards came first. The clock does not tell: much
// happens within one of its milliseconds.
#pragma once

#include <cstdint>

namespace causeway {

/// A later one is greater, in the whole process.
enum class Moment : std::uint64_t {};

/// Before all others, and so after none.
inline constexpr Moment no_moment{0};

/// Different at each call, on any thread.
Moment this_moment();

}  // namespace causeway
