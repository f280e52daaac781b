// AcknowledgementPace: how long each recipient takes to acknowledge, and so how long a message
// waits for that before it is written to disk. A recipient that acknowledges within its usual time
// costs no write; one that never does is not waited for long.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/base/clock.h"
#include "gateway/base/string_hash.h"

namespace causeway {

class AcknowledgementPace {
public:
    /// The wait for a recipient about which nothing is known: most paths, mobile ones included.
    static constexpr Duration first{320};
    static constexpr Duration shortest{10};
    /// The longest wait; a recipient that takes as long as this gets the shortest, since waiting
    /// for it is in vain.
    static constexpr Duration longest{1280};
    /// Recipients that are remembered; beyond that any one is forgotten.
    static constexpr std::size_t remembered = 10'000;

    /// How long a message to `recipient` waits: twice the slowest acknowledgement of late.
    [[nodiscard]] Duration wait_for(std::string_view recipient) const;
    /// It acknowledged a message after that time.
    void acknowledged(std::string_view recipient, Duration after);
    /// It had not acknowledged a message after that time.
    void silent(std::string_view recipient, Duration since);

private:
    Duration& remember(std::string_view recipient);

    /// The slowest acknowledgement; each quicker one takes an eighth of the difference off.
    std::unordered_map<std::string, Duration, StringHash, std::equal_to<>> slowest_;
};

}  // namespace causeway
