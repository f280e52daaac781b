#include "gateway/features/account_queue.h"

#include <utility>

#include "gateway/session/account.h"

namespace causeway {

bool AccountQueue::enter(Account& account, const Slot<AccountQueue>& slot, Task task) {
    const AccountQueue* queue = account.slots.get(slot);
    if (queue != nullptr && queue->waiting_.size() >= limit) return false;
    add(account, slot, std::move(task));
    return true;
}

void AccountQueue::enter_own(Account& account, const Slot<AccountQueue>& slot, Task task) {
    add(account, slot, std::move(task));
}

void AccountQueue::add(Account& account, const Slot<AccountQueue>& slot, Task task) {
    AccountQueue& queue = account.slots.make(slot);
    account.begin_question();
    queue.waiting_.push_back(std::move(task));
    if (queue.waiting_.size() == 1) run(account, slot);
}

void AccountQueue::run(Account& account, const Slot<AccountQueue>& slot) {
    const Task task = account.slots.get(slot)->waiting_.front();
    task([&account, &slot] {
        AccountQueue& queue = *account.slots.get(slot);
        queue.waiting_.pop_front();
        if (queue.waiting_.empty()) {
            account.slots.drop(slot);
        } else {
            run(account, slot);
        }
        account.end_question();
    });
}

}  // namespace causeway
