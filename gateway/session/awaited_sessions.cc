#include "gateway/session/awaited_sessions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/session/account.h"

namespace causeway {

AwaitedSessions::AwaitedSessions(HeldForAwaited& all, const std::vector<KeptStream>& kept)
    : all_(all) {
    for (const KeptStream& stream : kept) {
        Session session{
            .stream = stream.id, .resource = stream.state.resource, .rows = stream.missed.messages};
        for (const auto& [number, row] : stream.sent) session.rows.push_back(row);
        std::ranges::sort(session.rows);
        sessions_.push_back(std::move(session));
    }
}

AwaitedSessions::~AwaitedSessions() { static_cast<void>(take_all()); }

bool AwaitedSessions::Session::may_come_back(const Account& account) const {
    return !account.hub().stream_records.known(stream) &&
           account.sessions().find(resource) == nullptr;
}

bool AwaitedSessions::were_sent(const Account& account, std::uint64_t row) const {
    return std::ranges::any_of(sessions_, [&](const Session& session) {
        return std::ranges::binary_search(session.rows, row) && session.may_come_back(account);
    });
}

bool AwaitedSessions::has(const Account& account, std::string_view resource) const {
    return std::ranges::any_of(sessions_, [&](const Session& session) {
        return session.resource == resource && session.may_come_back(account);
    });
}

bool AwaitedSessions::hold(const Account& account, const PacketRef& packet) {
    for (Session& session : sessions_) {
        if (session.resource != packet->to().resource() || !session.may_come_back(account)) {
            continue;
        }
        const std::size_t bytes = packet->bytes().size();
        if (session.held.size() >= held_at_most || session.held_bytes >= held_bytes_at_most ||
            all_.bytes + bytes > HeldForAwaited::at_most) {
            return false;
        }
        session.held.push_back(packet);
        session.held_bytes += bytes;
        all_.bytes += bytes;
        return true;
    }
    return false;
}

std::optional<AwaitedSessions::Packets> AwaitedSessions::take(std::uint64_t stream) {
    const auto found = std::ranges::find(sessions_, stream, &Session::stream);
    if (found == sessions_.end()) return std::nullopt;
    Packets held = std::move(found->held);
    all_.bytes -= found->held_bytes;
    sessions_.erase(found);
    return held;
}

AwaitedSessions::Packets AwaitedSessions::take_all() {
    Packets all;
    for (Session& session : std::exchange(sessions_, {})) {
        all_.bytes -= session.held_bytes;
        std::ranges::move(session.held, std::back_inserter(all));
    }
    return all;
}

bool AwaitedSessions::holding() const {
    return std::ranges::any_of(sessions_,
                               [](const Session& session) { return !session.held.empty(); });
}

}  // namespace causeway
