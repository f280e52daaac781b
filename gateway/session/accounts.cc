#include "gateway/session/accounts.h"

namespace causeway {

Account& Accounts::get(std::string_view bare) {
    const auto found = accounts_.find(bare);
    if (found != accounts_.end()) return *found->second.account;
    Result<Jid> parsed = Jid::parse(bare);
    Jid jid = parsed ? std::move(*parsed) : Jid{};
    auto user = std::make_unique<Account>(hub_, std::move(jid));
    Account& made = *user;
    accounts_.emplace(std::string(bare), Entry{.account = std::move(user)});
    return made;
}

Account* Accounts::find(std::string_view bare) {
    const auto found = accounts_.find(bare);
    return found == accounts_.end() ? nullptr : found->second.account.get();
}

void Accounts::forget(std::string_view bare) {
    const auto found = accounts_.find(bare);
    if (found == accounts_.end()) return;
    found->second.account->reload();
}

void Accounts::idle(Account& user) {
    const auto rests = accounts_.find(user.jid().bare());
    if (rests == accounts_.end() || rests->second.account.get() != &user) return;
    Entry& entry = rests->second;
    if (entry.listed) {
        idle_.splice(idle_.end(), idle_, entry.idle);
    } else {
        entry.idle = idle_.insert(idle_.end(), &user);
        entry.listed = true;
    }
    while (idle_.size() > idle_limit) {
        const auto oldest = accounts_.find(idle_.front()->jid().bare());
        idle_.pop_front();
        oldest->second.listed = false;
        // What is busy comes again when it rests.
        if (!oldest->second.account->busy()) accounts_.erase(oldest);
    }
}

std::size_t Accounts::session_count() const {
    std::size_t count = 0;
    for (const auto& [bare, user] : accounts_) count += user.account->sessions().size();
    return count;
}

void Accounts::each(const std::function<void(Account&)>& visit) {
    for (const auto& [bare, user] : accounts_) visit(*user.account);
}

void Accounts::each_online(const std::function<void(Account&)>& visit) {
    for (const auto& [bare, user] : accounts_) {
        if (!user.account->sessions().empty()) visit(*user.account);
    }
}

}  // namespace causeway
