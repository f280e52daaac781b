// AccountQueue: what a feature does for one account in the store, one task after the other, in the
// order in which it was asked for (RFC 6120 §10.1): a change looks at what is stored before it
// writes, and a question that follows a change is answered with what it wrote.
#pragma once

#include <deque>
#include <functional>

#include "gateway/feature/slots.h"

namespace causeway {

class Account;

class AccountQueue final : public SlotState {
public:
    static constexpr std::size_t limit = 20;
    /// A task calls `done` once, when it is over; later, or from within the call.
    using Done = std::function<void()>;
    using Task = std::function<void(const Done& done)>;

    /// Runs `task` now or behind those that wait; the account stays loaded until it is done. False:
    /// `limit` tasks wait, and this one is not run.
    [[nodiscard]] static bool enter(Account& account, const Slot<AccountQueue>& slot, Task task);
    /// The same for what the server does by itself, one thing at a time: it always has a place.
    static void enter_own(Account& account, const Slot<AccountQueue>& slot, Task task);

private:
    static void add(Account& account, const Slot<AccountQueue>& slot, Task task);
    static void run(Account& account, const Slot<AccountQueue>& slot);

    std::deque<Task> waiting_;  ///< the first is under way
};

}  // namespace causeway
