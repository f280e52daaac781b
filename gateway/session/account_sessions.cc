#include "gateway/session/account_sessions.h"

#include <algorithm>

namespace causeway {

Resource* AccountSessions::find(std::string_view resource) const {
    const auto found = std::ranges::find_if(
        all_, [&](const Resource* session) { return session->jid().resource() == resource; });
    return found == all_.end() ? nullptr : *found;
}

bool AccountSessions::has(const Resource& session) const {
    return std::ranges::find(all_, &session) != all_.end();
}

AccountSessions::Some AccountSessions::best() const {
    Some best;
    int priority = 0;
    for (Resource* session : all_) {
        if (!session->available() || session->priority < priority) continue;
        if (session->priority > priority) best.clear();
        priority = session->priority;
        best.push_back(session);
    }
    return best;
}

void AccountSessions::evict_all(std::string_view condition, std::string_view text) {
    // Each removes itself.
    const std::vector<Resource*> all = all_;
    for (Resource* session : all) session->evict(condition, text);
}

}  // namespace causeway
