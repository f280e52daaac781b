// Passes: what the conversions of this folder do for an account, one after the other. A client
// changed something in one place; a pass reads what is there now, and puts it into the other place.
// What changes before the pass begins is part of it; what changes while it runs makes one more. So
// however fast a client is, at most one of each kind waits.
#pragma once

#include <deque>
#include <functional>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/feature/slots.h"

namespace causeway {
class Account;
class Arena;
class Element;
}  // namespace causeway

namespace causeway::conversions {

class Passes final : public SlotState {
public:
    /// Called once by a pass when it is over, with why something could not be converted: that is
    /// logged, and the places stay as they are.
    using Done = std::function<void(const Outcome&)>;
    using Pass = void (*)(Account& account, const Done& done);

    /// Runs the pass behind those that wait. The account stays loaded until it is over. On the
    /// account's home, once it is loaded.
    static void request(Account& account, const Slot<Passes>& slot, Pass pass);

private:
    static void run(Account& account, const Slot<Passes>& slot);

    std::deque<Pass> waiting_;
    bool running_ = false;
};

/// Shows an element that stands in the store as canonical XML; false: it cannot be read.
bool look_at(std::string_view xml, const std::function<void(Element&, Arena&)>& visit);

/// The text without white space, such as base64 that was cut into lines.
std::string without_spaces(std::string_view text);

}  // namespace causeway::conversions
