#include "gateway/server/merged_traces.h"

#include <tuple>

namespace causeway {

std::vector<TraceLine> merged(const std::vector<Trace::Found>& found) {
    std::vector<TraceLine> all;
    std::vector<std::size_t> next(found.size(), 0);
    while (true) {
        const TraceLine* first = nullptr;
        std::size_t of = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
            if (next[i] == found[i].lines.size()) continue;
            const TraceLine& line = found[i].lines[next[i]];
            if (first == nullptr ||
                std::tie(line.at, line.stage) < std::tie(first->at, first->stage)) {
                first = &line;
                of = i;
            }
        }
        if (first == nullptr) return all;
        all.push_back(*first);
        ++next[of];
    }
}

}  // namespace causeway
