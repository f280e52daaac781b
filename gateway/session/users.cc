#include "gateway/session/users.h"

namespace causeway {

User& Users::get(std::string_view bare) {
    const auto found = users_.find(bare);
    if (found != users_.end()) return *found->second;
    auto user = std::make_unique<User>(hub_, Jid::parse(bare) ? *Jid::parse(bare) : Jid{});
    User& made = *user;
    users_.emplace(std::string(bare), std::move(user));
    return made;
}

User* Users::find(std::string_view bare) {
    const auto found = users_.find(bare);
    return found == users_.end() ? nullptr : found->second.get();
}

void Users::forget(std::string_view bare) {
    const auto found = users_.find(bare);
    if (found == users_.end()) return;
    found->second->reload();
}

void Users::idle(User& user) {
    idle_.emplace_back(user.jid().bare());
    while (idle_.size() > idle_limit) {
        const auto oldest = users_.find(idle_.front());
        if (oldest != users_.end() && oldest->second.get() != &user && !oldest->second->busy()) {
            users_.erase(oldest);
        }
        idle_.pop_front();
    }
}

std::size_t Users::session_count() const {
    std::size_t count = 0;
    for (const auto& [bare, user] : users_) count += user->resources().size();
    return count;
}

void Users::each_online(const std::function<void(User&)>& visit) {
    for (const auto& [bare, user] : users_) {
        if (!user->resources().empty()) visit(*user);
    }
}

}  // namespace causeway
