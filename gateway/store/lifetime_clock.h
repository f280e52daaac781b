// LifetimeClock: the time in which rows of a Log expire (LogRow::expires). It never jumps: while
// the process runs it advances with the monotonic clock, whatever becomes of the wall clock, and
// over a restart by what the wall clock says has passed, but never backwards and at most a day. So
// a message stored while a machine without a battery believed in 1970 lives on when its clock is
// set. Where nothing is remembered it begins as the wall clock, in which older stores have their
// expiries.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/clock.h"

namespace causeway {

/// Immutable, for any thread. `clock` outlives it.
class LifetimeClock {
public:
    /// What both clocks showed at one moment; remembered in the store now and then.
    struct Mark {
        UnixMillis lifetime = 0;
        UnixMillis wall = 0;
        /// As it stands in the store.
        [[nodiscard]] std::string text() const;
        static std::optional<Mark> parse(std::string_view text);
    };
    /// Where the last mark is kept: a Map store, without an owner.
    static constexpr std::string_view store = "server";
    static constexpr std::string_view key = "lifetime";
    /// The most that a restart adds.
    static constexpr Duration longest_absence = std::chrono::hours(24);

    explicit LifetimeClock(const Clock& clock, std::optional<Mark> last = {});

    [[nodiscard]] UnixMillis now() const;
    [[nodiscard]] UnixMillis after(Duration lifetime) const { return now() + lifetime.count(); }
    /// Whether a row with that `expires` is over; 0 never is.
    [[nodiscard]] bool over(UnixMillis expires) const { return expires != 0 && expires <= now(); }
    /// When the wall clock will show that it is over, for people; 0 stays 0.
    [[nodiscard]] UnixMillis as_wall(UnixMillis expires) const;

    [[nodiscard]] Mark mark() const { return {now(), clock_.wall()}; }
    /// Whether a restart now, with `last` remembered, would be off: the wall clock was set since.
    [[nodiscard]] bool wall_was_set_since(const Mark& last) const;

private:
    const Clock& clock_;
    TimePoint began_;
    UnixMillis at_begin_ = 0;
};

}  // namespace causeway
