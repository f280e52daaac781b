#include "gateway/session/acknowledgement_pace.h"

#include <algorithm>

namespace causeway {

Duration AcknowledgementPace::wait_for(std::string_view recipient) const {
    const auto found = slowest_.find(recipient);
    if (found == slowest_.end()) return first;
    if (found->second >= longest) return shortest;
    return std::clamp(2 * found->second, shortest, longest);
}

Duration& AcknowledgementPace::remember(std::string_view recipient) {
    const auto found = slowest_.find(recipient);
    if (found != slowest_.end()) return found->second;
    if (slowest_.size() >= remembered) slowest_.erase(slowest_.begin());
    return slowest_.emplace(recipient, Duration::zero()).first->second;
}

void AcknowledgementPace::acknowledged(std::string_view recipient, Duration after) {
    Duration& slowest = remember(recipient);
    // What is far too slow counts as just too slow, so that a recipient which is quick again is
    // soon believed.
    after = std::min(after, 2 * longest);
    if (after >= slowest) {
        slowest = after;
    } else {
        slowest -= std::max(Duration(1), (slowest - after) / 8);
    }
}

void AcknowledgementPace::silent(std::string_view recipient, Duration since) {
    Duration& slowest = remember(recipient);
    slowest = std::max(slowest, std::min(since, 2 * longest));
}

}  // namespace causeway
