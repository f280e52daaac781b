#include "gateway/store/lifetime_clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace causeway {
namespace {

/// What the wall clock may gain or lose by being adjusted, and nobody minds.
constexpr UnixMillis tolerated = 30'000;

std::optional<UnixMillis> number(std::string_view text) {
    UnixMillis value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::string LifetimeClock::Mark::text() const { return fmt::format("{} {}", lifetime, wall); }

std::optional<LifetimeClock::Mark> LifetimeClock::Mark::parse(std::string_view text) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto lifetime = number(text.substr(0, space));
    const auto wall = number(text.substr(space + 1));
    if (!lifetime || !wall) return std::nullopt;
    return Mark{*lifetime, *wall};
}

LifetimeClock::LifetimeClock(const Clock& clock, std::optional<Mark> last)
    : clock_(clock), began_(clock.now()), at_begin_(clock.wall()) {
    if (!last) return;
    const UnixMillis away = clock.wall() - last->wall;
    at_begin_ = last->lifetime + std::clamp<UnixMillis>(away, 0, longest_absence.count());
}

UnixMillis LifetimeClock::now() const { return at_begin_ + (clock_.now() - began_).count(); }

UnixMillis LifetimeClock::as_wall(UnixMillis expires) const {
    return expires == 0 ? 0 : expires - now() + clock_.wall();
}

bool LifetimeClock::wall_was_set_since(const Mark& last) const {
    const Mark current = mark();
    return std::abs((current.wall - last.wall) - (current.lifetime - last.lifetime)) > tolerated;
}

}  // namespace causeway
