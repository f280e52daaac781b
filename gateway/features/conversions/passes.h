// Passes: what the conversions of this folder do for an account, one after the other. A client
// changed something in one place; a pass reads what is there now, and puts it into the other place.
// What changes before the pass begins is part of it; what changes while it runs makes one more. So
// however fast a client is, at most one of each kind waits.
//
// A pass that the store fails is done again after a pause, a few times. It ends with the account:
// nothing is done for one that was removed.
#pragma once

#include <deque>
#include <functional>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/base/timer_wheel.h"
#include "gateway/feature/slots.h"

namespace causeway {
class Account;
class Arena;
class Element;
}  // namespace causeway

namespace causeway::conversions {

class Passes final : public SlotState, private TimerTarget {
public:
    /// Called once by a pass when it is over, with why something could not be converted: that is
    /// logged, and the places stay as they are. With the cause retry the pass is called again
    /// later, and does then what it was to do now.
    using Done = std::function<void(const Outcome&)>;
    using Pass = void (*)(Account& account, const Done& done);

    Passes(Account& account, const Slot<Passes>& slot) : account_(account), slot_(slot) {}

    /// Runs the pass behind those that wait. The account stays loaded until it is over. On the
    /// account's home, once it is loaded.
    static void request(Account& account, const Slot<Passes>& slot, Pass pass);

private:
    void next();
    void ended(Pass pass, const Outcome& outcome);
    void try_later(Pass pass);
    void on_timer(std::uint32_t which) override;

    Account& account_;
    const Slot<Passes>& slot_;
    std::deque<Pass> waiting_;
    bool running_ = false;  ///< one is under way, or waits for its next attempt
    unsigned failed_attempts_ = 0;
    Timer timer_;
};

/// Shows an element that stands in the store as canonical XML; false: it cannot be read.
bool look_at(std::string_view xml, const std::function<void(Element&, Arena&)>& visit);

/// The text without white space, such as base64 that was cut into lines.
std::string without_spaces(std::string_view text);

}  // namespace causeway::conversions
