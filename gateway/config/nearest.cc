// Which known key a mistaken one most likely means: the smallest edit distance.
#include <algorithm>
#include <limits>

#include "gateway/base/encoding.h"
#include "gateway/config/options.h"

namespace causeway {
namespace {

/// Keys are compared up to this length, which bounds the work for any input.
constexpr std::size_t longest_compared = 64;

/// Insertions, deletions, substitutions and swaps of neighbours that lead from `a` to `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substituted = last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, substituted});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = std::min(now[j], before[j - 2] + 1);
            }
        }
        std::swap(before, last);
        std::swap(last, now);
    }
    return last[b.size()];
}

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

std::string_view nearest_option(std::string_view key) {
    const std::string wanted = ascii_lower(key.substr(0, longest_compared));
    // A right name in the wrong section is also a likely slip, but less likely than a misspelling.
    constexpr std::size_t wrong_section = 2;
    std::string_view best;
    std::size_t best_distance = std::numeric_limits<std::size_t>::max();
    const auto consider = [&](std::string_view candidate, std::size_t distance) {
        if (distance >= best_distance) return;
        best = candidate;
        best_distance = distance;
    };
    if (wanted.find('.') == std::string::npos) {
        for (const auto section : option_sections()) {
            consider(section, edit_distance(wanted, section));
        }
    }
    for (const Option& option : options()) {
        consider(option.key, edit_distance(wanted, option.key));
        consider(option.key, edit_distance(last_part(wanted), option.name()) + wrong_section);
    }
    return best;
}

}  // namespace causeway
