// AccountRoster: the contacts of an account and their changes. Changes are made one after the
// other, and each is visible only once it is durable; then it is pushed to the clients that asked
// for the roster. What waits meanwhile is stored together: a thousand contacts that ask at once do
// not wait for a thousand flushes of the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/base/queue.h"
#include "gateway/session/roster.h"

namespace causeway {

class Account;

class AccountRoster {
public:
    /// Changes that may wait for those before them.
    static constexpr std::size_t waiting_limit = 10000;
    /// Changes that are stored together, and bytes of them.
    static constexpr std::size_t group_limit = 64;
    static constexpr std::size_t group_bytes = 262'144;

    /// What a change brings about, filled by its plan.
    struct Change {
        std::vector<RosterItem> items;
        /// Runs when the change is durable, before the items are pushed.
        std::function<void()> before_push;
        /// The next changes may be planned before that: they look at nothing that it alters.
        bool others_follow = false;
    };
    /// Runs when it is the change's turn: fills the batch and the change, or says why not, with
    /// nothing in the batch. What is stored together and fails is planned once more, each for
    /// itself.
    using Plan = std::function<Outcome(Batch& batch, Change& change)>;
    using Done = std::function<void(const Outcome&)>;

    explicit AccountRoster(Account& account) : account_(account) {}

    [[nodiscard]] const Roster& items() const { return items_; }
    /// What was read from the store.
    void load(Roster items) { items_ = std::move(items); }

    /// `done` hears the outcome once the change is durable and pushed.
    void change(Plan plan, Done done);
    /// For a plan: records `item`, and that it is to be pushed if `visible`.
    void plan_item(Batch& batch, Change& change, RosterItem item, bool visible) const;
    /// Runs `task` behind the changes that came before it: presence that follows an approval must
    /// not overtake it while it is being stored.
    void in_order(Done task);
    /// No change is under way or waits.
    [[nodiscard]] bool at_rest() const { return !changing_ && waiting_.empty(); }

private:
    struct Waiting {
        Plan plan;  ///< empty: a task, which `done` is
        Done done;
    };

    struct Planned {
        Waiting waiting;
        Change change;
        Outcome outcome;
    };
    using Group = std::vector<Planned>;

    void enter(Waiting waiting);
    void next();
    void run_task();
    Group plan_group(Batch& batch);
    void finish(Group group, const Outcome& outcome);
    void take_effect(const Change& change);
    void again(Group group);
    void push(const RosterItem& item);

    Account& account_;
    Roster items_;
    Queue<Waiting> waiting_;
    bool changing_ = false;  ///< the store is writing some
    bool in_task_ = false;
    std::uint16_t of_task_ = 0;  ///< so many of those that wait are what the task wants done
    std::uint32_t alone_ = 0;    ///< so many of those that wait are stored each for itself
};

}  // namespace causeway
