#include "gateway/session/awaited_sessions.h"

#include <algorithm>

#include "gateway/session/account.h"

namespace causeway {

AwaitedSessions::AwaitedSessions(const std::vector<KeptStream>& kept) {
    for (const KeptStream& stream : kept) {
        Session session{
            .stream = stream.id, .resource = stream.state.resource, .rows = stream.missed.messages};
        for (const auto& [number, row] : stream.sent) session.rows.push_back(row);
        std::ranges::sort(session.rows);
        sessions_.push_back(std::move(session));
    }
}

bool AwaitedSessions::Session::may_come_back(const Account& account) const {
    return !account.hub().stream_records.known(stream) &&
           account.sessions().find(resource) == nullptr;
}

bool AwaitedSessions::were_sent(const Account& account, std::uint64_t row) const {
    return std::ranges::any_of(sessions_, [&](const Session& session) {
        return std::ranges::binary_search(session.rows, row) && session.may_come_back(account);
    });
}

bool AwaitedSessions::give_up(std::uint64_t stream) {
    return std::erase_if(sessions_, [stream](const Session& session) {
               return session.stream == stream;
           }) != 0;
}

}  // namespace causeway
