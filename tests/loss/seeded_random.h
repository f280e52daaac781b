// In a program that links seeded_random.cc, gateway/base/random.h draws from a seed, so that a run
// can be repeated. Such a program defends nothing against anybody.
#pragma once

#include <cstdint>

namespace causeway::loss {

void seed_random(std::uint64_t seed);

}  // namespace causeway::loss
