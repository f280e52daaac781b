#include "gateway/server/merged_traces.h"

#include <algorithm>
#include <iterator>

namespace causeway {

std::vector<TraceLine> merged(const std::vector<Trace::Found>& found) {
    std::vector<TraceLine> all;
    for (const Trace::Found& one : found) std::ranges::copy(one.lines, std::back_inserter(all));
    std::ranges::sort(all, {}, &TraceLine::moment);
    return all;
}

}  // namespace causeway
