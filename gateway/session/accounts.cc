#include "gateway/session/accounts.h"

namespace causeway {

Account& Accounts::get(std::string_view bare) {
    const auto found = accounts_.find(bare);
    if (found != accounts_.end()) return *found->second;
    Result<Jid> parsed = Jid::parse(bare);
    Jid jid = parsed ? std::move(*parsed) : Jid{};
    auto user = std::make_unique<Account>(hub_, std::move(jid));
    Account& made = *user;
    accounts_.emplace(std::string(bare), std::move(user));
    return made;
}

Account* Accounts::find(std::string_view bare) {
    const auto found = accounts_.find(bare);
    return found == accounts_.end() ? nullptr : found->second.get();
}

void Accounts::forget(std::string_view bare) {
    const auto found = accounts_.find(bare);
    if (found == accounts_.end()) return;
    found->second->reload();
}

void Accounts::idle(Account& user) {
    idle_.emplace_back(user.jid().bare());
    while (idle_.size() > idle_limit) {
        const auto oldest = accounts_.find(idle_.front());
        if (oldest != accounts_.end() && oldest->second.get() != &user && !oldest->second->busy()) {
            accounts_.erase(oldest);
        }
        idle_.pop_front();
    }
}

std::size_t Accounts::session_count() const {
    std::size_t count = 0;
    for (const auto& [bare, user] : accounts_) count += user->sessions().size();
    return count;
}

void Accounts::each(const std::function<void(Account&)>& visit) {
    for (const auto& [bare, user] : accounts_) visit(*user);
}

void Accounts::each_online(const std::function<void(Account&)>& visit) {
    for (const auto& [bare, user] : accounts_) {
        if (!user->sessions().empty()) visit(*user);
    }
}

}  // namespace causeway
